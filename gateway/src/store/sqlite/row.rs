//! A row of the log: the records of one append, or a part of them, with the LogIndex of the last as its key.
//!
//! A row costs the database about as much as copying its bytes twice, so the records of many callers share one. That the key
//! is the last of them makes "behind this LogIndex" and "before this one" plain comparisons of keys.

use isthmus_model::order::LogIndex;

/// Bytes after which a row is closed: one record of it can be read without reading much more.
const FULL: usize = 128 * 1024;

/// Rows in the making.
#[derive(Debug)]
pub(super) struct Rows {
    end: LogIndex,
    bytes: Vec<u8>,
}

impl Rows {
    /// The first record comes behind `after`.
    pub(super) fn behind(after: LogIndex) -> Self {
        Self { end: after, bytes: Vec::new() }
    }

    /// Adds a record.
    pub(super) fn push(&mut self, record: &[u8]) {
        // A vector has room for everything.
        let _ = prost::encode_length_delimiter(record.len(), &mut self.bytes);
        self.bytes.extend_from_slice(record);
        self.end = self.end.next();
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Key and bytes of the row.
    pub(super) fn row(&self) -> (u64, &[u8]) {
        (self.end.0, &self.bytes)
    }

    /// Begins the next.
    pub(super) fn close(&mut self) {
        self.bytes.clear();
    }

    /// The last record that was added.
    pub(super) fn end(&self) -> LogIndex {
        self.end
    }
}

/// The records of a row in order; `None` when it is not what a row is.
pub(super) fn records(last: LogIndex, mut row: &[u8]) -> Option<Vec<(LogIndex, &[u8])>> {
    let mut records = Vec::new();
    while !row.is_empty() {
        let length = prost::decode_length_delimiter(&mut row).ok()?;
        let (record, rest) = row.split_at_checked(length)?;
        records.push((LogIndex(0), record));
        row = rest;
    }
    let count = u64::try_from(records.len()).ok()?;
    let first = last.0.checked_sub(count)?.checked_add(1)?;
    for ((index, _), number) in records.iter_mut().zip(first..) {
        *index = LogIndex(number);
    }
    Some(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_records_of_a_row_have_the_indices_up_to_its_key() {
        let mut rows = Rows::behind(LogIndex(6));
        let long = vec![7; 300];
        for record in [&b"a"[..], b"", &long] {
            rows.push(record);
        }
        let (key, bytes) = rows.row();
        assert_eq!(key, 9);
        let expected = [(LogIndex(7), &b"a"[..]), (LogIndex(8), b""), (LogIndex(9), &long)];
        assert_eq!(records(LogIndex(key), bytes).unwrap(), expected);
    }

    #[test]
    fn what_is_no_row_is_not_read_as_one() {
        assert_eq!(records(LogIndex(9), &[5, 1, 2]), None, "shorter than it says");
        assert_eq!(records(LogIndex(9), &[0xff; 12]), None, "no length");
        assert_eq!(records(LogIndex(1), &[1, 1, 1, 1, 1, 1]), None, "more records than there were commits");
    }
}
