//! The stages in which tasks are stopped, and who is still there.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// When a task is told to stop. Stages come in this order, each after the tasks of the one before have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// What lets new work in: listeners, timers that start something. Ends at once.
    Accept,
    /// What serves: sessions and streams tell their peers and close, requests in flight finish.
    Drain,
    /// What the others hand their work to: writers, reporters; and the admin port, which answers until then.
    Flush,
}

impl Stage {
    /// All stages, in the order in which they come.
    pub const ALL: [Self; 3] = [Self::Accept, Self::Drain, Self::Flush];
}

#[derive(Debug)]
pub(super) struct Stages {
    accept: Group,
    drain: Group,
    flush: Group,
    abort: CancellationToken,
    names: Names,
}

#[derive(Debug)]
struct Group {
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Group {
    fn new() -> Self {
        Self { stop: CancellationToken::new(), tracker: TaskTracker::new() }
    }
}

impl Stages {
    pub(super) fn new() -> Self {
        Self {
            accept: Group::new(),
            drain: Group::new(),
            flush: Group::new(),
            abort: CancellationToken::new(),
            names: Names::default(),
        }
    }

    fn group(&self, stage: Stage) -> &Group {
        match stage {
            Stage::Accept => &self.accept,
            Stage::Drain => &self.drain,
            Stage::Flush => &self.flush,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    pub(super) fn spawn(&self, stage: Stage, task: impl Future<Output = ()> + Send + 'static) {
        // The handle is not needed: the tracker waits for the task, the tokens stop it, and it never panics.
        drop(tokio::spawn(self.group(stage).tracker.track_future(task)));
    }

    pub(super) fn token(&self, stage: Stage) -> CancellationToken {
        self.group(stage).stop.clone()
    }

    pub(super) fn abort_token(&self) -> CancellationToken {
        self.abort.clone()
    }

    pub(super) async fn stop(&self, stage: Stage) {
        let group = self.group(stage);
        group.stop.cancel();
        group.tracker.close();
        group.tracker.wait().await;
    }

    pub(super) fn abort_all(&self) {
        self.abort.cancel();
    }

    /// Whether any stage has come.
    pub(super) fn has_begun(&self) -> bool {
        Stage::ALL.into_iter().any(|stage| self.group(stage).stop.is_cancelled())
    }

    pub(super) fn list(&self, name: &str) -> Listed {
        self.names.list(name)
    }

    pub(super) fn remaining(&self) -> Vec<String> {
        let mut names = self.names.all();
        let all = Stage::ALL.into_iter().map(|stage| self.group(stage).tracker.len()).sum::<usize>();
        let requests = all.saturating_sub(names.len());
        if requests > 0 {
            names.push(format!("{requests} requests"));
        }
        names
    }
}

/// The lasting tasks that run, by the order in which they were spawned.
#[derive(Debug, Clone, Default)]
struct Names(Arc<Mutex<(u64, BTreeMap<u64, String>)>>);

impl Names {
    fn list(&self, name: &str) -> Listed {
        let mut names = self.0.lock();
        let (last, running) = &mut *names;
        *last += 1;
        running.insert(*last, name.to_owned());
        Listed { names: self.clone(), number: *last }
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().1.values().cloned().collect()
    }
}

/// A lasting task is on the list for as long as this lives.
#[derive(Debug)]
pub(super) struct Listed {
    names: Names,
    number: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.names.0.lock().1.remove(&self.number);
    }
}
