//! A real etcd: one member, durable as it ships unless a test says that it does not test durability.

use std::path::Path;

use crate::{
    admin,
    cache::Cache,
    fs,
    ports::{self, Port},
    process::Program,
    provision,
    run::Run,
    server::{self, Server},
};

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
    /// It did not start or stop.
    #[error(transparent)]
    Server(server::Error),
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
    /// Declared before what it uses, so that it is dropped first.
    server: Server,
    run: Run,
    client: Port,
    /// Held so that nobody else is given it; one member alone never dials it.
    _peer: Port,
}

impl Etcd {
    /// Provides, starts and waits until it answers. Its data lies on the cache's file system.
    pub async fn start(cache: &Cache, durability: Durability) -> Result<Self, Error> {
        let binary = cache.etcd().await.map_err(Error::Provision)?;
        let run = Run::create(cache, "etcd").map_err(Error::Files)?;
        let client = Port::lease(cache).map_err(Error::Ports)?;
        let peer = Port::lease(cache).map_err(Error::Ports)?;
        let program = program(&binary, run.dir(), &client, &peer, durability);
        let server = Server::new("etcd", program, run.dir().join("log"));
        let mut etcd = Self { server, run, client, _peer: peer };
        etcd.resume().await?;
        Ok(etcd)
    }

    /// Where clients connect, `http://…`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.client)
    }

    /// What its process and its files belong to.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Where its output goes; it lives as long as the server.
    pub fn log(&self) -> &Path {
        self.server.log()
    }

    /// Kills the server without warning; ports and data stay.
    pub async fn crash(&mut self) -> Result<(), Error> {
        self.server.crash().await.map_err(Error::Server)
    }

    /// Starts it again on the same ports and data, if it does not run.
    pub async fn resume(&mut self) -> Result<(), Error> {
        let health = format!("{}/health", self.url());
        let ready = async || admin::get(&health).await.map(|_| ()).map_err(|error| error.to_string());
        self.server.resume(&self.run, ready).await.map_err(Error::Server)
    }

    /// Stops it in good order and removes its data.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.server.stop().await.map(drop).map_err(Error::Server)
    }
}

fn program(binary: &Path, dir: &Path, client: &Port, peer: &Port, durability: Durability) -> Program {
    let clients = format!("http://127.0.0.1:{client}");
    let peers = format!("http://127.0.0.1:{peer}");
    let program = Program::new(binary)
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
