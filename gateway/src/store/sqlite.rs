//! The embedded engine: SQLite for the log, and plain files for snapshots, all in one directory.
//!
//! WAL with `synchronous=FULL`: an append returns after its fsync. Checkpoints and compaction run on a connection of their
//! own. Snapshots are files because they are large, written once and read from end to end; a rename makes them whole.

mod log;
mod row;
mod snapshots;
mod upkeep;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use isthmus_model::order::{Epoch, LogIndex};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::engine::{Engine, Error, Log, Recovery, Upkeep};
use log::SqliteLog;
use row::Rows;
use snapshots::Snapshots;
use upkeep::SqliteUpkeep;

/// How long an append waits for the upkeep connection, which holds the file for milliseconds at most.
const BUSY: Duration = Duration::from_secs(30);

/// The embedded engine. Holds a lock on its directory until it is dropped.
#[derive(Debug)]
pub struct SqliteEngine {
    connection: Connection,
    place: Place,
    end: LogIndex,
    held: Epoch,
    /// An append failed: what is in the file now is not known.
    broken: bool,
    _lock: File,
}

/// Where the data is.
#[derive(Debug, Clone)]
struct Place {
    directory: PathBuf,
}

impl Place {
    fn database(&self) -> PathBuf {
        self.directory.join("log.db")
    }

    fn connect(&self) -> Result<Connection, Error> {
        let connect = || {
            let connection = Connection::open(self.database())?;
            connection.busy_timeout(BUSY)?;
            // Few pages are read twice: the state is in memory.
            connection.pragma_update(None, "cache_size", -1024)?;
            Ok(connection)
        };
        connect().map_err(|source: rusqlite::Error| self.failed("open", source))
    }

    fn failed(
        &self,
        doing: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::Storage { doing, place: self.directory.display().to_string(), source: source.into() }
    }

    /// The records of a row of the log.
    fn records<'row>(&self, last: u64, row: &'row [u8]) -> Result<Vec<(LogIndex, &'row [u8])>, Error> {
        row::records(LogIndex(last), row).ok_or_else(|| Error::Damaged {
            place: self.database().display().to_string(),
            what: format!("the row {last} of its log cannot be read"),
        })
    }

    /// Makes names in the directory durable.
    fn sync(&self) -> Result<(), Error> {
        let sync = || File::open(&self.directory)?.sync_all();
        sync().map_err(|source: std::io::Error| self.failed("sync", source))
    }
}

impl SqliteEngine {
    /// Opens the data in `directory`, which is made if it is not there.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let place = Place { directory: directory.to_owned() };
        std::fs::create_dir_all(directory).map_err(|source| place.failed("create", source))?;
        let lock = lock(&place)?;
        let connection = place.connect()?;
        prepare(&connection).map_err(|source| place.failed("prepare", source))?;
        place.sync()?;
        let last = last(&connection).map_err(|source| place.failed("read", source))?;
        let snapshot = Snapshots::new(place.clone()).newest()?;
        let end = last.max(snapshot).unwrap_or_default();
        Ok(Self { connection, place, end, held: Epoch(0), broken: false, _lock: lock })
    }
}

fn lock(place: &Place) -> Result<File, Error> {
    let path = place.directory.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|source| place.failed("open", source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { place: place.directory.display().to_string() }),
        Err(TryLockError::Error(source)) => Err(place.failed("lock", source)),
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    // Takes effect only before the first table: fewer and larger pages for an append-only log of kilobytes.
    connection.pragma_update(None, "page_size", 16384)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS log (last INTEGER PRIMARY KEY, records BLOB NOT NULL) STRICT;
         CREATE TABLE IF NOT EXISTS leader (only INTEGER PRIMARY KEY CHECK (only = 1), epoch INTEGER NOT NULL) STRICT;
         INSERT OR IGNORE INTO leader VALUES (1, 0);",
    )
}

fn last(connection: &Connection) -> rusqlite::Result<Option<LogIndex>> {
    let last: Option<u64> = connection
        .query_row("SELECT last FROM log ORDER BY last DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    Ok(last.map(LogIndex))
}

impl Engine for SqliteEngine {
    fn acquire(&mut self) -> Result<Epoch, Error> {
        let epoch: u64 = self
            .connection
            .query_row("UPDATE leader SET epoch = epoch + 1 RETURNING epoch", [], |row| row.get(0))
            .map_err(|source| self.place.failed("become leader in", source))?;
        self.held = Epoch(epoch);
        Ok(self.held)
    }

    fn renew(&mut self) -> Result<(), Error> {
        let found: u64 = self
            .connection
            .query_row("SELECT epoch FROM leader", [], |row| row.get(0))
            .map_err(|source| self.place.failed("read the leader of", source))?;
        if found == self.held.0 {
            Ok(())
        } else {
            Err(Error::Fenced { held: self.held, found: Epoch(found) })
        }
    }

    fn load(&mut self, to: &mut dyn Recovery) -> Result<LogIndex, Error> {
        let mut snapshots = Snapshots::new(self.place.clone());
        let mut after = LogIndex(0);
        if let Some(newest) = snapshots.newest()? {
            to.snapshot(newest, &mut snapshots.read(newest)?)?;
            after = newest;
        }
        let failed = |source| self.place.failed("read", source);
        let mut statement = self
            .connection
            .prepare("SELECT last, records FROM log WHERE last > ? ORDER BY last")
            .map_err(failed)?;
        let mut rows = statement.query([after.0]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let index: u64 = row.get(0).map_err(failed)?;
            let value = row.get_ref(1).map_err(failed)?;
            let row = value.as_blob().map_err(|source| self.place.failed("read", source))?;
            for (index, record) in self.place.records(index, row)? {
                if index > after {
                    to.record(index, record)?;
                    after = index;
                }
            }
        }
        Ok(after)
    }

    fn append(&mut self, after: LogIndex, records: &[Vec<u8>]) -> Result<(), Error> {
        if self.broken {
            return Err(self.place.failed("append to", "an earlier append failed"));
        }
        if after != self.end {
            return Err(Error::Conflict { expected: after, found: self.end });
        }
        self.broken = true;
        let end = insert(&mut self.connection, after, records)
            .map_err(|source| self.place.failed("append to", source))?;
        self.broken = false;
        self.end = end;
        Ok(())
    }

    fn log(&self) -> Arc<dyn Log> {
        Arc::new(SqliteLog::new(self.place.clone()))
    }

    fn upkeep(&self) -> Box<dyn Upkeep> {
        Box::new(SqliteUpkeep::new(self.place.clone()))
    }
}

fn insert(connection: &mut Connection, after: LogIndex, records: &[Vec<u8>]) -> rusqlite::Result<LogIndex> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut rows = Rows::behind(after);
    {
        let mut statement = transaction.prepare_cached("INSERT INTO log VALUES (?, ?)")?;
        for record in records {
            rows.push(record);
            if rows.is_full() {
                statement.execute(rows.row())?;
                rows.close();
            }
        }
        if !rows.is_empty() {
            statement.execute(rows.row())?;
        }
    }
    transaction.commit()?;
    Ok(rows.end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::conformance;

    conformance!({
        let directory = tempfile::tempdir().unwrap();
        move || SqliteEngine::open(directory.path()).unwrap()
    });

    #[test]
    fn two_gateways_cannot_open_one_directory() {
        let directory = tempfile::tempdir().unwrap();
        let first = SqliteEngine::open(directory.path()).unwrap();
        let refused = SqliteEngine::open(directory.path()).unwrap_err();
        assert!(matches!(refused, Error::InUse { .. }), "{refused}");
        drop(first);
        SqliteEngine::open(directory.path()).unwrap();
    }

    #[test]
    fn every_commit_is_synced_and_no_checkpoint_runs_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let engine = SqliteEngine::open(directory.path()).unwrap();
        let pragma = |name: &str| {
            engine
                .connection
                .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
                .unwrap()
        };
        assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
        assert_eq!(pragma("synchronous"), 2.into());
        assert_eq!(pragma("wal_autocheckpoint"), 0.into());
    }
}
