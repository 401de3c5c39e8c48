//! The agent's configuration: the tree of its parts' configurations.

use std::path::PathBuf;

use isthmus_daemon::{admin, config, program, runtime, shutdown, telemetry};
use serde::{Deserialize, Serialize};

use crate::inbox::budget::Budget;
use crate::link::address::GatewayAddress;
use crate::{custom_resources, host, link, operator, package};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Directory for all that must outlive the agent: its identity, what it shall run, packages, instances. Two agents never
    /// share one. Default `/var/lib/isthmus/agent`.
    pub data: PathBuf,
    /// Gateways to dial, as `host:port`, in turn; at least one, unless the agent is only the operator of a Kubernetes cluster. No
    /// default.
    pub gateways: Vec<GatewayAddress>,
    /// File with the join token, for the first start; a new token makes the agent join anew at its next start. Labels and name
    /// of the cluster come from it.
    pub join_token_file: Option<PathBuf>,
    /// How the gateway is reached.
    pub link: link::Config,
    /// What may be removed without asking.
    pub delete_budget: Budget,
    /// The cache of packages.
    pub packages: package::Config,
    /// Where the cluster's share runs.
    pub target: Target,
    /// The threads that the agent works with.
    pub runtime: runtime::Config,
    /// The log.
    pub log: telemetry::Config,
    /// The admin port.
    pub admin: admin::Config,
    /// The end.
    pub shutdown: shutdown::Config,
}

/// Where the cluster's share runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// As guarded processes of this host, where `kubernetes` is not set.
    pub host: host::Config,
    /// As workloads of a Kubernetes cluster: custom resources there are reconciled, whoever wrote them. Default: none.
    pub kubernetes: Option<operator::Config>,
    /// How the share becomes custom resources there.
    pub custom_resources: custom_resources::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("/var/lib/isthmus/agent"),
            gateways: Vec::new(),
            join_token_file: None,
            link: link::Config::default(),
            delete_budget: Budget::default(),
            packages: package::Config::default(),
            target: Target::default(),
            runtime: runtime::Config::default(),
            log: telemetry::Config::default(),
            admin: admin::Config::default(),
            shutdown: shutdown::Config::default(),
        }
    }
}

impl program::Settings for Config {
    fn common(&self) -> program::Common<'_> {
        program::Common { runtime: self.runtime, log: &self.log, admin: &self.admin, shutdown: self.shutdown }
    }

    fn check(&self) -> Result<(), config::Error> {
        if self.gateways.is_empty() && self.target.kubernetes.is_none() {
            return Err(config::Error::refused("gateways", "name at least one gateway, as host:port"));
        }
        if let Some(leader) =
            self.target.kubernetes.as_ref().and_then(|kubernetes| kubernetes.leader.as_ref())
        {
            if !self.gateways.is_empty() {
                return Err(config::Error::refused(
                    "target.kubernetes.leader",
                    "an agent with gateways has a key and a share of its own volume; leave one of the two out",
                ));
            }
            if let Err((setting, must)) = leader.check() {
                return Err(config::Error::refused(format!("target.kubernetes.leader.{setting}"), must));
            }
        }
        if self.delete_budget.percent > 100 {
            return Err(config::Error::refused("delete_budget.percent", "it must be from 0 to 100"));
        }
        Ok(())
    }
}
