//! A place to run, as the gateway knows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::{ClusterName, Labels, PulsarClusterName};
use crate::order::{LogIndex, UnixMillis};
use crate::policy::Taint;
use crate::resources::Capacity;
use crate::sealed::SealingKey;

/// One cluster: its identity, what an operator said of it, and what its agent declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Its name.
    pub name: ClusterName,
    /// Its labels, from the join token and the operator.
    pub labels: Labels,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// Nothing new is placed here.
    pub cordoned: bool,
    /// PulsarClusters that can be reached from here.
    pub links: BTreeMap<PulsarClusterName, Link>,
    /// The link used when a component names none.
    pub default_pulsar: Option<PulsarClusterName>,
    /// What its agent declared last.
    pub declared: Declared,
    /// When it joined.
    pub joined_at: UnixMillis,
    /// The commit that last changed it.
    pub log_index: LogIndex,
}

/// A link from a cluster to a PulsarCluster; URLs given here replace those of the PulsarCluster as seen from there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Link {
    /// Broker service URL as seen from the cluster.
    pub service_url: Option<String>,
    /// Admin URL as seen from the cluster.
    pub admin_url: Option<String>,
}

/// What an agent declares of its cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Declared {
    /// Version of the agent.
    pub version: String,
    /// Words for what it can do: `java`, `python`, `go`, …; what is not listed is not sent there.
    pub capabilities: Vec<String>,
    /// What may be reserved there in all.
    pub capacity: Capacity,
    /// The key to which clients seal secrets for it; `None` where its agent is too old to have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealing_key: Option<SealingKey>,
}

/// How well an agent's session is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Health {
    /// Beats arrive.
    Healthy,
    /// Beats are missed: nothing new is placed here.
    Suspect,
    /// No session.
    #[default]
    Disconnected,
}
