//! What is decided and not yet handed to the disk: it grows while the appender is busy, and goes in one append.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use isthmus_model::order::{LogIndex, SetGeneration};
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::placement::ClusterId;
use crate::store::commit::Commit;
use crate::store::handle::Answer;

/// Bytes of records after which the decider waits for the appender: more in one append would only add to its latency.
const FULL: usize = 8 << 20;

/// Answers that wait for the batch they are in.
pub(super) type Answers = (oneshot::Sender<Vec<Answer>>, Vec<Answer>);

/// Decided commands, in order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<Vec<u8>>,
    pub(super) commits: Vec<Arc<Commit>>,
    /// Refusals too: they may speak of what is not durable before this batch is.
    pub(super) answers: Vec<Answers>,
    /// Clusters whose desired set changed, each once with its newest number.
    pub(super) touched: HashMap<ClusterId, SetGeneration>,
    bytes: usize,
}

impl Batch {
    pub(super) fn push(&mut self, commit: Arc<Commit>, record: Vec<u8>) {
        self.bytes += record.len();
        self.commits.push(commit);
        self.records.push(record);
    }

    /// What the log must end at for this batch to follow.
    pub(super) fn after(&self) -> Option<LogIndex> {
        Some(LogIndex(self.commits.first()?.index.0.saturating_sub(1)))
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.answers.is_empty()
    }

    fn absorb(&mut self, other: Self) {
        let Self { records, commits, answers, touched, bytes } = other;
        self.records.extend(records);
        self.commits.extend(commits);
        self.answers.extend(answers);
        self.touched.extend(touched);
        self.bytes += bytes;
    }
}

#[derive(Debug, Default)]
struct Slot {
    batch: Batch,
    /// The decider gives nothing more.
    ended: bool,
    /// The appender takes nothing more.
    broken: bool,
    /// How long the last append took.
    took: Duration,
}

/// Between the decider and the appender.
#[derive(Debug, Default)]
pub(super) struct Pending {
    slot: Mutex<Slot>,
    changed: Condvar,
}

impl Pending {
    /// Adds what was decided, waiting while there is much. `Err` when the appender has given up.
    pub(super) fn give(&self, batch: Batch) -> Result<(), ()> {
        let mut slot = self.slot.lock();
        while slot.batch.bytes >= FULL && !slot.broken {
            self.changed.wait(&mut slot);
        }
        if slot.broken {
            return Err(());
        }
        slot.batch.absorb(batch);
        self.changed.notify_all();
        Ok(())
    }

    /// How long the last append took.
    pub(super) fn last_append(&self) -> Duration {
        self.slot.lock().took
    }

    /// An append took so long.
    pub(super) fn appended(&self, took: Duration) {
        self.slot.lock().took = took;
    }

    /// Takes all there is, waiting for it; `None` when the decider has ended and all is taken.
    pub(super) fn take(&self) -> Option<Batch> {
        let mut slot = self.slot.lock();
        while slot.batch.is_empty() && !slot.ended {
            self.changed.wait(&mut slot);
        }
        let batch = std::mem::take(&mut slot.batch);
        self.changed.notify_all();
        (!batch.is_empty()).then_some(batch)
    }

    pub(super) fn end(&self) {
        self.slot.lock().ended = true;
        self.changed.notify_all();
    }

    pub(super) fn break_off(&self) {
        let mut slot = self.slot.lock();
        slot.broken = true;
        // Their callers hear that nothing is known of them.
        slot.batch = Batch::default();
        self.changed.notify_all();
    }
}
