//! The log as history, read on connections of its own.

use isthmus_model::order::LogIndex;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension};

use super::{Error, Log, Place};

/// One connection, made when it is first needed: watches that are far behind are rare and take turns.
#[derive(Debug)]
pub(super) struct SqliteLog {
    place: Place,
    connection: Mutex<Option<Connection>>,
}

impl SqliteLog {
    pub(super) fn new(place: Place) -> Self {
        Self { place, connection: Mutex::new(None) }
    }
}

impl Log for SqliteLog {
    fn read(&self, after: LogIndex, limit: usize) -> Result<Vec<(LogIndex, Vec<u8>)>, Error> {
        let mut connection = self.connection.lock();
        let connection = match &mut *connection {
            Some(connection) => connection,
            none @ None => none.insert(self.place.connect()?),
        };
        let failed = |source| self.place.failed("read", source);
        let records = read(connection, after, limit).map_err(failed)?;
        let next = records.first().map(|(index, _)| *index);
        match next {
            Some(index) if index > after.next() => Err(Error::Compacted { oldest: index }),
            Some(_) | None => Ok(records),
        }
    }
}

fn read(
    connection: &Connection,
    after: LogIndex,
    limit: usize,
) -> rusqlite::Result<Vec<(LogIndex, Vec<u8>)>> {
    let mut statement =
        connection.prepare_cached("SELECT idx, record FROM log WHERE idx > ? ORDER BY idx LIMIT ?")?;
    let rows = statement.query_map((after.0, u64::try_from(limit).unwrap_or(u64::MAX)), |row| {
        Ok((LogIndex(row.get(0)?), row.get(1)?))
    })?;
    rows.collect()
}

/// The oldest record that is kept.
pub(super) fn oldest(connection: &Connection) -> rusqlite::Result<Option<LogIndex>> {
    let oldest: Option<u64> =
        connection.query_row("SELECT idx FROM log ORDER BY idx LIMIT 1", [], |row| row.get(0)).optional()?;
    Ok(oldest.map(LogIndex))
}
