//! Checkpoints, snapshots and compaction, on a connection of their own.

use std::io;

use isthmus_model::order::LogIndex;
use rusqlite::Connection;

use super::snapshots::Snapshots;
use super::{Error, Place, last, log};
use crate::store::engine::{Retention, Upkeep};

/// Records that are deleted in one transaction: an append waits for it.
const PORTION: u64 = 1024;

/// Pages of the write-ahead log after which it is begun again even if that makes an append wait: 256 MiB.
const LONGEST_WAL: u64 = 16 * 1024;

#[derive(Debug)]
pub(super) struct SqliteUpkeep {
    place: Place,
    connection: Option<Connection>,
}

impl SqliteUpkeep {
    pub(super) fn new(place: Place) -> Self {
        Self { place, connection: None }
    }

    fn connection(&mut self) -> Result<&Connection, Error> {
        if self.connection.is_none() {
            let connection = self.place.connect()?;
            // What it writes need not be durable by itself: it is written again after a crash.
            connection
                .pragma_update(None, "synchronous", "normal")
                .and_then(|()| connection.pragma_update(None, "wal_autocheckpoint", 0))
                .map_err(|source| self.place.failed("prepare", source))?;
            self.connection = Some(connection);
        }
        self.connection.as_ref().ok_or_else(|| self.place.failed("open", "no connection"))
    }

    fn compacted(&mut self, retention: Retention) -> Result<LogIndex, Error> {
        let snapshot = Snapshots::new(self.place.clone()).newest()?.unwrap_or_default();
        let place = self.place.clone();
        let connection = self.connection()?;
        let failed = |source| place.failed("compact", source);
        let newest = last(connection).map_err(failed)?;
        let (Some(oldest), Some(newest)) = (log::oldest(&place, connection)?, newest) else {
            return Ok(snapshot.next());
        };
        let allowed = records_in(connection, retention.bytes, oldest, newest).map_err(failed)?;
        let by_size = newest.0.saturating_sub(allowed);
        // What is too old or too much goes, but neither what a restart needs nor the last record.
        let floor = retention.from.0.max(by_size).min(snapshot.0).min(newest.0);
        let mut from = oldest.0;
        while from < floor {
            from = floor.min(from + PORTION);
            // A row goes when all of it may.
            connection.execute("DELETE FROM log WHERE last < ?", [from]).map_err(failed)?;
        }
        Ok(log::oldest(&place, connection)?.unwrap_or_else(|| snapshot.next()))
    }
}

/// About how many records fill `bytes`, from how many fill the file.
fn records_in(
    connection: &Connection,
    bytes: u64,
    oldest: LogIndex,
    newest: LogIndex,
) -> rusqlite::Result<u64> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    let used = pragma("page_count")?.saturating_sub(pragma("freelist_count")?) * pragma("page_size")?;
    let count = newest.0.saturating_sub(oldest.0) + 1;
    let each = (used / count).max(1);
    Ok(bytes / each)
}

impl Upkeep for SqliteUpkeep {
    fn snapshot(
        &mut self,
        at: LogIndex,
        write: &mut dyn FnMut(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        Snapshots::new(self.place.clone()).write(at, write)
    }

    fn compact(&mut self, retention: Retention) -> Result<LogIndex, Error> {
        self.compacted(retention)
    }

    fn tidy(&mut self) -> Result<(), Error> {
        let place = self.place.clone();
        let connection = self.connection()?;
        let checkpoint = |mode: &str| {
            let frames = |row: &rusqlite::Row<'_>| row.get::<_, i64>(1);
            connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], frames)
        };
        let tidy = || -> rusqlite::Result<()> {
            let frames = checkpoint("PASSIVE")?;
            // Under steady load appends never let the log begin again by themselves. Nearly all of it is in the file by now,
            // so this is short.
            if u64::try_from(frames).unwrap_or(0) > LONGEST_WAL {
                checkpoint("RESTART")?;
            }
            Ok(())
        };
        tidy().map_err(|source| place.failed("checkpoint", source))
    }
}
