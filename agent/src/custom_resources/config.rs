//! What can be set of the share's custom resources.

use bytesize::ByteSize;
use isthmus_model::name::{Namespace, Tenant};
use serde::{Deserialize, Serialize};

use super::observe;

/// Where the custom resources stand, and how much may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Kubernetes namespace of everything that no rule is for; it must exist. Default `default`.
    pub namespace: String,
    /// Rules from tenant and namespace of Pulsar to a Kubernetes namespace; the first that fits counts. Default none.
    pub rules: Vec<Rule>,
    /// Memory of an instance whose component says nothing of it; Function Mesh runs none without. Default 1 GiB, as Pulsar's own
    /// runtime for Kubernetes has it.
    pub memory: ByteSize,
    /// What the gateway may place here.
    pub capacity: Capacity,
    /// How instances are asked what they count.
    pub figures: observe::Config,
}

/// A rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Pulsar tenant.
    pub tenant: Option<Tenant>,
    /// Pulsar namespace of that tenant. Default: all of them.
    pub namespace: Option<Namespace>,
    /// The Kubernetes namespace; it must exist.
    pub to: String,
}

/// What the gateway may place here in all; 0 is without a bound, since Kubernetes has a scheduler of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capacity {
    /// Thousandths of a cpu. Default 0.
    pub cpu_millis: u64,
    /// Memory. Default 0.
    pub memory: ByteSize,
    /// Instances. Default 0.
    pub instances: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            rules: Vec::new(),
            memory: ByteSize::gib(1),
            capacity: Capacity::default(),
            figures: observe::Config::default(),
        }
    }
}

impl Config {
    /// All Kubernetes namespaces that this can lead to, each once.
    pub fn namespaces(&self) -> Vec<String> {
        let mut all: Vec<String> = self.rules.iter().map(|rule| rule.to.clone()).collect();
        all.push(self.namespace.clone());
        all.sort();
        all.dedup();
        all
    }
}
