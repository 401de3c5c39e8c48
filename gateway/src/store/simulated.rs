//! An engine on a disk that loses and tears what was not synced, by seed: for tests of the store and of the programs on it.
//!
//! What is written goes into a cache first; a sync makes the cache durable. A crash keeps what is durable and a prefix of the
//! cache, of any length, with its last bytes perhaps wrong. Loading takes whole batches and drops what is torn behind them.

mod disk;

use std::io;
use std::sync::Arc;

use isthmus_model::order::{Epoch, LogIndex};
use parking_lot::Mutex;

use super::engine::{Engine, Error, Log, Recovery, Retention, Upkeep};
use disk::Medium;

/// A disk that outlives the engines on it.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Mutex<Medium>>);

/// What goes wrong at an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails before anything is synced; a crash keeps any prefix of it.
    BeforeSync,
    /// It is synced, and fails nevertheless.
    AfterSync,
}

impl Disk {
    /// An empty disk whose crashes follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Medium::new(seed))))
    }

    /// The engine on this disk. One at a time, as everywhere; the one before must be gone.
    pub fn engine(&self) -> SimulatedEngine {
        SimulatedEngine { disk: self.clone(), held: Epoch(0), after: None, broken: false }
    }

    /// The append after `appends` more goes wrong.
    pub fn fail_after(&self, appends: u64, fault: Fault) {
        self.0.lock().fail_after(appends, fault);
    }

    /// The power goes: what was not synced is lost, or torn.
    pub fn crash(&self) {
        self.0.lock().crash();
    }

    /// From now on a sync says that it is done and does nothing: to show that who checks would notice.
    pub fn lie_about_syncs(&self) {
        self.0.lock().lies = true;
    }

    /// From now on syncs do not return until they are let go on.
    pub fn hold_syncs(&self) {
        self.0.lock().held = true;
    }

    /// Syncs go on.
    pub fn release_syncs(&self) {
        let mut medium = self.0.lock();
        medium.held = false;
        medium.released.notify_all();
    }

    /// How many syncs there were.
    pub fn syncs(&self) -> u64 {
        self.0.lock().syncs
    }

    /// Waits until a sync is being held.
    pub fn wait_for_held_sync(&self) {
        let mut medium = self.0.lock();
        let held = medium.waiting.clone();
        while medium.syncs_waiting == 0 {
            held.wait(&mut medium);
        }
    }
}

/// The engine on a simulated disk.
#[derive(Debug)]
pub struct SimulatedEngine {
    disk: Disk,
    held: Epoch,
    /// Where the log ends, once it was looked at.
    after: Option<LogIndex>,
    broken: bool,
}

impl SimulatedEngine {
    fn end(&mut self) -> Result<LogIndex, Error> {
        if let Some(end) = self.after {
            return Ok(end);
        }
        let end = self.disk.0.lock().recover().map_err(damaged)?;
        self.after = Some(end);
        Ok(end)
    }
}

impl Engine for SimulatedEngine {
    fn acquire(&mut self) -> Result<Epoch, Error> {
        let mut medium = self.disk.0.lock();
        medium.epoch += 1;
        self.held = Epoch(medium.epoch);
        Ok(self.held)
    }

    fn renew(&mut self) -> Result<(), Error> {
        let found = Epoch(self.disk.0.lock().epoch);
        if found == self.held { Ok(()) } else { Err(Error::Fenced { held: self.held, found }) }
    }

    fn load(&mut self, to: &mut dyn Recovery) -> Result<LogIndex, Error> {
        let end = self.end()?;
        let (snapshot, records) = {
            let medium = self.disk.0.lock();
            (medium.snapshot.clone(), medium.records.clone())
        };
        let mut from = LogIndex(0);
        if let Some((at, bytes)) = snapshot {
            to.snapshot(at, &mut bytes.as_slice())?;
            from = at;
        }
        for (index, record) in records.range(from.next()..) {
            to.record(*index, record)?;
        }
        Ok(end.max(from))
    }

    fn append(&mut self, after: LogIndex, records: &[Vec<u8>]) -> Result<(), Error> {
        let end = self.end()?;
        if self.broken {
            return Err(failed("append to", "an earlier append failed"));
        }
        if after != end {
            return Err(Error::Conflict { expected: after, found: end });
        }
        self.broken = true;
        let mut medium = self.disk.0.lock();
        medium.write(after, records);
        let released = medium.released.clone();
        medium.syncs_waiting += 1;
        medium.waiting.notify_all();
        while medium.held {
            released.wait(&mut medium);
        }
        medium.syncs_waiting -= 1;
        let end = medium.sync().map_err(|fault| failed("append to", fault))?;
        self.after = Some(end);
        self.broken = false;
        Ok(())
    }

    fn log(&self) -> Arc<dyn Log> {
        Arc::new(self.disk.clone())
    }

    fn upkeep(&self) -> Box<dyn Upkeep> {
        Box::new(self.disk.clone())
    }
}

impl Log for Disk {
    fn read(&self, after: LogIndex, limit: usize) -> Result<Vec<(LogIndex, Vec<u8>)>, Error> {
        let medium = self.0.lock();
        let records: Vec<_> = medium
            .records
            .range(after.next()..)
            .take(limit)
            .map(|(index, record)| (*index, record.clone()))
            .collect();
        match records.first() {
            Some((oldest, _)) if *oldest > after.next() => Err(Error::Compacted { oldest: *oldest }),
            Some(_) | None => Ok(records),
        }
    }
}

impl Upkeep for Disk {
    fn snapshot(
        &mut self,
        at: LogIndex,
        write: &mut dyn FnMut(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        let mut bytes = Vec::new();
        write(&mut bytes).map_err(|source| failed("write a snapshot on", source))?;
        self.0.lock().snapshot = Some((at, bytes));
        Ok(())
    }

    fn compact(&mut self, retention: Retention) -> Result<LogIndex, Error> {
        Ok(self.0.lock().compact(retention))
    }

    fn tidy(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

fn failed(doing: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Storage { doing, place: "a simulated disk".to_owned(), source: source.into() }
}

fn damaged(what: String) -> Error {
    Error::Damaged { place: "a simulated disk".to_owned(), what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::conformance;

    conformance!({
        let disk = Disk::new(1);
        move || disk.engine()
    });
}
