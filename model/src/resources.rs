//! cpu, memory and storage, and the arithmetic on them that placement needs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What one instance asks for and may use at most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resources {
    /// Reserved for it.
    pub requests: Amounts,
    /// Its bounds.
    pub limits: Amounts,
}

/// Amounts of the resources that Isthmus reckons with, and others as Kubernetes quantities.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Amounts {
    /// Thousandths of a cpu.
    pub cpu_millis: Option<u64>,
    /// Bytes.
    pub memory_bytes: Option<u64>,
    /// Bytes.
    pub storage_bytes: Option<u64>,
    /// Others, as Kubernetes quantities.
    pub other: BTreeMap<String, String>,
}

/// A total of what placement reckons with: a cluster's capacity, or what is reserved there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Capacity {
    /// Thousandths of a cpu.
    pub cpu_millis: u64,
    /// Bytes.
    pub memory_bytes: u64,
    /// Instances.
    pub instances: u64,
}

impl Capacity {
    /// More than any cluster has.
    pub const UNLIMITED: Self = Self { cpu_millis: u64::MAX, memory_bytes: u64::MAX, instances: u64::MAX };

    /// What one instance with these requests takes.
    pub fn of_instance(resources: &Resources) -> Self {
        Self {
            cpu_millis: resources.requests.cpu_millis.unwrap_or(0),
            memory_bytes: resources.requests.memory_bytes.unwrap_or(0),
            instances: 1,
        }
    }

    /// What `count` such instances take; saturates.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        let count = u64::from(count);
        Self {
            cpu_millis: self.cpu_millis.saturating_mul(count),
            memory_bytes: self.memory_bytes.saturating_mul(count),
            instances: self.instances.saturating_mul(count),
        }
    }

    /// The sum; saturates.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            cpu_millis: self.cpu_millis.saturating_add(other.cpu_millis),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            instances: self.instances.saturating_add(other.instances),
        }
    }

    /// The difference, at least zero.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            cpu_millis: self.cpu_millis.saturating_sub(other.cpu_millis),
            memory_bytes: self.memory_bytes.saturating_sub(other.memory_bytes),
            instances: self.instances.saturating_sub(other.instances),
        }
    }

    /// How many of `each` fit in here.
    pub fn fits(self, each: Self) -> u32 {
        let by = |have: u64, need: u64| have.checked_div(need).unwrap_or(u64::MAX);
        let count = by(self.cpu_millis, each.cpu_millis)
            .min(by(self.memory_bytes, each.memory_bytes))
            .min(by(self.instances, each.instances));
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_fit_as_the_scarcest_resource_allows() {
        let free = Capacity { cpu_millis: 1000, memory_bytes: 300, instances: 100 };
        let each = Capacity { cpu_millis: 100, memory_bytes: 100, instances: 1 };
        assert_eq!(free.fits(each), 3);
        assert_eq!(free.fits(Capacity { instances: 1, ..Capacity::default() }), 100);
        assert_eq!(Capacity::UNLIMITED.fits(each), u32::MAX);
    }
}
