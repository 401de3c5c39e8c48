//! From what is known of a component's instances to what the gateway is told; pure.

use isthmus_model::name::Uid;
use isthmus_model::observation::{Messages, Observation, Phase};
use isthmus_model::order::{Generation, UnixMillis};
use isthmus_model::reason::Reason;

use super::control::Status;
use super::plan::{Instance, Stage, Wanted};
use crate::by_index::ByIndex;

/// What was last seen of one instance from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The latest answer of its control service, and how many questions since then had none.
    pub(crate) status: Status,
    /// Looks in a row without an answer; a large number when there never was one.
    pub(crate) silent: Misses,
    /// Looks in a row in which Pulsar did not see it.
    pub(crate) detached: Misses,
    /// How it ended last, or why it did not start.
    pub(crate) last_error: String,
}

/// Misses in a row. One slow answer does not make an instance unready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Misses(u8);

impl Default for Misses {
    /// Nothing was seen so far.
    fn default() -> Self {
        Self(Self::TOO_MANY)
    }
}

impl Misses {
    /// So many in a row mean that it is not so any more.
    const TOO_MANY: u8 = 3;

    /// One more look.
    pub(crate) fn look(&mut self, hit: bool) {
        self.0 = if hit { 0 } else { self.0.saturating_add(1) };
    }

    fn is_fine(self) -> bool {
        self.0 < Self::TOO_MANY
    }
}

impl Seen {
    /// It answers and Pulsar sees it.
    pub(crate) fn is_ready(&self) -> bool {
        self.status.running && self.silent.is_fine() && self.detached.is_fine()
    }

    /// What is known of one that starts anew: only its last error stays.
    pub(crate) fn forget_run(&mut self) {
        let last_error = std::mem::take(&mut self.last_error);
        *self = Self { last_error, ..Self::default() };
    }
}

/// What the gateway is told; `None` when nobody wants anything of the component here and nothing is to be said.
pub(crate) fn observe(
    uid: Uid,
    wanted: &Wanted,
    instances: &ByIndex<Instance>,
    seen: &ByIndex<Seen>,
    now: UnixMillis,
) -> Option<Observation> {
    let desired = match wanted {
        Wanted::Unknown => return None,
        Wanted::Run { replicas, .. } | Wanted::Refused { replicas, .. } => *replicas,
        Wanted::Stop { .. } => 0,
    };
    let up = |index: u32| matches!(instances.get(index).map(|i| &i.stage), Some(Stage::Up { .. }));
    let ready = seen.iter().filter(|(index, seen)| *index < desired && up(*index) && seen.is_ready()).count();
    let ready = u32::try_from(ready).unwrap_or(u32::MAX);
    let messages = seen.values().fold(Messages::default(), |sum, seen| sum.plus(seen.status.messages));
    let restarts = instances.values().filter_map(Instance::record).map(|record| record.restarts).sum();
    let (phase, reason) = standing(wanted, instances, seen, ready);
    Some(Observation {
        uid,
        generation: generation(wanted, instances),
        phase,
        desired,
        ready,
        restarts,
        reason,
        last_error: last_error(wanted, seen),
        messages,
        observed_at: now,
    })
}

/// Of what runs, the oldest: the newer ones are observed only once nothing older is left.
fn generation(wanted: &Wanted, instances: &ByIndex<Instance>) -> Generation {
    let running = instances.values().filter_map(|instance| match &instance.stage {
        Stage::Down { .. } => None,
        Stage::Starting { record, .. } | Stage::Up { record, .. } | Stage::Stopping { record } => {
            Some(record.generation)
        }
    });
    // `Stopped` is said of the removal, which is the newest; while something still stops, it is still the old one.
    running.min().unwrap_or_else(|| wanted.generation()).min(wanted.generation())
}

fn standing(
    wanted: &Wanted,
    instances: &ByIndex<Instance>,
    seen: &ByIndex<Seen>,
    ready: u32,
) -> (Phase, Reason) {
    let nothing_runs = instances.values().all(|instance| matches!(instance.stage, Stage::Down { .. }));
    match wanted {
        Wanted::Refused { reason, .. } => (Phase::Refused, *reason),
        Wanted::Stop { .. } | Wanted::Unknown if nothing_runs => (Phase::Stopped, Reason::Stopped),
        Wanted::Stop { .. } | Wanted::Unknown => (Phase::Stopping, Reason::Pending),
        Wanted::Run { replicas, generation, .. } => {
            let older = instances.values().any(|instance| match &instance.stage {
                Stage::Up { record, .. } | Stage::Stopping { record } => record.generation < *generation,
                Stage::Down { .. } | Stage::Starting { .. } => false,
            });
            if ready == *replicas && !older {
                return (Phase::Ready, Reason::Ready);
            }
            let worst = instances.iter().map(|(index, instance)| unready(instance, seen.get(index))).min();
            match worst.unwrap_or(Unready::Starting) {
                Unready::Failed(reason) => (Phase::Degraded, reason),
                Unready::Starting => (Phase::Progressing, Reason::Starting),
                Unready::Fetching => (Phase::Progressing, Reason::Fetching),
                Unready::NotSubscribed => (Phase::Progressing, Reason::NotSubscribed),
                Unready::Not => (Phase::Progressing, Reason::Pending),
            }
        }
    }
}

/// Why an instance is not ready; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unready {
    Failed(Reason),
    Fetching,
    Starting,
    NotSubscribed,
    Not,
}

fn unready(instance: &Instance, seen: Option<&Seen>) -> Unready {
    match &instance.stage {
        Stage::Down { failure: Some(reason), .. } => Unready::Failed(*reason),
        Stage::Down { failure: None, .. } | Stage::Stopping { .. } => Unready::Starting,
        Stage::Starting { .. } => Unready::Fetching,
        Stage::Up { .. } => match seen {
            Some(seen) if seen.is_ready() => Unready::Not,
            Some(seen) if seen.status.running && seen.silent.is_fine() => Unready::NotSubscribed,
            _ => Unready::Starting,
        },
    }
}

/// Of the user's code or of the last end, whichever instance has one; the lowest instance first.
fn last_error(wanted: &Wanted, seen: &ByIndex<Seen>) -> String {
    if let Wanted::Refused { message, .. } = wanted {
        return message.clone();
    }
    let errors = seen.values().map(|seen| match seen.status.last_error.as_str() {
        "" => &seen.last_error,
        _ => &seen.status.last_error,
    });
    errors.into_iter().find(|error| !error.is_empty()).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests;
