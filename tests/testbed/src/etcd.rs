//! A real etcd: one member, durable as it ships unless a test says that it does not test durability.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    admin,
    cache::Cache,
    fs,
    ports::{self, Port},
    process::{self, Program, Supervised},
    provision,
    run::Run,
    wait::{Expired, until},
};

const START: Duration = Duration::from_mins(1);
const GRACE: Duration = Duration::from_secs(15);

/// An etcd server could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What it is made of could not be provided.
    #[error("cannot start etcd")]
    Provision(#[source] provision::Error),
    /// No port was free.
    #[error("cannot start etcd")]
    Ports(#[source] ports::Error),
    /// Its directory could not be made.
    #[error("cannot start etcd")]
    Files(#[source] fs::Error),
    /// Its process could not be started or stopped.
    #[error("cannot {attempted} etcd")]
    Process {
        /// Completes the sentence.
        attempted: &'static str,
        /// Why not.
        source: process::Error,
    },
    /// It ended before it was ready.
    #[error("etcd ended while it was starting; the end of its log:\n{tail}")]
    Ended {
        /// The log's last lines.
        tail: String,
    },
    /// It was not ready in time.
    #[error("etcd did not start; the end of its log:\n{tail}")]
    NotReady {
        /// What was waited for.
        source: Expired,
        /// The log's last lines.
        tail: String,
    },
}

/// Whether a write is on the disk when it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// As etcd ships: synced before each answer.
    #[default]
    Synced,
    /// Never synced: survives a killed process, not a power cut. Faster where that is not what is tested.
    Unsynced,
}

/// A running server; dropping it kills it and removes its data.
#[derive(Debug)]
pub struct Etcd {
    program: Program,
    /// `None` after a crash that was asked for. Declared before what it uses, so that it is dropped first.
    process: Option<Supervised>,
    run: Run,
    client: Port,
    /// Held so that nobody else is given it; one member alone never dials it.
    _peer: Port,
}

impl Etcd {
    /// Provides, starts and waits until it answers. Its data lies on the cache's file system.
    pub async fn start(cache: &Cache, durability: Durability) -> Result<Self, Error> {
        let server = cache.etcd().await.map_err(Error::Provision)?;
        let run = Run::create(cache, "etcd").map_err(Error::Files)?;
        let client = Port::lease(cache).map_err(Error::Ports)?;
        let peer = Port::lease(cache).map_err(Error::Ports)?;
        let program = program(&server, run.dir(), &client, &peer, durability);
        let mut etcd = Self { program, process: None, run, client, _peer: peer };
        etcd.resume().await?;
        Ok(etcd)
    }

    /// Where clients connect, `http://…`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.client)
    }

    /// Where its output goes; it lives as long as the server.
    pub fn log(&self) -> PathBuf {
        self.run.dir().join("log")
    }

    /// Kills the server without warning; ports and data stay.
    pub async fn crash(&mut self) -> Result<(), Error> {
        match self.process.take() {
            Some(process) => process.kill().await.map_err(failed("kill")),
            None => Ok(()),
        }
    }

    /// Starts it again on the same ports and data, if it does not run.
    pub async fn resume(&mut self) -> Result<(), Error> {
        if self.process.is_some() {
            return Ok(());
        }
        let mut process = self.program.start(&self.run, &self.log()).map_err(failed("start"))?;
        let health = format!("{}/health", self.url());
        let ready = until("etcd to be ready", START, async || admin::get(&health).await);
        tokio::select! {
            // Both arms are cancel-safe: a wait for a process, and requests that can be made again.
            _ = process.ended() => return Err(Error::Ended { tail: process.log_tail() }),
            ready = ready => {
                ready.map_err(|source| Error::NotReady { source, tail: fs::tail(&self.log(), 25) })?;
            }
        }
        self.process = Some(process);
        Ok(())
    }

    /// Stops it in good order and removes its data.
    pub async fn stop(mut self) -> Result<(), Error> {
        match self.process.take() {
            Some(process) => process.stop(GRACE).await.map(|_| ()).map_err(failed("stop")),
            None => Ok(()),
        }
    }
}

fn program(server: &Path, dir: &Path, client: &Port, peer: &Port, durability: Durability) -> Program {
    let clients = format!("http://127.0.0.1:{client}");
    let peers = format!("http://127.0.0.1:{peer}");
    let program = Program::new(server)
        .args(["--name", "testbed", "--data-dir"])
        .arg(dir.join("data"))
        .args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients])
        .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
        .args(["--initial-cluster", &format!("testbed={peers}")]);
    match durability {
        Durability::Synced => program,
        Durability::Unsynced => program.arg("--unsafe-no-fsync"),
    }
}

fn failed(attempted: &'static str) -> impl FnOnce(process::Error) -> Error {
    move |source| Error::Process { attempted, source }
}
