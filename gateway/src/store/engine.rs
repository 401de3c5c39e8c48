//! What makes the log durable and ordered. The writer owns it; nothing else in the gateway sees it.

use std::io;
use std::sync::Arc;

use isthmus_model::order::{Epoch, LogIndex};

/// Why an engine could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another gateway holds the data.
    #[error("{place} is in use by another gateway; stop that one first, or give this one its own directory")]
    InUse {
        /// Where the data is.
        place: String,
    },
    /// The log ends somewhere else than the writer thinks: somebody else wrote to it.
    #[error("the log ends at {found}, not at {expected}: another gateway wrote to it")]
    Conflict {
        /// Where the writer thinks that it ends.
        expected: LogIndex,
        /// Where it ends.
        found: LogIndex,
    },
    /// Another gateway is leader now.
    #[error("another gateway became leader with epoch {found}; this one had {held}")]
    Fenced {
        /// The epoch of this gateway.
        held: Epoch,
        /// The epoch of the leader.
        found: Epoch,
    },
    /// The asked-for part of the log is no longer kept.
    #[error("the log before {oldest} is no longer kept")]
    Compacted {
        /// The oldest commit that is kept.
        oldest: LogIndex,
    },
    /// What is stored is not what was written.
    #[error("{place} is damaged: {what}; restore it from a backup")]
    Damaged {
        /// Where.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// The storage failed.
    #[error("cannot {doing} {place}")]
    Storage {
        /// What was attempted.
        doing: &'static str,
        /// On what.
        place: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// An append-only log with snapshots. All methods block; the writer calls them from threads of their own.
pub trait Engine: Send + 'static {
    /// Becomes leader. Every call returns a higher epoch than any call before, on this data, ever.
    fn acquire(&mut self) -> Result<Epoch, Error>;

    /// Makes sure of still being leader.
    fn renew(&mut self) -> Result<(), Error>;

    /// Reads the newest whole snapshot, if there is one, then all records after it in order. Returns where the log ends.
    fn load(&mut self, to: &mut dyn Recovery) -> Result<LogIndex, Error>;

    /// Appends records directly behind `after`, all or none. When it returns `Ok` they are durable: power loss included.
    /// After an error nothing is known of them, and the engine must not be used any more.
    fn append(&mut self, after: LogIndex, records: &[Vec<u8>]) -> Result<(), Error>;

    /// Reads of the log from other threads.
    fn log(&self) -> Arc<dyn Log>;

    /// Snapshots and upkeep from another thread, off the writer's path.
    fn upkeep(&self) -> Box<dyn Upkeep>;
}

/// Takes in what an engine has stored.
pub trait Recovery {
    /// The newest snapshot, before any record.
    fn snapshot(&mut self, at: LogIndex, bytes: &mut dyn io::Read) -> Result<(), Error>;

    /// One record after the snapshot.
    fn record(&mut self, index: LogIndex, bytes: &[u8]) -> Result<(), Error>;
}

/// The log as history.
pub trait Log: Send + Sync + 'static {
    /// Up to `limit` records behind `after`, in order and without gaps; empty at the end of the log.
    /// [`Error::Compacted`] when the first of them is no longer kept.
    fn read(&self, after: LogIndex, limit: usize) -> Result<Vec<(LogIndex, Vec<u8>)>, Error>;
}

/// How much of the log is kept beyond the newest snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Bytes of records.
    pub bytes: u64,
    /// The first record to keep by age.
    pub from: LogIndex,
}

/// Work beside the writer.
pub trait Upkeep: Send + 'static {
    /// Stores a snapshot that includes all up to `at`: whole or not at all. Records up to `at` must be durable.
    fn snapshot(
        &mut self,
        at: LogIndex,
        write: &mut dyn FnMut(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<(), Error>;

    /// Drops records that are in the newest snapshot and beyond the retention; what was appended together may stay as long as
    /// one of it does. Returns the oldest kept.
    fn compact(&mut self, retention: Retention) -> Result<LogIndex, Error>;

    /// Tidies up what appends left behind. Called between batches, at most a few times a second.
    fn tidy(&mut self) -> Result<(), Error>;
}
