//! The store's state as a session reads it.

use isthmus_model::assignment::Removal;
use isthmus_model::name::{ClusterName, Digest, Uid};
use isthmus_model::order::{Epoch, LogIndex, SetGeneration};
use isthmus_model::set_digest::SetDigest;

use super::session::Desired;
use crate::store::State;
use crate::store::state::{ClusterView, DesiredView, Item};

/// One cluster's desired set at this moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'s> {
    state: &'s State,
    cluster: ClusterView<'s>,
    desired: DesiredView<'s>,
    durable: LogIndex,
}

impl<'s> View<'s> {
    /// `durable` is how far the log was durable before the state was looked at. `None` when the cluster does not belong to the
    /// federation any more.
    pub(super) fn of(state: &'s State, cluster: &ClusterName, durable: LogIndex) -> Option<Self> {
        Some(Self { state, cluster: state.cluster(cluster)?, desired: state.desired(cluster)?, durable })
    }

    pub(super) fn cluster(&self) -> ClusterView<'s> {
        self.cluster
    }
}

impl Desired for View<'_> {
    fn epoch(&self) -> Epoch {
        self.state.epoch()
    }

    fn log_index(&self) -> LogIndex {
        self.state.applied()
    }

    fn durable(&self) -> LogIndex {
        self.durable
    }

    fn set_generation(&self) -> SetGeneration {
        self.desired.set_generation()
    }

    fn digest(&self) -> SetDigest {
        self.desired.digest()
    }

    fn buckets(&self) -> Vec<SetDigest> {
        self.desired.buckets().to_vec()
    }

    fn changes_since(&self, from: SetGeneration) -> Option<Vec<Uid>> {
        self.desired.changes_since(from)
    }

    fn uids(&self) -> Vec<Uid> {
        self.desired.uids().collect()
    }

    fn uids_in(&self, buckets: &[u8]) -> Vec<Uid> {
        let mut wanted = [false; SetDigest::BUCKETS];
        for bucket in buckets {
            if let Some(wanted) = wanted.get_mut(usize::from(*bucket)) {
                *wanted = true;
            }
        }
        let inside = |uid: &Uid| wanted.get(usize::from(SetDigest::bucket(*uid))).copied().unwrap_or(false);
        self.desired.uids().filter(inside).collect()
    }

    fn removals(&self) -> Vec<Removal> {
        self.desired.removals()
    }

    fn item(&self, uid: Uid) -> Option<Item> {
        self.desired.item(uid)
    }

    fn confirmed(&self) -> Option<Digest> {
        self.cluster.confirmed_deletions()
    }
}
