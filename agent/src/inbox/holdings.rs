//! What this agent holds, in memory: ids and generations only, the specs are in the file and with the target.

use std::collections::HashMap;

use isthmus_model::assignment::Removal;
use isthmus_model::name::Uid;
use isthmus_model::order::{Epoch, Generation, LogIndex, SetGeneration};
use isthmus_model::set_digest::SetDigest;

use super::change::{Facts, HeldRemovals};

/// Where in the gateway's history the set stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// The highest epoch seen.
    pub epoch: Epoch,
    /// The newest commit taken in.
    pub log_index: LogIndex,
    /// The set.
    pub set_generation: SetGeneration,
    /// The set was received whole at least once since the file was made.
    pub settled: bool,
}

/// How one component stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It shall run.
    Wanted {
        /// The commit that last changed it.
        generation: Generation,
        /// Something of it can run here: this generation, or, where this agent cannot take that, the one before.
        runs: bool,
    },
    /// It shall not run, but does until an operator confirms it.
    Held {
        /// What runs.
        generation: Generation,
        /// The commit that took it away.
        removal: Generation,
    },
    /// It shall not run; kept until the gateway was told that it is stopped.
    Stopping {
        /// The commit that took it away.
        removal: Generation,
    },
}

/// All that is held. The set's digest and counts are kept as it changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    head: Head,
    entries: HashMap<Uid, Entry>,
    digest: SetDigest,
    held: SetDigest,
    held_count: u32,
    running: u32,
}

impl Holdings {
    /// What a file holds.
    pub fn new(head: Head, entries: impl IntoIterator<Item = (Uid, Entry)>) -> Self {
        let mut holdings = Self { head, ..Self::default() };
        entries.into_iter().for_each(|(uid, entry)| holdings.set(uid, entry));
        holdings
    }

    /// Where the set stands.
    pub fn head(&self) -> Head {
        self.head
    }

    /// One component.
    pub fn get(&self, uid: Uid) -> Option<Entry> {
        self.entries.get(&uid).copied()
    }

    /// All components, in no particular order.
    pub fn entries(&self) -> impl Iterator<Item = (Uid, Entry)> {
        self.entries.iter().map(|(uid, entry)| (*uid, *entry))
    }

    /// Digest of what shall run, as the gateway reckons it: held removals are not in it.
    pub fn digest(&self) -> SetDigest {
        self.digest
    }

    /// How many run here, held ones included.
    pub fn running(&self) -> u32 {
        self.running
    }

    /// What waits for an operator.
    pub fn held(&self) -> HeldRemovals {
        HeldRemovals { count: self.held_count, total: self.running, digest: self.held }
    }

    /// The removals that wait, in no particular order.
    pub fn held_removals(&self) -> impl Iterator<Item = Removal> {
        self.entries().filter_map(|(uid, entry)| match entry {
            Entry::Held { removal, .. } => Some(Removal { uid, generation: removal }),
            Entry::Wanted { .. } | Entry::Stopping { .. } => None,
        })
    }

    /// For the gateway.
    pub fn facts(&self) -> Facts {
        let Head { epoch, log_index, set_generation, settled } = self.head;
        Facts { epoch, log_index, set_generation, digest: self.digest, settled, held: self.held() }
    }

    /// The digest of every bucket, in order.
    pub fn buckets(&self) -> Vec<SetDigest> {
        let mut buckets = vec![SetDigest::default(); SetDigest::BUCKETS];
        for (uid, entry) in self.entries() {
            if let (Entry::Wanted { generation, .. }, Some(bucket)) =
                (entry, buckets.get_mut(usize::from(SetDigest::bucket(uid))))
            {
                bucket.insert(uid, generation);
            }
        }
        buckets
    }

    /// The set stands elsewhere now.
    pub fn move_to(&mut self, head: Head) {
        self.head = head;
    }

    /// One component stands differently now.
    pub fn set(&mut self, uid: Uid, entry: Entry) {
        let before = self.entries.insert(uid, entry);
        self.uncount(uid, before);
        match entry {
            Entry::Wanted { generation, runs } => {
                self.digest.insert(uid, generation);
                self.running += u32::from(runs);
            }
            Entry::Held { removal, .. } => {
                self.held.insert(uid, removal);
                self.held_count += 1;
                self.running += 1;
            }
            Entry::Stopping { .. } => {}
        }
    }

    /// Nothing is held of this component any more.
    pub fn forget(&mut self, uid: Uid) {
        let before = self.entries.remove(&uid);
        self.uncount(uid, before);
    }

    fn uncount(&mut self, uid: Uid, entry: Option<Entry>) {
        match entry {
            Some(Entry::Wanted { generation, runs }) => {
                self.digest.remove(uid, generation);
                self.running -= u32::from(runs);
            }
            Some(Entry::Held { removal, .. }) => {
                self.held.remove(uid, removal);
                self.held_count -= 1;
                self.running -= 1;
            }
            Some(Entry::Stopping { .. }) | None => {}
        }
    }
}
