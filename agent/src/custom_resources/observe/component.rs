//! What is known of one component: a few words of its custom resource and of each pod, and what its instances count.

use std::time::Duration;

use isthmus_model::order::UnixMillis;

use super::counts::Counts;
use super::pod::Pod;
use super::resource::Resource;
use crate::by_index::ByIndex;

/// One component of the share, or one that only has pods so far.
#[derive(Debug, Default)]
pub(super) struct Component {
    pub(super) resource: Option<Resource>,
    pub(super) instances: ByIndex<Instance>,
    /// The listing that goes on has shown the resource.
    pub(super) listed: bool,
    /// Something was said of it: from then on whatever there is to say is said at once.
    pub(super) told: bool,
}

/// One pod and what its instance says.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) pod: Pod,
    pub(super) figures: Figures,
    /// The listing that goes on has shown the pod.
    pub(super) listed: bool,
}

/// What an instance says of its run, and when it is asked again.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Its latest answer.
    pub(super) counts: Option<Counts>,
    /// Why the latest question had no answer.
    pub(super) problem: Option<Box<str>>,
    /// Questions in a row without an answer.
    silent: u8,
    /// When it is asked next, as time since boot.
    pub(super) due: Option<Duration>,
}

/// So many questions in a row without an answer are worth a word. One slow answer is not.
const TOO_MANY: u8 = 3;

/// Time that an instance has to say something before its node's word alone has to do: not every runtime need serve figures.
const STARTING: UnixMillis = UnixMillis(60_000);

impl Component {
    /// Whether enough is known to say something: an agent that has just started asks first, so that nobody is told that what runs
    /// is not ready.
    pub(super) fn is_known(&self) -> bool {
        self.told
            || self.instances.values().all(|instance| !instance.pod.ready || instance.figures.is_asked())
    }
}

impl Instance {
    pub(super) fn new(pod: Pod) -> Self {
        Self { pod, figures: Figures::default(), listed: true }
    }

    /// Takes in what the watch shows. What was said of another run does not count for this one.
    pub(super) fn see(&mut self, pod: Pod) {
        if self.pod.run != pod.run {
            self.figures = Figures::default();
        }
        self.pod = pod;
    }

    /// Its node says that it is ready, and the instance has said something: a program that ends at once is ready for a moment as
    /// far as its node knows.
    pub(super) fn is_ready(&self, now: UnixMillis) -> bool {
        self.pod.ready && (self.figures.counts.is_some() || !self.is_starting(now))
    }

    /// Whether it is so young that it need not have said anything.
    pub(super) fn is_starting(&self, now: UnixMillis) -> bool {
        let since = self.pod.run.since.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
        now.0 < since.saturating_mul(1000).saturating_add(STARTING.0)
    }
}

impl Figures {
    /// It answered.
    pub(super) fn hear(&mut self, counts: Counts) {
        (self.counts, self.problem, self.silent) = (Some(counts), None, 0);
    }

    /// It did not.
    pub(super) fn miss(&mut self, problem: String) {
        self.problem = Some(problem.into());
        self.silent = self.silent.saturating_add(1);
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silent >= TOO_MANY
    }

    fn is_asked(&self) -> bool {
        self.counts.is_some() || self.problem.is_some()
    }
}
