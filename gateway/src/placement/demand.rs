//! What placement needs to know of a component, beside its opaque spec.

use isthmus_model::name::PulsarClusterName;
use isthmus_model::policy::Placement;
use isthmus_model::resources::Capacity;
use isthmus_model::sealed::SealingKeyId;

/// What a component demands of the clusters that run it. Components with the same demand share one copy of it and the
/// work of finding out which clusters may run them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Demand {
    /// The capability that a cluster must declare: `java`, `python`, `go`, …; empty means none.
    pub runtime: Box<str>,
    /// Instances wanted: in each chosen cluster, or over all of them in mode Divided.
    pub replicas: u32,
    /// Instances to reserve room for: the autoscaler's upper bound, else `replicas`. Never below `replicas`.
    pub reserved: u32,
    /// What one instance takes.
    pub each: Capacity,
    /// The PulsarCluster by name; `None` means each cluster's default.
    pub pulsar: Option<PulsarClusterName>,
    /// What the user wants of placement.
    pub policy: Placement,
    /// The keys that its secrets are sealed to; empty when none travels with it, and then any cluster will do.
    pub sealed_for: Box<[SealingKeyId]>,
}

impl Demand {
    /// Room to reserve, at least what runs.
    pub fn reserved(&self) -> u32 {
        self.reserved.max(self.replicas)
    }
}
