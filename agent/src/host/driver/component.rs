//! What the loop knows of one component.

use std::sync::Arc;
use std::time::Duration;

use isthmus_model::assignment::Assignment;
use isthmus_model::name::Uid;
use isthmus_model::observation::Observation;
use isthmus_model::order::UnixMillis;
use tokio_util::sync::CancellationToken;

use crate::by_index::ByIndex;
use crate::host::attached::Watch;
use crate::host::config::Poll;
use crate::host::dereference::Dereferenced;
use crate::host::look::{Answer, Question};
use crate::host::observe::{Seen, observe};
use crate::host::plan::{Instance, Stage, Wanted};
use crate::host::process::{Identity, Process};
use crate::host::record::Key;
use crate::target::Desired;

/// Time in which an instance becomes ready; a Java instance on a busy host takes ten seconds.
const STARTING: Duration = Duration::from_mins(1);

/// One component, by its instances.
#[derive(Debug, Default)]
pub(super) struct Component {
    pub(super) wanted: Wanted,
    /// What is to be started.
    pub(super) assignment: Option<Arc<Assignment>>,
    pub(super) instances: ByIndex<Instance>,
    seen: ByIndex<Seen>,
    pub(super) holds: ByIndex<Hold>,
    watch: Arc<Watch>,
    /// What was taken in last, to recognise what is unchanged.
    told: Option<Desired>,
}

/// The hold on an instance that is not down.
#[derive(Debug)]
pub(super) enum Hold {
    /// Cancelling calls the start off.
    Starting(CancellationToken),
    /// It runs.
    Running {
        guard: Arc<Process>,
        child: Identity,
        /// When it is looked at next, as time since boot.
        look_at: Duration,
    },
}

impl Component {
    /// Whether exactly this was taken in last.
    pub(super) fn is_told(&self, desired: &Desired) -> bool {
        match (&self.told, desired) {
            (Some(Desired::Run(old)), Desired::Run(new)) => Arc::ptr_eq(old, new) || old == new,
            (told, new) => told.as_ref() == Some(new),
        }
    }

    /// What was taken in last.
    pub(super) fn told(&self) -> Option<&Desired> {
        self.told.as_ref()
    }

    /// Takes in what is desired now; what is older than what is known changes nothing.
    pub(super) fn want(&mut self, desired: Desired, dereferenced: Dereferenced) {
        let Dereferenced { wanted, watch } = dereferenced;
        if self.wanted.replace(wanted) {
            self.watch = Arc::new(watch);
            self.assignment = match &desired {
                Desired::Run(assignment) => Some(Arc::clone(assignment)),
                Desired::Stop(_) => None,
            };
        }
        self.told = Some(desired);
    }

    /// Nobody names it any more: what still runs of it is stopped, and nothing is said of it. Returns whether that is new.
    pub(super) fn abandon(&mut self) -> bool {
        let is_new = self.told.take().is_some() || self.wanted == Wanted::Unknown;
        let records = self.instances.values().filter_map(Instance::record).map(|record| record.generation);
        let generation = records.max().unwrap_or_default().max(self.wanted.generation());
        self.wanted = Wanted::Stop { generation };
        self.assignment = None;
        is_new
    }

    /// What was seen of an instance.
    pub(super) fn seen(&mut self, index: u32) -> &mut Seen {
        self.seen.get_or_insert_with(index, Seen::default)
    }

    /// It runs.
    pub(super) fn runs(&mut self, index: u32, hold: Hold) {
        self.holds.insert(index, hold);
        self.seen(index).forget_run();
    }

    /// Nothing is left of the instance.
    pub(super) fn forget(&mut self, index: u32) {
        self.instances.remove(index);
        self.seen.remove(index);
        self.holds.remove(index);
    }

    /// Nobody names it and nothing of it is left.
    pub(super) fn is_over(&self) -> bool {
        self.told.is_none() && self.instances.is_empty()
    }

    /// What is to be asked about the instances that are due; they are due again `again` if no answer comes.
    pub(super) fn questions(&mut self, uid: Uid, now: Duration, again: Duration) -> Vec<Question> {
        let Some(assignment) = &self.assignment else { return Vec::new() };
        let due = self.holds.iter_mut().filter_map(|(index, hold)| match hold {
            Hold::Running { child, look_at, .. } if *look_at <= now => {
                *look_at = again;
                let Some(Stage::Up { record, .. }) =
                    self.instances.get(index).map(|instance| &instance.stage)
                else {
                    return None;
                };
                Some(Question {
                    key: Key { uid, index },
                    port: record.ports.control,
                    pid: child.pid,
                    watch: Arc::clone(&self.watch),
                    pulsar: Arc::clone(&assignment.pulsar),
                })
            }
            Hold::Running { .. } | Hold::Starting(_) => None,
        });
        due.collect()
    }

    /// When the next of its instances is due.
    pub(super) fn next_look(&self) -> Option<Duration> {
        self.assignment.as_ref()?;
        let due = self.holds.values().filter_map(|hold| match hold {
            Hold::Running { look_at, .. } => Some(*look_at),
            Hold::Starting(_) => None,
        });
        due.min()
    }

    /// Takes in what was seen. An instance is looked at often while it starts; once it is ready, or has had its time to become
    /// ready, at leisure.
    pub(super) fn see(&mut self, answer: Answer, now: Duration, poll: &Poll) {
        let index = answer.key.index;
        let Some(Hold::Running { look_at, .. }) = self.holds.get_mut(index) else { return };
        let seen = self.seen.get_or_insert_with(index, Seen::default);
        seen.silent.look(answer.status.is_some());
        if let Some(status) = answer.status {
            seen.status = status;
        }
        if let Some(attached) = answer.attached {
            seen.detached.look(attached);
        }
        let starting = match self.instances.get(index).map(|instance| &instance.stage) {
            Some(Stage::Up { since, .. }) => now.saturating_sub(*since) < STARTING && !seen.is_ready(),
            _ => false,
        };
        *look_at = now + if starting { poll.starting } else { poll.ready };
    }

    /// What there is to say. It may be what was said before; whoever takes it knows that best.
    pub(super) fn observation(&self, uid: Uid, now: UnixMillis) -> Option<Observation> {
        self.told.as_ref()?;
        observe(uid, &self.wanted, &self.instances, &self.seen, now)
    }
}
