//! The log as history, read on connections of its own.

use isthmus_model::order::LogIndex;
use parking_lot::Mutex;
use rusqlite::Connection;

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
        let records = read(&self.place, connection, after, limit)?;
        let next = records.first().map(|(index, _)| *index);
        match next {
            Some(index) if index > after.next() => Err(Error::Compacted { oldest: index }),
            Some(_) | None => Ok(records),
        }
    }
}

fn read(
    place: &Place,
    connection: &Connection,
    after: LogIndex,
    limit: usize,
) -> Result<Vec<(LogIndex, Vec<u8>)>, Error> {
    let failed = |source| place.failed("read", source);
    let mut statement = connection
        .prepare_cached("SELECT last, records FROM log WHERE last > ? ORDER BY last")
        .map_err(failed)?;
    let mut rows = statement.query([after.0]).map_err(failed)?;
    let mut records = Vec::new();
    while records.len() < limit
        && let Some(row) = rows.next().map_err(failed)?
    {
        let last: u64 = row.get(0).map_err(failed)?;
        let row = row.get_ref(1).map_err(failed)?;
        let row = row.as_blob().map_err(|source| place.failed("read", source))?;
        let behind = place.records(last, row)?.into_iter().filter(|(index, _)| *index > after);
        records.extend(behind.take(limit - records.len()).map(|(index, record)| (index, record.to_vec())));
    }
    Ok(records)
}

/// The oldest record that is kept.
pub(super) fn oldest(place: &Place, connection: &Connection) -> Result<Option<LogIndex>, Error> {
    Ok(read(place, connection, LogIndex(0), 1)?.first().map(|(index, _)| *index))
}
