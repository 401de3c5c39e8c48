//! What all servers have in common: they start until they are ready, crash, go on, and stop.

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use crate::{
    fs,
    process::{self, Program, Supervised},
    run::Run,
    wait::{Expired, until},
};

/// Lines of a log that an error shows.
const TAIL: usize = 25;

/// A server could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its process could not be started, killed or stopped.
    #[error("cannot {attempted} {server}")]
    Process {
        /// Completes the sentence.
        attempted: &'static str,
        /// Which.
        server: String,
        /// Why not.
        source: Box<process::Error>,
    },
    /// It ended before it was ready.
    #[error("{server} ended while it was starting; the end of its log:\n{tail}")]
    Ended {
        /// Which.
        server: String,
        /// The log's last lines.
        tail: String,
    },
    /// It was not ready in time.
    #[error("{server} did not start; the end of its log:\n{tail}")]
    NotReady {
        /// Which.
        server: String,
        /// What was waited for.
        source: Expired,
        /// The log's last lines.
        tail: String,
    },
}

/// A program that may run or not. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Server {
    name: String,
    program: Program,
    log: PathBuf,
    patience: Duration,
    grace: Duration,
    process: Option<Supervised>,
}

impl Server {
    /// One that does not run yet. `name` reads like "etcd"; its output is appended to `log`.
    pub(crate) fn new(name: impl Into<String>, program: Program, log: impl Into<PathBuf>) -> Self {
        /// A busy machine with two cores takes several times what an idle one does.
        const PATIENCE: Duration = Duration::from_mins(3);
        const GRACE: Duration = Duration::from_secs(30);

        Self { name: name.into(), program, log: log.into(), patience: PATIENCE, grace: GRACE, process: None }
    }

    /// Where its output goes.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Starts it, unless it runs, and waits until `ready` says so; `ready` answers otherwise with what it sees instead.
    pub(crate) async fn resume(
        &mut self,
        run: &Run,
        ready: impl AsyncFnMut() -> Result<(), String>,
    ) -> Result<(), Error> {
        if self.process.is_some() {
            return Ok(());
        }
        let server = || self.name.clone();
        let mut process = self.program.start(run, &self.log).map_err(self.failed("start"))?;
        tokio::select! {
            // Both arms are cancel-safe: a wait for a process, and looks that can be made again.
            _ = process.ended() => return Err(Error::Ended { server: server(), tail: process.log_tail() }),
            level = until(format!("{} to be ready", self.name), self.patience, ready) => {
                level.map_err(|source| Error::NotReady { server: server(), source, tail: fs::tail(&self.log, TAIL) })?;
            }
        }
        self.process = Some(process);
        Ok(())
    }

    /// Kills it without warning, if it runs; its files stay.
    pub(crate) async fn crash(&mut self) -> Result<(), Error> {
        match self.process.take() {
            Some(process) => process.kill().await.map_err(self.failed("kill")),
            None => Ok(()),
        }
    }

    /// Stops it in good order, if it runs, and tells how it ended; its files stay.
    pub(crate) async fn stop(&mut self) -> Result<Option<ExitStatus>, Error> {
        match self.process.take() {
            Some(process) => process.stop(self.grace).await.map(Some).map_err(self.failed("stop")),
            None => Ok(None),
        }
    }

    fn failed(&self, attempted: &'static str) -> impl FnOnce(process::Error) -> Error {
        let server = self.name.clone();
        move |source| Error::Process { attempted, server, source: Box::new(source) }
    }
}
