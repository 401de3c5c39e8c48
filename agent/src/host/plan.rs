//! What to do so that what runs becomes what is wanted; pure.
//!
//! ```text
//!             start                    started
//!   (none) ─────────▶ Starting ──────────────────────▶ Up
//!      ▲    forget       │ failed, or called off        │ ended by itself
//!      └────────── Down ◀┴──────────────┬───────────────┘
//!                        ◀── Stopping ◀─┘ stop
//! ```
//!
//! Each instance is a value; what happens to it is told by methods, what shall be done with it by [`plan`]. Stops come before
//! starts, so that a place, a port or an exclusive subscription is free before it is taken. An instance that another
//! generation wants in the same way is not touched: only its record notes the new generation. Nor is one touched that the
//! same generation started, even where this agent would start it otherwise: an upgrade restarts nothing.

use std::time::Duration;

use isthmus_daemon::backoff::{Backoff, Policy};
use isthmus_model::name::Digest;
use isthmus_model::order::{Generation, Revision};
use isthmus_model::reason::Reason;

use super::record::Record;
use crate::by_index::ByIndex;

/// What is wanted of one component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nobody said so far: what runs is left alone.
    #[default]
    Unknown,
    /// So many instances of this command.
    Run {
        /// The generation that wants it.
        generation: Generation,
        /// The revision of its spec.
        revision: Revision,
        /// Instances.
        replicas: u32,
        /// The command's identity.
        command: Digest,
    },
    /// It cannot be started here, or not now. What runs is left alone until it is clear what shall take its place.
    Refused {
        /// The generation that wants it.
        generation: Generation,
        /// Instances that are wanted all the same.
        replicas: u32,
        /// Why not.
        reason: Reason,
        /// Why not, as a sentence.
        message: String,
    },
    /// None.
    Stop {
        /// The generation that wants it.
        generation: Generation,
    },
}

impl Wanted {
    /// The generation that wants it; zero when nobody said.
    pub(crate) fn generation(&self) -> Generation {
        match self {
            Self::Unknown => Generation(0),
            Self::Run { generation, .. } | Self::Refused { generation, .. } | Self::Stop { generation } => {
                *generation
            }
        }
    }

    /// Takes what is wanted now, unless it is older than what was wanted before. Returns whether it was taken.
    pub(crate) fn replace(&mut self, newer: Self) -> bool {
        let taken = newer.generation() >= self.generation();
        if taken {
            *self = newer;
        }
        taken
    }
}

/// Where an instance stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It does not run.
    Down {
        /// Not before this time since boot shall it be started again.
        start_at: Duration,
        /// What was started last, if anything was.
        last: Option<Record>,
        /// Why it does not run; `None` when it was stopped, or never started.
        failure: Option<Reason>,
    },
    /// It is being started.
    Starting {
        /// What is started.
        record: Record,
        /// It is not wanted any more; it will be stopped once it is clear whether it runs.
        called_off: bool,
    },
    /// It runs.
    Up {
        /// What was started.
        record: Record,
        /// Since when, as time since boot.
        since: Duration,
    },
    /// It was told to end.
    Stopping {
        /// What was started.
        record: Record,
    },
}

/// One instance.
#[derive(Debug)]
pub(crate) struct Instance {
    /// Where it stands.
    pub(crate) stage: Stage,
    delays: Backoff,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Tell it to end; or call off its start.
    Stop(u32),
    /// Remove what is left of it.
    Forget(u32),
    /// Write the wanted generation and revision into its record; it runs on.
    Note(u32),
    /// Start it; the number is what its record says of restarts.
    Start(u32, u64),
}

impl Instance {
    /// One that was never started. `seed` tells instances apart, so that they do not all come back at the same moment.
    pub(crate) fn new(retry: Policy, seed: u64) -> Self {
        let stage = Stage::Down { start_at: Duration::ZERO, last: None, failure: None };
        Self { stage, delays: retry.start(seed) }
    }

    /// What was started last, if anything was.
    pub(crate) fn record(&self) -> Option<&Record> {
        match &self.stage {
            Stage::Down { last, .. } => last.as_ref(),
            Stage::Starting { record, .. } | Stage::Up { record, .. } | Stage::Stopping { record } => {
                Some(record)
            }
        }
    }

    /// It was found running, or its start has succeeded.
    pub(crate) fn started(&mut self, record: Record, now: Duration) {
        let stop = matches!(self.stage, Stage::Stopping { .. });
        self.stage = if stop { Stage::Stopping { record } } else { Stage::Up { record, since: now } };
    }

    /// Its start has failed, or was called off. Returns after what delay it may be tried again.
    pub(crate) fn start_failed(&mut self, now: Duration, reason: Reason) -> Duration {
        let Stage::Starting { record, called_off } = &self.stage else { return Duration::ZERO };
        let (called_off, last) = (*called_off, Some(record.clone()));
        let delay = if called_off { Duration::ZERO } else { self.delays.next_delay() };
        self.stage = Stage::Down { start_at: now + delay, last, failure: (!called_off).then_some(reason) };
        delay
    }

    /// It is certain that nothing of it runs any more. Returns after what delay it may be started again.
    pub(crate) fn ended(&mut self, now: Duration, stable_after: Duration) -> Duration {
        let (delay, last, failure) = match &self.stage {
            Stage::Up { record, since } => {
                if now.saturating_sub(*since) >= stable_after {
                    self.delays.reset();
                }
                (self.delays.next_delay(), record.clone(), Some(Reason::BackOff))
            }
            Stage::Stopping { record } | Stage::Starting { record, .. } => {
                (Duration::ZERO, record.clone(), None)
            }
            Stage::Down { .. } => return Duration::ZERO,
        };
        self.stage = Stage::Down { start_at: now + delay, last: Some(last), failure };
        delay
    }

    /// It is being started.
    pub(crate) fn start(&mut self, record: Record) {
        if matches!(self.stage, Stage::Down { .. }) {
            self.stage = Stage::Starting { record, called_off: false };
        }
    }

    /// It is told to end, or its start is called off.
    pub(crate) fn stop(&mut self) {
        match &mut self.stage {
            Stage::Starting { called_off, .. } => *called_off = true,
            Stage::Up { record, .. } => self.stage = Stage::Stopping { record: record.clone() },
            Stage::Down { .. } | Stage::Stopping { .. } => {}
        }
    }

    /// It runs on for another generation. Returns the record to write.
    pub(crate) fn note(&mut self, generation: Generation, revision: Revision) -> Option<&Record> {
        let Stage::Up { record, .. } = &mut self.stage else { return None };
        (record.generation, record.revision) = (generation, revision);
        Some(record)
    }
}

/// What to do now, stops first. Planning again after the actions were applied plans nothing.
pub(crate) fn plan(now: Duration, wanted: &Wanted, instances: &ByIndex<Instance>) -> Vec<Action> {
    let (replicas, command) = match wanted {
        Wanted::Unknown | Wanted::Refused { .. } => return Vec::new(),
        Wanted::Run { replicas, command, .. } => (*replicas, Some(*command)),
        Wanted::Stop { .. } => (0, None),
    };
    let generation = wanted.generation();
    let (mut stops, mut others, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    for (index, instance) in instances.iter() {
        // What a newer generation started is not for an older one to touch.
        if instance.record().is_some_and(|record| record.generation > generation) {
            continue;
        }
        let keep = index < replicas;
        match &instance.stage {
            Stage::Down { start_at, last, .. } => match command {
                Some(command) if keep => {
                    if *start_at <= now {
                        starts.push(Action::Start(index, restarts(last.as_ref(), command)));
                    }
                }
                _ => others.push(Action::Forget(index)),
            },
            Stage::Starting { called_off: true, .. } | Stage::Stopping { .. } => {}
            Stage::Starting { record, .. } | Stage::Up { record, .. } => {
                if !keep || (record.generation < generation && Some(record.command) != command) {
                    stops.push(Action::Stop(index));
                } else if record.generation < generation && matches!(instance.stage, Stage::Up { .. }) {
                    // While it is being started its record is being written; the note follows once it is up.
                    others.push(Action::Note(index));
                }
            }
        }
    }
    if command.is_some() {
        starts.extend(
            (0..replicas)
                .filter(|index| instances.get(*index).is_none())
                .map(|index| Action::Start(index, 0)),
        );
    }
    stops.append(&mut others);
    stops.append(&mut starts);
    stops
}

/// When to plan again although nothing happened: the earliest end of a delay.
pub(crate) fn next_start(wanted: &Wanted, instances: &ByIndex<Instance>) -> Option<Duration> {
    let Wanted::Run { replicas, .. } = wanted else { return None };
    let kept = instances.iter().take_while(|(index, _)| index < replicas);
    let waiting = kept.filter_map(|(_, instance)| match &instance.stage {
        Stage::Down { start_at, .. } => Some(*start_at),
        _ => None,
    });
    waiting.min()
}

/// Starts after the first of the same command; another command counts anew.
fn restarts(last: Option<&Record>, command: Digest) -> u64 {
    last.filter(|last| last.command == command).map_or(0, |last| last.restarts.saturating_add(1))
}

#[cfg(test)]
mod tests;
