//! Everything the gateway knows, typed and indexed, and how it is read.
//!
//! Decisions read it, [`super::apply`] changes it, and nothing else does. Specs are opaque bytes here.

mod access;
mod cluster;
mod component;
mod components;
mod desired;
mod interner;
mod namespaces;
mod read;
mod requests;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use isthmus_model::name::{PulsarClusterName, Uid};
use isthmus_model::order::{Epoch, LogIndex, UnixMillis};
use isthmus_model::pulsar_cluster::PulsarCluster;

use crate::placement::{ClusterId, Demand, PulsarId, Sites};
use crate::store::command::{JoinToken, SecretHash};

pub use cluster::Identity;
pub use component::{Details, KEPT_REVISIONS, Version};
pub use desired::KEPT_CHANGES;
pub use read::{AssignmentView, ClusterView, ComponentView, DesiredView, Item};
pub use requests::KEPT_REQUESTS;

pub use access::Access;
pub(crate) use access::Packages;
pub(crate) use cluster::ClusterState;
pub(crate) use component::{Component, Entry, Slot, Waiting};
pub(crate) use components::Components;
pub(crate) use desired::DesiredSet;
pub(crate) use interner::Interner;
pub(crate) use namespaces::{NamespaceEntry, NamespaceId, Namespaces};
pub(crate) use requests::Requests;
pub(crate) use waiting::{CAPACITY, WaitingIndex};

/// Everything the gateway knows.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) epoch: Epoch,
    pub(crate) applied: LogIndex,
    pub(crate) time: UnixMillis,
    pub(crate) components: Components,
    pub(crate) namespaces: Namespaces,
    pub(crate) demands: Interner<Demand>,
    pub(crate) details: Interner<Details>,
    pub(crate) sites: Sites,
    pub(crate) clusters: BTreeMap<ClusterId, ClusterState>,
    pub(crate) next_cluster: u32,
    pub(crate) pulsar: BTreeMap<PulsarClusterName, (PulsarId, Arc<PulsarCluster>)>,
    pub(crate) next_pulsar: u32,
    pub(crate) packages: Packages,
    pub(crate) access: Arc<Access>,
    pub(crate) join_tokens: BTreeMap<SecretHash, JoinToken>,
    pub(crate) waiting: WaitingIndex,
    pub(crate) requests: Requests,
    /// Clusters whose desired set changed since the writer last took this.
    pub(crate) touched: Vec<ClusterId>,
}

impl State {
    /// The commit that this state includes last.
    pub fn applied(&self) -> LogIndex {
        self.applied
    }

    /// The leader that decided it.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// What placement sees of the clusters.
    pub fn sites(&self) -> &Sites {
        &self.sites
    }

    /// Components that something happened to help, longest waiting first. Those that a taint drives away come before all
    /// others, and only if `may_evict`.
    pub fn next_woken(&self, limit: usize, may_evict: bool) -> Vec<Uid> {
        self.waiting.next(limit, may_evict)
    }

    /// These were planned again. Not logged on its own account: whoever is woken once too often is planned once too often.
    pub(crate) fn settle(&mut self, uids: &[Uid], evicted: bool) {
        for uid in uids {
            let waiting =
                self.components.find(*uid).and_then(|slot| self.components.get(slot)?.waiting.as_deref());
            self.waiting.settle(*uid, waiting.copied(), evicted);
        }
    }

    pub(crate) fn touch(&mut self, cluster: ClusterId) {
        if self.touched.last() != Some(&cluster) {
            self.touched.push(cluster);
        }
    }
}
