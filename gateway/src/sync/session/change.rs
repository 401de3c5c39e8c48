//! One change of a cluster's desired set, cut into parts.
//!
//! It is a snapshot, taken at one moment: so its parts fit together and the digest of the last one is that of the whole.
//! What it holds are references to specs, not specs.

use std::vec::IntoIter;

use isthmus_model::assignment::{Assignment, Removal};
use isthmus_model::name::Uid;
use isthmus_model::order::{Epoch, LogIndex, SetGeneration};
use isthmus_model::set_digest::SetDigest;
use isthmus_proto::sync::v1 as wire;

use super::{Desired, bytes_of};
use crate::store::state::Item;

/// Bytes of specs in one part, about; a part has at least one item.
const PART_BYTES: usize = 512 * 1024;

/// Items in one part, so that many small ones do not hold up a heartbeat.
const PART_ITEMS: usize = 2_000;

/// One change, as far as it was not sent yet.
#[derive(Debug)]
pub(super) struct Change {
    from: SetGeneration,
    to: SetGeneration,
    digest: SetDigest,
    epoch: Epoch,
    log_index: LogIndex,
    replaced: Vec<u32>,
    removals: Vec<Removal>,
    upserts: IntoIter<Assignment>,
}

impl Change {
    /// From a set that the agent has to the set of now: how each of `uids` stands now, and `removals` beside them.
    pub(super) fn of(
        from: SetGeneration,
        uids: Vec<Uid>,
        removals: Vec<Removal>,
        desired: &impl Desired,
    ) -> Self {
        let mut removals = removals;
        let mut upserts = Vec::with_capacity(uids.len());
        for item in uids.into_iter().filter_map(|uid| desired.item(uid)) {
            match item {
                Item::Assigned(assignment) => upserts.push(assignment),
                Item::Removed(removal) => removals.push(removal),
            }
        }
        removals.sort_unstable_by_key(|removal| removal.uid);
        removals.dedup();
        Self {
            from,
            to: desired.set_generation(),
            digest: desired.digest(),
            epoch: desired.epoch(),
            log_index: desired.log_index(),
            replaced: Vec::new(),
            removals,
            upserts: upserts.into_iter(),
        }
    }

    /// From the set that was told last to the set of now. All that differs between them is in the change; so it takes in no commit
    /// beyond the newest of these, and can be told once that one is durable, whatever others wait.
    pub(super) fn since(told: SetGeneration, uids: Vec<Uid>, desired: &impl Desired) -> Self {
        let count = uids.len();
        let change = Self::of(told, uids, Vec::new(), desired);
        let upserts = change.upserts.as_slice().iter().map(|assignment| assignment.generation);
        let removals = change.removals.iter().map(|removal| removal.generation);
        // What is neither assigned nor removed any more does not say which commit that was.
        if change.upserts.len() + change.removals.len() < count {
            return change;
        }
        let newest = upserts.chain(removals).max().map_or(LogIndex(0), |generation| LogIndex(generation.0));
        Self { log_index: newest.max(desired.durable()), ..change }
    }

    /// The whole set, in place of whatever the agent has.
    pub(super) fn all(desired: &impl Desired) -> Self {
        Self::of(SetGeneration(0), desired.uids(), desired.removals(), desired)
    }

    /// These buckets as a whole.
    pub(super) fn of_buckets(from: SetGeneration, buckets: &[u8], desired: &impl Desired) -> Self {
        let change = Self::of(from, desired.uids_in(buckets), desired.removals(), desired);
        Self { replaced: buckets.iter().map(|bucket| u32::from(*bucket)).collect(), ..change }
    }

    pub(super) fn to(&self) -> SetGeneration {
        self.to
    }

    pub(super) fn digest(&self) -> SetDigest {
        self.digest
    }

    /// The next part; after the one that is `last` there is none.
    pub(super) fn next_part(&mut self, nonce: u64) -> wire::Delta {
        let removals: Vec<wire::Removal> =
            std::mem::take(&mut self.removals).into_iter().map(Into::into).collect();
        let (mut upserts, mut bytes) = (Vec::new(), 0);
        while bytes < PART_BYTES && upserts.len() < PART_ITEMS {
            let Some(assignment) = self.upserts.next() else { break };
            bytes += assignment.spec.len();
            bytes += assignment.sealed.as_ref().map_or(0, |sealed| sealed.size());
            upserts.push(wire::Assignment::from(&assignment));
        }
        let last = self.upserts.as_slice().is_empty();
        wire::Delta {
            nonce,
            from_set_generation: self.from.0,
            to_set_generation: self.to.0,
            removals,
            upserts,
            digest: if last { bytes_of(self.digest) } else { bytes::Bytes::new() },
            last,
            epoch: self.epoch.0,
            log_index: self.log_index.0,
            replaced_buckets: self.replaced.clone(),
        }
    }
}
