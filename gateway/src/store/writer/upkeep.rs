//! Snapshots and compaction, off the writer's path. What fails here is logged and tried again: the log is whole without it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use isthmus_daemon::chain::Chain;
use isthmus_daemon::clock::Clock;
use isthmus_model::order::{LogIndex, UnixMillis};

use super::{Config, Failure, now, spawn};
use crate::store::engine::{Engine, Error, Retention, Upkeep};
use crate::store::shared::Shared;
use crate::store::snapshot::Image;

/// Bytes of log after which what appends left behind is tidied up: seldom, because it syncs the same disk that appends wait
/// for.
const TIDY_BYTES: u64 = 64 << 20;

/// How finely the age of the log is known.
const SAMPLE_MILLIS: u64 = 60_000;

/// Bytes of log, and time, after which it is looked again what is to be done: to wake a thread costs a system call.
const LOOK_BYTES: u64 = 1 << 20;
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// The appender's end: says that something was appended, and never waits.
#[derive(Debug)]
pub(super) struct Nudge {
    appended: Arc<AtomicU64>,
    looks: SyncSender<()>,
    /// What had been appended, and when, at the last nudge.
    last: (u64, Duration),
}

impl Nudge {
    /// `now` is by the clock that counts suspended time.
    pub(super) fn appended(&mut self, bytes: usize, now: Duration) {
        let appended = self.appended.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        let (before, at) = self.last;
        if appended - before >= LOOK_BYTES || now.saturating_sub(at) >= LOOK_AFTER {
            self.last = (appended, now);
            // If one is waiting already, that one will do.
            let _ = self.looks.try_send(());
        }
    }
}

struct Keeper {
    upkeep: Box<dyn Upkeep>,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    config: Config,
    appended: Arc<AtomicU64>,
    tidied_at: u64,
    snapshot_at: u64,
    snapshot_size: u64,
    /// How far the log was at which time.
    ages: VecDeque<(UnixMillis, LogIndex)>,
}

pub(super) fn start<E: Engine>(
    engine: &E,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    config: Config,
) -> Result<Nudge, Failure> {
    let appended = Arc::new(AtomicU64::new(0));
    let (looks, asked): (SyncSender<()>, Receiver<()>) = sync_channel(1);
    let mut keeper = Keeper {
        upkeep: engine.upkeep(),
        shared,
        clock,
        config,
        appended: appended.clone(),
        tidied_at: 0,
        snapshot_at: 0,
        snapshot_size: 0,
        ages: VecDeque::new(),
    };
    spawn("store-upkeep", move || {
        while asked.recv().is_ok() {
            if let Err(error) = keeper.look() {
                tracing::error!(error = %Chain(&error), "cannot keep the store tidy; it grows until this succeeds");
            }
        }
    })?;
    Ok(Nudge { appended, looks, last: (0, Duration::ZERO) })
}

impl Keeper {
    fn look(&mut self) -> Result<(), Error> {
        let appended = self.appended.load(Ordering::Relaxed);
        let time = now(self.clock.as_ref());
        let durable = self.shared.progress.borrow().durable;
        if self.ages.back().is_none_or(|(last, _)| time.0.saturating_sub(last.0) >= SAMPLE_MILLIS) {
            self.ages.push_back((time, durable));
        }
        if appended - self.tidied_at >= TIDY_BYTES {
            self.tidied_at = appended;
            self.upkeep.tidy()?;
        }
        // A state that has grown large is not written again for less log than it is itself: so a snapshot costs the disk no more
        // than the log does, and a restart reads at most twice the state.
        if appended - self.snapshot_at >= self.config.snapshot.as_u64().max(self.snapshot_size) {
            self.snapshot_at = appended;
            self.snapshot()?;
            self.compact(time)?;
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<(), Error> {
        let image = Image::capture(&self.shared.state.read());
        let mut progress = self.shared.progress.subscribe();
        let reached = futures::executor::block_on(
            progress.wait_for(|progress| progress.durable >= image.applied() || progress.failed),
        );
        if !reached.is_ok_and(|progress| progress.durable >= image.applied()) {
            return Ok(());
        }
        let mut size = 0;
        self.upkeep.snapshot(image.applied(), &mut |to| {
            size = image.write(to)?;
            Ok(())
        })?;
        self.snapshot_size = size;
        Ok(())
    }

    fn compact(&mut self, time: UnixMillis) -> Result<(), Error> {
        let oldest =
            time.0.saturating_sub(u64::try_from(self.config.history.as_millis()).unwrap_or(u64::MAX));
        let mut from = LogIndex(0);
        while let Some((_, index)) = self.ages.front().filter(|(age, _)| age.0 < oldest).copied() {
            from = index;
            self.ages.pop_front();
        }
        self.upkeep.compact(Retention { bytes: self.config.history_size.as_u64(), from })?;
        Ok(())
    }
}
