//! A Pulsar cluster, as the gateway knows it.

use serde::{Deserialize, Serialize};

use crate::name::PulsarClusterName;

/// How a Pulsar cluster is reached. Credentials are names of secrets, never values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PulsarCluster {
    /// Its name in the federation.
    pub name: PulsarClusterName,
    /// `pulsar://` or `pulsar+ssl://`.
    pub service_url: String,
    /// `http://` or `https://`.
    pub admin_url: String,
    /// The name that Pulsar itself has for the cluster; empty means the same as `name`.
    #[serde(default)]
    pub pulsar_name: String,
    /// `bk://` of the state store; empty means that it has none.
    #[serde(default)]
    pub state_service_url: String,
    /// PulsarClusters that this one replicates with.
    #[serde(default)]
    pub peers: Vec<PulsarClusterName>,
}
