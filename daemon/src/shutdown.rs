//! Ending in order, once, within a deadline, and never from inside a library.
//!
//! [`Sequence::run`] waits for the reason to end, walks through the stages, and returns an [`Exit`] that `main`
//! turns into the exit code. While it walks it goes on listening: a second signal means "now".

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::admin::Readiness;
use crate::tasks::{Fatal, Stage, Tasks};

/// How a server stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// How long all stages together may take. Default 25 s: Kubernetes kills after 30.
    #[serde(with = "humantime_serde")]
    pub deadline: Duration,
    /// How long the server goes on accepting after `/readyz` has turned, so that balancers notice before
    /// connections are refused. Default 0: clients of a server without a balancer gain nothing from waiting.
    #[serde(with = "humantime_serde")]
    pub notice: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(25), notice: Duration::ZERO }
    }
}

/// A signal that asks the process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: a supervisor asks.
    Terminate,
    /// SIGINT: a person asks.
    Interrupt,
}

impl Signal {
    /// What shells show for a process that a signal ended.
    fn exit_code(self) -> u8 {
        let number = match self {
            Self::Terminate => 15,
            Self::Interrupt => 2,
        };
        128 + number
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        })
    }
}

/// The process cannot listen for signals.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for SIGTERM and SIGINT")]
pub struct SignalError(#[from] std::io::Error);

/// The signals of this process. From [`Signals::listen`] on they no longer kill it.
#[derive(Debug)]
pub struct Signals {
    terminate: Stream,
    interrupt: Stream,
}

impl Signals {
    /// Takes SIGTERM and SIGINT over. Must be called within a runtime.
    ///
    /// # Errors
    /// The operating system refuses the handlers.
    pub fn listen() -> Result<Self, SignalError> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next signal. Safe to cancel: no signal is lost.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.terminate.recv() => Signal::Terminate,
            Some(()) = self.interrupt.recv() => Signal::Interrupt,
            // Both streams end only with the runtime.
            else => std::future::pending().await,
        }
    }
}

/// Why a server stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It was told to from outside.
    Signal(Signal),
    /// It was told to from inside, through the token of the [`Sequence`].
    Requested,
    /// A task failed without which it cannot work.
    Fatal(Fatal),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => write!(f, "{signal}"),
            Self::Requested => f.write_str("it was asked to"),
            Self::Fatal(fatal) => write!(f, "task {} failed", fatal.task),
        }
    }
}

/// How a server ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// On request, with everything drained and flushed.
    Clean,
    /// Because a task failed; what was left was drained and flushed as far as possible.
    Failed(Fatal),
    /// Its parts could not be built.
    NotStarted,
    /// On request, but these were still running when the deadline passed.
    DeadlinePassed(Vec<String>),
    /// A second signal came while it was stopping.
    Forced(Signal),
}

impl Exit {
    /// 0 for a clean end; 70 (`EX_SOFTWARE`) after a failure or where it could not start; 124 (as `timeout(1)`) when the deadline passed; 128
    /// plus the signal's number when forced.
    pub fn code(&self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Failed(_) | Self::NotStarted => 70,
            Self::DeadlinePassed(_) => 124,
            Self::Forced(signal) => signal.exit_code(),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// The end of a server, prepared.
#[derive(Debug)]
pub struct Sequence {
    /// How long it may take.
    pub config: Config,
    /// Who may ask from outside.
    pub signals: Signals,
    /// Cancelled by whoever asks from inside; tests and embedding programs do.
    pub request: CancellationToken,
    /// What is stopped.
    pub tasks: Tasks,
    /// What turns to "not ready" first.
    pub readiness: Readiness,
}

impl Sequence {
    /// Waits until the server is to end, then ends it. Returns when nothing is left to wait for.
    pub async fn run(mut self) -> Exit {
        let cause = self.cause().await;
        tracing::info!(cause = %cause, "shutting down: {cause}");
        self.readiness.shutting_down();
        let Self { config, mut signals, tasks, .. } = self;
        // The arms only wait: stages can be left at any await, and signals are not lost.
        let exit = tokio::select! {
            signal = signals.next() => Exit::Forced(signal),
            () = walk(&tasks, config.notice) => Exit::Clean,
            () = tokio::time::sleep(config.notice.saturating_add(config.deadline)) => {
                Exit::DeadlinePassed(tasks.remaining())
            }
        };
        tasks.abort_all();
        let exit = match (cause, exit) {
            (Cause::Fatal(fatal), Exit::Clean | Exit::DeadlinePassed(_)) => Exit::Failed(fatal),
            (_, exit) => exit,
        };
        log(&exit);
        exit
    }

    async fn cause(&mut self) -> Cause {
        // Each arm only waits for a level or for a signal; none is lost when another wins.
        tokio::select! {
            signal = self.signals.next() => Cause::Signal(signal),
            () = self.request.cancelled() => Cause::Requested,
            fatal = self.tasks.fatal() => Cause::Fatal(fatal),
        }
    }
}

async fn walk(tasks: &Tasks, notice: Duration) {
    tokio::time::sleep(notice).await;
    for stage in Stage::ALL {
        tracing::debug!("shutdown stage {stage:?}");
        tasks.stop(stage).await;
    }
}

fn log(exit: &Exit) {
    match exit {
        Exit::Clean => tracing::info!("stopped"),
        Exit::Failed(fatal) => {
            tracing::error!("stopped because task {} failed: {}", fatal.task, fatal.problem);
        }
        Exit::NotStarted => tracing::error!("stopped because it could not start"),
        Exit::DeadlinePassed(tasks) => {
            tracing::warn!(
                remaining = tasks.join(", "),
                "stopped at the deadline, while there were still tasks"
            );
        }
        Exit::Forced(signal) => tracing::warn!("stopped at once by a second signal, {signal}"),
    }
}

#[cfg(test)]
mod tests;
