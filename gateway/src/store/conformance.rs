//! What every engine must do: one suite, run against each of them.

use std::io::Read;

use isthmus_model::order::{Epoch, LogIndex};

use super::engine::{Engine, Error, Recovery, Retention};

/// Makes a test of each case. `$fresh` gives a closure that opens the same new data again and again; the engine before must
/// be gone.
macro_rules! conformance {
    ($fresh:expr) => {
        conformance! { $fresh;
            every_leader_has_a_higher_epoch,
            what_was_appended_is_loaded_in_order,
            an_append_elsewhere_than_at_the_end_is_refused,
            the_log_is_read_in_pages_without_gaps,
            a_snapshot_is_loaded_before_what_follows_it,
            a_snapshot_that_could_not_be_written_changes_nothing,
            what_is_compacted_is_named_by_the_oldest_that_is_kept,
            nothing_is_compacted_that_no_snapshot_has,
            appends_go_on_behind_a_snapshot_and_a_compaction,
        }
    };
    ($fresh:expr; $($case:ident,)+) => {
        $(
            #[test]
            fn $case() {
                $crate::store::conformance::$case($fresh);
            }
        )+
    };
}
pub(crate) use conformance;

#[derive(Debug, Default, PartialEq, Eq)]
struct Loaded {
    snapshot: Option<(LogIndex, Vec<u8>)>,
    records: Vec<(LogIndex, Vec<u8>)>,
    end: LogIndex,
}

impl Recovery for Loaded {
    fn snapshot(&mut self, at: LogIndex, bytes: &mut dyn Read) -> Result<(), Error> {
        assert_eq!(self.records, [], "the snapshot comes first");
        let mut all = Vec::new();
        bytes.read_to_end(&mut all).unwrap();
        self.snapshot = Some((at, all));
        Ok(())
    }

    fn record(&mut self, index: LogIndex, bytes: &[u8]) -> Result<(), Error> {
        self.records.push((index, bytes.to_vec()));
        Ok(())
    }
}

fn load(engine: &mut impl Engine) -> Loaded {
    let mut loaded = Loaded::default();
    loaded.end = engine.load(&mut loaded).unwrap();
    loaded
}

fn record(index: u64) -> Vec<u8> {
    format!("record {index} ").into_bytes().repeat(usize::try_from(index % 5).unwrap() * 100 + 1)
}

fn fill(engine: &mut impl Engine, from: u64, to: u64) {
    let records: Vec<Vec<u8>> = (from..=to).map(record).collect();
    engine.append(LogIndex(from - 1), &records).unwrap();
}

fn records(from: u64, to: u64) -> Vec<(LogIndex, Vec<u8>)> {
    (from..=to).map(|index| (LogIndex(index), record(index))).collect()
}

fn snapshot(engine: &impl Engine, at: u64) {
    let bytes = vec![u8::try_from(at).unwrap(); 100_000];
    engine.upkeep().snapshot(LogIndex(at), &mut |to| to.write_all(&bytes)).unwrap();
}

fn ready<E: Engine>(open: &impl Fn() -> E) -> E {
    let mut engine = open();
    engine.acquire().unwrap();
    load(&mut engine);
    engine
}

pub(crate) fn every_leader_has_a_higher_epoch<E: Engine>(open: impl Fn() -> E) {
    let mut last = Epoch(0);
    for _ in 0..3 {
        let mut engine = open();
        for _ in 0..2 {
            let epoch = engine.acquire().unwrap();
            assert!(epoch > last);
            last = epoch;
            engine.renew().unwrap();
        }
    }
}

pub(crate) fn what_was_appended_is_loaded_in_order<E: Engine>(open: impl Fn() -> E) {
    let mut engine = ready(&open);
    fill(&mut engine, 1, 3);
    fill(&mut engine, 4, 4);
    engine.append(LogIndex(4), &[]).unwrap();
    fill(&mut engine, 5, 40);
    drop(engine);
    let loaded = load(&mut open());
    assert_eq!(loaded, Loaded { snapshot: None, records: records(1, 40), end: LogIndex(40) });
}

pub(crate) fn an_append_elsewhere_than_at_the_end_is_refused<E: Engine>(open: impl Fn() -> E) {
    let mut engine = ready(&open);
    fill(&mut engine, 1, 3);
    for wrong in [0, 2, 4] {
        let refused = engine.append(LogIndex(wrong), &[record(9)]).unwrap_err();
        assert!(matches!(refused, Error::Conflict { found: LogIndex(3), .. }), "{refused}");
    }
    fill(&mut engine, 4, 5);
    assert_eq!(load(&mut engine).records, records(1, 5));
}

pub(crate) fn the_log_is_read_in_pages_without_gaps<E: Engine>(open: impl Fn() -> E) {
    let mut engine = ready(&open);
    fill(&mut engine, 1, 25);
    let log = engine.log();
    let mut read = Vec::new();
    let mut after = LogIndex(0);
    loop {
        let page = log.read(after, 7).unwrap();
        assert!(page.len() <= 7);
        let Some((last, _)) = page.last() else { break };
        after = *last;
        read.extend(page);
    }
    assert_eq!(read, records(1, 25));
    fill(&mut engine, 26, 26);
    assert_eq!(log.read(after, 7).unwrap(), records(26, 26));
}

pub(crate) fn a_snapshot_is_loaded_before_what_follows_it<E: Engine>(open: impl Fn() -> E) {
    let mut engine = ready(&open);
    fill(&mut engine, 1, 10);
    snapshot(&engine, 4);
    snapshot(&engine, 7);
    drop(engine);
    let loaded = load(&mut open());
    let newest = Some((LogIndex(7), vec![7; 100_000]));
    assert_eq!(loaded, Loaded { snapshot: newest, records: records(8, 10), end: LogIndex(10) });
}

pub(crate) fn a_snapshot_that_could_not_be_written_changes_nothing<E: Engine>(open: impl Fn() -> E) {
    let mut engine = ready(&open);
    fill(&mut engine, 1, 10);
    snapshot(&engine, 4);
    let failing = engine.upkeep().snapshot(LogIndex(9), &mut |to| {
        to.write_all(b"half")?;
        Err(std::io::Error::other("no"))
    });
    failing.unwrap_err();
    drop(engine);
    let loaded = load(&mut open());
    assert_eq!((loaded.snapshot.unwrap().0, loaded.records), (LogIndex(4), records(5, 10)));
}

pub(crate) fn what_is_compacted_is_named_by_the_oldest_that_is_kept<E: Engine>(open: impl Fn() -> E) {
    let mut engine = ready(&open);
    for from in (1..3000).step_by(10) {
        fill(&mut engine, from, from + 9);
    }
    snapshot(&engine, 205);
    let log = engine.log();
    let mut upkeep = engine.upkeep();
    let mut kept_from = |retention, wanted: u64| {
        let oldest = upkeep.compact(retention).unwrap();
        assert!(oldest.0 <= wanted && wanted < oldest.0 + 10, "{wanted} and what came with it, not {oldest}");
        let refused = log.read(LogIndex(oldest.0 - 2), 10).unwrap_err();
        assert!(matches!(refused, Error::Compacted { oldest: named } if named == oldest), "{refused}");
        assert_eq!(log.read(LogIndex(oldest.0 - 1), 2).unwrap(), records(oldest.0, oldest.0 + 1));
    };
    kept_from(Retention { bytes: u64::MAX, from: LogIndex(155) }, 155);
    // A small allowance is used up, and the snapshot still bounds it.
    kept_from(Retention { bytes: 0, from: LogIndex(0) }, 205);
}

pub(crate) fn nothing_is_compacted_that_no_snapshot_has<E: Engine>(open: impl Fn() -> E) {
    let mut engine = ready(&open);
    fill(&mut engine, 1, 10);
    engine.upkeep().compact(Retention { bytes: 0, from: LogIndex(9) }).unwrap();
    assert_eq!(load(&mut engine).records, records(1, 10));
}

pub(crate) fn appends_go_on_behind_a_snapshot_and_a_compaction<E: Engine>(open: impl Fn() -> E) {
    let mut engine = ready(&open);
    fill(&mut engine, 1, 10);
    snapshot(&engine, 10);
    let mut upkeep = engine.upkeep();
    upkeep.compact(Retention { bytes: 0, from: LogIndex(10) }).unwrap();
    upkeep.tidy().unwrap();
    fill(&mut engine, 11, 12);
    drop(engine);
    let mut engine = ready(&open);
    fill(&mut engine, 13, 14);
    let loaded = load(&mut engine);
    assert_eq!(
        (loaded.snapshot.unwrap().0, loaded.records, loaded.end),
        (LogIndex(10), records(11, 14), LogIndex(14))
    );
}
