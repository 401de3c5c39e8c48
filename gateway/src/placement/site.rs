//! What placement knows of the clusters: their properties, and how much of each is taken.

use std::cmp::Ordering;
use std::sync::Arc;

use hashbrown::HashMap;
use isthmus_model::cluster::{Cluster, Health};
use isthmus_model::name::{ClusterName, PulsarClusterName};
use isthmus_model::resources::Capacity;

/// Short for a cluster's name, given once at its joining and never again to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub u32);

/// Short for a PulsarCluster's name, given once at its making and never again to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PulsarId(pub u32);

/// One cluster as placement sees it.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its id.
    pub id: ClusterId,
    /// Its properties.
    pub cluster: Arc<Cluster>,
    /// How well its agent's session is.
    pub health: Health,
    reserved: Capacity,
    /// Thousandths of the scarcest resource that are free; kept because every score reads it.
    free_permille: u16,
}

impl Site {
    /// A cluster with nothing reserved.
    pub fn new(id: ClusterId, cluster: Arc<Cluster>, health: Health) -> Self {
        let mut site = Self { id, cluster, health, reserved: Capacity::default(), free_permille: 0 };
        site.measure();
        site
    }

    /// What is reserved here.
    pub fn reserved(&self) -> Capacity {
        self.reserved
    }

    /// What may still be reserved here.
    pub fn free(&self) -> Capacity {
        self.cluster.declared.capacity.minus(self.reserved)
    }

    /// Thousandths of its scarcest resource that are free.
    pub fn free_permille(&self) -> u16 {
        self.free_permille
    }

    fn measure(&mut self) {
        let all = self.cluster.declared.capacity;
        let share = |all: u64, taken: u64| match all {
            0 | u64::MAX => 1000,
            all => u128::from(all.saturating_sub(taken)) * 1000 / u128::from(all),
        };
        let least = share(all.cpu_millis, self.reserved.cpu_millis)
            .min(share(all.memory_bytes, self.reserved.memory_bytes))
            .min(share(all.instances, self.reserved.instances));
        self.free_permille = u16::try_from(least).unwrap_or(1000);
    }
}

/// All clusters, in the order of their names: so neither the order of joining nor a hash decides a tie.
#[derive(Debug, Clone, Default)]
pub struct Sites {
    by_name: Vec<Site>,
    by_id: HashMap<ClusterId, usize>,
    pulsar: HashMap<PulsarClusterName, PulsarId>,
    version: u64,
}

impl Sites {
    /// Changes whenever anything but reserved capacity does; what was found out under another version is void.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// All of them, by name.
    pub fn all(&self) -> &[Site] {
        &self.by_name
    }

    /// One by its id.
    pub fn get(&self, id: ClusterId) -> Option<&Site> {
        self.by_name.get(self.rank(id)?)
    }

    /// Its place in the order of names.
    pub fn rank(&self, id: ClusterId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// One by its name.
    pub fn named(&self, name: &ClusterName) -> Option<&Site> {
        self.by_name.get(self.position(name).ok()?)
    }

    /// The id of a PulsarCluster.
    pub fn pulsar(&self, name: &PulsarClusterName) -> Option<PulsarId> {
        self.pulsar.get(name).copied()
    }

    /// Takes a cluster in, or its new properties; what is reserved stays.
    pub fn put(&mut self, id: ClusterId, cluster: Arc<Cluster>, health: Health) {
        self.version = self.version.wrapping_add(1);
        match self.position(&cluster.name) {
            Ok(at) => {
                if let Some(site) = self.by_name.get_mut(at) {
                    site.cluster = cluster;
                    site.health = health;
                    site.measure();
                }
            }
            Err(at) => {
                self.by_name.insert(at, Site::new(id, cluster, health));
                self.reindex();
            }
        }
    }

    /// Forgets a cluster.
    pub fn remove(&mut self, id: ClusterId) {
        self.version = self.version.wrapping_add(1);
        self.by_name.retain(|site| site.id != id);
        self.reindex();
    }

    /// Takes a PulsarCluster in.
    pub fn put_pulsar(&mut self, id: PulsarId, name: PulsarClusterName) {
        self.version = self.version.wrapping_add(1);
        self.pulsar.insert(name, id);
    }

    /// Forgets a PulsarCluster.
    pub fn remove_pulsar(&mut self, name: &PulsarClusterName) {
        self.version = self.version.wrapping_add(1);
        self.pulsar.remove(name);
    }

    /// Reserves room.
    pub fn reserve(&mut self, id: ClusterId, amount: Capacity) {
        self.adjust(id, |reserved| reserved.plus(amount));
    }

    /// Gives room back.
    pub fn release(&mut self, id: ClusterId, amount: Capacity) {
        self.adjust(id, |reserved| reserved.minus(amount));
    }

    fn adjust(&mut self, id: ClusterId, change: impl FnOnce(Capacity) -> Capacity) {
        if let Some(site) = self.rank(id).and_then(|at| self.by_name.get_mut(at)) {
            site.reserved = change(site.reserved);
            site.measure();
        }
    }

    fn position(&self, name: &ClusterName) -> Result<usize, usize> {
        self.by_name.binary_search_by(|site| -> Ordering { site.cluster.name.cmp(name) })
    }

    fn reindex(&mut self) {
        self.by_id = self.by_name.iter().enumerate().map(|(at, site)| (site.id, at)).collect();
    }
}
