//! The only spawn: every task has a name and two fates.
//!
//! A *lasting* task says when it is spawned what its failure means ([`OnFailure`], or that it is made anew) and
//! what shutdown does to it ([`Stage`] and [`OnShutdown`]). A lasting task that ends by itself has failed,
//! whatever it returned: the silent death of a loop is the failure nobody notices. A panic is a failure like any
//! other and harms no other task.
//!
//! A *request* task ([`Tasks::spawn_request`]) lives as long as one connection or call: it is counted, told of
//! shutdown and waited for, and costs little more than the future itself.

mod end;
mod stage;

use std::borrow::Cow;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::backoff::{self, Policy};
use crate::chain::Chain;

pub use end::{BoxError, TaskEnd};
pub use stage::Stage;

use end::Ended;
use stage::Stages;

/// What the failure of a lasting task means. A task that can be made anew is spawned with
/// [`Tasks::spawn_restarting`] instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The process cannot do its work without it: shut down in order, and exit with an error.
    EndProcess,
    /// The failure is logged; the task may also simply have finished its work.
    LogOnly,
}

/// What shutdown does to a lasting task once its [`Stage`] has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnShutdown {
    /// The task sees its token cancelled and ends by itself; after the deadline it is dropped.
    Drain {
        /// How long it may take.
        deadline: Duration,
    },
    /// The task is dropped at its next await.
    Abort,
}

/// A lasting task failed whose failure ends the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fatal {
    /// The name of the task.
    pub task: String,
    /// What happened, with its causes, on one line.
    pub problem: String,
}

/// All tasks of a process. Clones are the same set.
#[derive(Debug, Clone)]
pub struct Tasks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stages: Stages,
    fatal: watch::Sender<Option<Fatal>>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Tasks {
    /// No tasks yet.
    pub fn new() -> Self {
        Self(Arc::new(Inner { stages: Stages::new(), fatal: watch::Sender::new(None) }))
    }

    /// Spawns a lasting task that runs once.
    ///
    /// `make` gets the token that is cancelled when `stage` comes. Must be called within a runtime.
    pub fn spawn<F, T>(
        &self,
        name: impl Into<Cow<'static, str>>,
        on_failure: OnFailure,
        stage: Stage,
        on_shutdown: OnShutdown,
        make: F,
    ) where
        F: FnOnce(CancellationToken) -> T + Send + 'static,
        T: Future<Output: TaskEnd> + Send,
    {
        let name = name.into();
        let life = self.life(&name, stage, on_shutdown);
        let tasks = self.clone();
        let span = tracing::info_span!("task", task = &*name);
        let supervised = async move {
            let ended = life.run(make).await;
            tasks.judge(&name, on_failure, &ended);
        };
        self.0.stages.spawn(stage, supervised.instrument(span));
    }

    /// Spawns a lasting task that is made anew whenever it ends, after a delay that grows with each failure and is
    /// the shortest again once the task has run for longer than the longest delay.
    pub fn spawn_restarting<F, T>(
        &self,
        name: impl Into<Cow<'static, str>>,
        retry: Policy,
        stage: Stage,
        on_shutdown: OnShutdown,
        mut make: F,
    ) where
        F: FnMut(CancellationToken) -> T + Send + 'static,
        T: Future<Output: TaskEnd> + Send,
    {
        let name = name.into();
        let life = self.life(&name, stage, on_shutdown);
        let span = tracing::info_span!("task", task = &*name);
        let supervised = async move {
            let mut delays = retry.start(backoff::seed());
            loop {
                let started = Instant::now();
                let ended = life.run(&mut make).await;
                if life.stop.is_cancelled() {
                    ended.log_at_shutdown(&name);
                    return;
                }
                if started.elapsed() > retry.max {
                    delays.reset();
                }
                let delay = delays.next_delay();
                metrics::counter!("isthmus_task_restarts_total", "task" => name.to_string()).increment(1);
                let problem = ended.problem();
                tracing::warn!(
                    problem,
                    retry.delay_ms = delay.as_millis(),
                    "task {name} failed and is started again in {delay:?}: {problem}"
                );
                if life.stop.run_until_cancelled(tokio::time::sleep(delay)).await.is_none() {
                    return;
                }
            }
        };
        self.0.stages.spawn(stage, supervised.instrument(span));
    }

    /// Spawns the task of one connection or call.
    ///
    /// Its token is cancelled in [`Stage::Drain`], which then waits for it until the deadline of the whole
    /// shutdown. A panic is logged (by the panic hook) and harms nothing else.
    pub fn spawn_request<F, T>(&self, make: F)
    where
        F: FnOnce(CancellationToken) -> T,
        T: Future<Output = ()> + Send + 'static,
    {
        let stop = self.0.stages.token(Stage::Drain);
        let abort = self.0.stages.abort_token();
        let work = AssertUnwindSafe(make(stop)).catch_unwind();
        self.0.stages.spawn(Stage::Drain, async move {
            // Both ways out mean that the request is over; there is nobody to report to.
            let _over = abort.run_until_cancelled(work).await;
        });
    }

    /// A token that is cancelled when the stage comes, for what is not a task of its own.
    pub fn stop_token(&self, stage: Stage) -> CancellationToken {
        self.0.stages.token(stage)
    }

    /// Waits until a task has failed whose failure ends the process. Safe to cancel, and to call again.
    pub async fn fatal(&self) -> Fatal {
        let mut fatal = self.0.fatal.subscribe();
        let first = fatal.wait_for(Option::is_some).await.ok().and_then(|first| first.clone());
        match first {
            Some(fatal) => fatal,
            // The sender lives as long as `self`, so this is never reached; waiting forever is what it would mean.
            None => std::future::pending().await,
        }
    }

    /// Lets a stage come: its tasks are told and waited for. Safe to cancel, and to call again.
    pub async fn stop(&self, stage: Stage) {
        self.0.stages.stop(stage).await;
    }

    /// Drops every task that is still there at its next await, of all stages.
    pub fn abort_all(&self) {
        self.0.stages.abort_all();
    }

    /// The names of the lasting tasks that have not ended, in the order in which they were spawned, and the number
    /// of requests in flight as a last entry where there are any.
    pub fn remaining(&self) -> Vec<String> {
        self.0.stages.remaining()
    }

    fn life(&self, name: &str, stage: Stage, on_shutdown: OnShutdown) -> Life {
        Life {
            stop: self.0.stages.token(stage),
            abort: self.0.stages.abort_token(),
            on_shutdown,
            _listed: self.0.stages.list(name),
        }
    }

    fn judge(&self, name: &str, on_failure: OnFailure, ended: &Ended) {
        let stopping = ended.by_shutdown() || self.0.stages.has_begun();
        match (on_failure, ended) {
            _ if stopping => ended.log_at_shutdown(name),
            (OnFailure::LogOnly, Ended::Returned(Ok(()))) => tracing::debug!("task {name} has finished"),
            (OnFailure::LogOnly, _) => {
                count_failure(name);
                let problem = ended.problem();
                tracing::error!(problem, "task {name} failed and is not started again: {problem}");
            }
            (OnFailure::EndProcess, _) => {
                count_failure(name);
                let problem = ended.problem();
                tracing::error!(problem, "task {name} failed and the process ends: {problem}");
                let fatal = Fatal { task: name.to_owned(), problem };
                self.0.fatal.send_if_modified(|first| first.is_none() && first.replace(fatal).is_none());
            }
        }
    }
}

fn count_failure(name: &str) {
    metrics::counter!("isthmus_task_failures_total", "task" => name.to_owned()).increment(1);
}

/// What bounds the life of a lasting task.
struct Life {
    stop: CancellationToken,
    abort: CancellationToken,
    on_shutdown: OnShutdown,
    _listed: stage::Listed,
}

impl Life {
    /// Runs the task until it ends, panics, or shutdown ends it.
    async fn run<F, T>(&self, make: F) -> Ended
    where
        F: FnOnce(CancellationToken) -> T,
        T: Future<Output: TaskEnd>,
    {
        let stop = self.stop.clone();
        // Making the future belongs to the task, so that a panic there is caught as well.
        let work = AssertUnwindSafe(async move { make(stop).await.into_result() }).catch_unwind();
        // Each arm ends the task, so dropping the other two loses nothing that anyone still wants.
        tokio::select! {
            biased;
            () = self.abort.cancelled() => Ended::Aborted,
            result = work => match result {
                Ok(result) => Ended::Returned(result),
                Err(payload) => Ended::panicked(&*payload),
            },
            ended = self.ended_by_shutdown() => ended,
        }
    }

    async fn ended_by_shutdown(&self) -> Ended {
        self.stop.cancelled().await;
        match self.on_shutdown {
            OnShutdown::Abort => Ended::Aborted,
            OnShutdown::Drain { deadline } => {
                tokio::time::sleep(deadline).await;
                Ended::Overran(deadline)
            }
        }
    }
}

impl Ended {
    fn problem(&self) -> String {
        match self {
            Self::Returned(Ok(())) => "it ended by itself".into(),
            Self::Returned(Err(error)) => Chain(&**error).to_string(),
            Self::Panicked(message) => format!("it panicked: {message}"),
            Self::Overran(deadline) => format!("it did not end within {deadline:?}"),
            Self::Aborted => "it was aborted".into(),
        }
    }

    fn by_shutdown(&self) -> bool {
        matches!(self, Self::Overran(_) | Self::Aborted)
    }

    fn log_at_shutdown(&self, name: &str) {
        match self {
            Self::Returned(Ok(())) | Self::Aborted => tracing::debug!("task {name} has stopped"),
            Self::Returned(Err(_)) | Self::Panicked(_) | Self::Overran(_) => {
                let problem = self.problem();
                tracing::warn!(problem, "task {name} did not stop cleanly: {problem}");
            }
        }
    }
}

#[cfg(test)]
mod tests;
