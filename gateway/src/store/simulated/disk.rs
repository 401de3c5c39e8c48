//! The medium: bytes that are durable, bytes that are not yet, and what a crash makes of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use isthmus_model::order::LogIndex;
use parking_lot::Condvar;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use super::Fault;
use crate::store::engine::Retention;

#[derive(Debug)]
pub(super) struct Medium {
    pub(super) epoch: u64,
    pub(super) snapshot: Option<(LogIndex, Vec<u8>)>,
    /// What was read of the durable bytes, and appended since. Kept apart from the bytes so that a crash has to go the long
    /// way round.
    pub(super) records: BTreeMap<LogIndex, Vec<u8>>,
    /// Batches: LogIndex before it, length of its body, SHA-256 over both and the body, then the body.
    durable: Vec<u8>,
    cache: Vec<u8>,
    fault: Option<(u64, Fault)>,
    pub(super) syncs: u64,
    pub(super) lies: bool,
    pub(super) held: bool,
    pub(super) released: Arc<Condvar>,
    pub(super) syncs_waiting: u32,
    pub(super) waiting: Arc<Condvar>,
    chance: StdRng,
}

type Records = Vec<(LogIndex, Vec<u8>)>;

/// Bytes before the body of a batch.
const HEAD: usize = 8 + 8 + 32;

impl Medium {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            epoch: 0,
            snapshot: None,
            records: BTreeMap::new(),
            durable: Vec::new(),
            cache: Vec::new(),
            fault: None,
            syncs: 0,
            lies: false,
            held: false,
            released: Arc::default(),
            syncs_waiting: 0,
            waiting: Arc::default(),
            chance: StdRng::seed_from_u64(seed),
        }
    }

    pub(super) fn fail_after(&mut self, appends: u64, fault: Fault) {
        self.fault = Some((appends, fault));
    }

    pub(super) fn write(&mut self, after: LogIndex, records: &[Vec<u8>]) {
        let mut body = Vec::new();
        for record in records {
            body.extend((record.len() as u64).to_le_bytes());
            body.extend(record);
        }
        self.cache.extend(after.0.to_le_bytes());
        self.cache.extend((body.len() as u64).to_le_bytes());
        self.cache.extend(checksum(after.0, &body));
        self.cache.extend(body);
    }

    /// Makes what was written durable; returns where the log ends now.
    pub(super) fn sync(&mut self) -> Result<LogIndex, &'static str> {
        self.syncs += 1;
        let fault = match &mut self.fault {
            Some((0, fault)) => Some(*fault),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        if fault.is_some() {
            self.fault = None;
        }
        if fault == Some(Fault::BeforeSync) {
            return Err("the disk failed before the sync");
        }
        let (batches, _) = parse(&self.cache);
        self.records.extend(batches);
        if !self.lies {
            self.durable.append(&mut self.cache);
        }
        if fault == Some(Fault::AfterSync) {
            return Err("the disk failed after the sync");
        }
        Ok(self.records.last_key_value().map(|(index, _)| *index).unwrap_or_default())
    }

    pub(super) fn crash(&mut self) {
        let kept = self.chance.random_range(0..=self.cache.len());
        let mut kept = self.cache.get(..kept).unwrap_or_default().to_vec();
        if self.chance.random_bool(0.5)
            && let Some(last) = kept.last_mut()
        {
            *last = !*last;
        }
        self.durable.extend(kept);
        self.cache.clear();
        self.records.clear();
        self.fault = None;
        self.held = false;
        self.released.notify_all();
    }

    /// Reads the bytes again and drops a torn end.
    pub(super) fn recover(&mut self) -> Result<LogIndex, String> {
        self.durable.append(&mut self.cache);
        let (records, good) = parse(&self.durable);
        self.durable.truncate(good);
        let mut end = records.first().map_or(LogIndex(0), |(first, _)| LogIndex(first.0 - 1));
        for (index, _) in &records {
            if *index != end.next() {
                return Err(format!("commit {end} is followed by {index}"));
            }
            end = *index;
        }
        self.records = records.into_iter().collect();
        Ok(end)
    }

    pub(super) fn compact(&mut self, retention: Retention) -> LogIndex {
        let snapshot = self.snapshot.as_ref().map(|(at, _)| *at).unwrap_or_default();
        let mut bytes = 0;
        let by_size = self.records.iter().rev().find_map(|(index, record)| {
            bytes += record.len() as u64;
            (bytes > retention.bytes).then(|| index.next())
        });
        let newest = self.records.last_key_value().map(|(index, _)| *index).unwrap_or_default();
        let floor = retention.from.max(by_size.unwrap_or_default()).min(snapshot).min(newest);
        self.records = self.records.split_off(&floor);
        self.rewrite();
        self.records.first_key_value().map(|(index, _)| *index).unwrap_or_default()
    }

    /// The records that are left, as one batch.
    fn rewrite(&mut self) {
        let Some(first) = self.records.first_key_value().map(|(index, _)| *index) else { return };
        let records: Vec<Vec<u8>> = self.records.values().cloned().collect();
        self.durable.clear();
        self.cache.clear();
        self.write(LogIndex(first.0 - 1), &records);
        self.durable.append(&mut self.cache);
    }
}

fn checksum(after: u64, body: &[u8]) -> [u8; 32] {
    let length = body.len() as u64;
    Sha256::new()
        .chain_update(after.to_le_bytes())
        .chain_update(length.to_le_bytes())
        .chain_update(body)
        .finalize()
        .into()
}

/// Whole batches from the start, and how many bytes they are.
fn parse(bytes: &[u8]) -> (Records, usize) {
    let mut records = Vec::new();
    let mut good = 0;
    while let Some((batch, length)) = bytes.get(good..).and_then(parse_batch) {
        records.extend(batch);
        good += length;
    }
    (records, good)
}

fn parse_batch(bytes: &[u8]) -> Option<(Records, usize)> {
    let after = number(bytes)?;
    let length = usize::try_from(number(bytes.get(8..)?)?).ok()?;
    let found = bytes.get(16..HEAD)?;
    let mut body = bytes.get(HEAD..HEAD.checked_add(length)?)?;
    if checksum(after, body) != found {
        return None;
    }
    let mut index = LogIndex(after);
    let mut records = Vec::new();
    while !body.is_empty() {
        let length = usize::try_from(number(body)?).ok()?;
        index = index.next();
        records.push((index, body.get(8..8 + length)?.to_vec()));
        body = body.get(8 + length..)?;
    }
    Some((records, HEAD + length))
}

fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?))
}
