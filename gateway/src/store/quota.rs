//! Bounds on what a tenant or namespace may have, and what it has.

use isthmus_model::resources::Capacity;
use serde::{Deserialize, Serialize};

/// Upper bounds; `None` means no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Quota {
    /// Components.
    pub components: Option<u64>,
    /// Instances, an autoscaler's upper bound counted in full.
    pub instances: Option<u64>,
    /// Thousandths of a cpu, requested by all instances.
    pub cpu_millis: Option<u64>,
    /// Bytes, requested by all instances.
    pub memory_bytes: Option<u64>,
}

/// What there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Components.
    pub components: u64,
    /// What their instances take, all clusters together.
    pub amounts: Capacity,
}

impl Usage {
    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            components: self.components.saturating_add(other.components),
            amounts: self.amounts.plus(other.amounts),
        }
    }

    /// The difference, at least zero.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            components: self.components.saturating_sub(other.components),
            amounts: self.amounts.minus(other.amounts),
        }
    }
}

impl Usage {
    /// The greater of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        let (own, theirs) = (self.amounts, other.amounts);
        Self {
            components: self.components.max(other.components),
            amounts: Capacity {
                cpu_millis: own.cpu_millis.max(theirs.cpu_millis),
                memory_bytes: own.memory_bytes.max(theirs.memory_bytes),
                instances: own.instances.max(theirs.instances),
            },
        }
    }
}

impl Quota {
    /// The first bound that `usage` breaks although `before` did not break it by as much: (what, bound, usage). A change
    /// that takes less than before passes even where a bound was lowered meanwhile.
    pub fn exceeded(&self, before: Usage, usage: Usage) -> Option<(&'static str, u64, u64)> {
        [
            ("components", self.components, before.components, usage.components),
            ("instances", self.instances, before.amounts.instances, usage.amounts.instances),
            ("cpu (thousandths)", self.cpu_millis, before.amounts.cpu_millis, usage.amounts.cpu_millis),
            ("memory (bytes)", self.memory_bytes, before.amounts.memory_bytes, usage.amounts.memory_bytes),
        ]
        .into_iter()
        .find_map(|(what, bound, before, usage)| {
            let bound = bound?;
            (usage > bound && usage > before).then_some((what, bound, usage))
        })
    }
}
