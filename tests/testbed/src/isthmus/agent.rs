//! An agent with a local target.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Error, Gateway, Programs, configure, good_end, overlay, ready};
use crate::{
    cache::Cache,
    fs,
    ports::Port,
    process::Program,
    provision::{PulsarHome, PythonVenv},
    run::{MARK, Run},
    server::Server,
};

/// Ports of instances lie below those that are leased here, a range for each agent of a run.
const FIRST_INSTANCE_PORT: u16 = 10_000;
const INSTANCE_PORTS: u16 = 400;

/// A place to run instances.
#[derive(Debug, Clone, Copy)]
pub struct LocalTarget<'a> {
    /// The cluster's name in the federation.
    pub cluster: &'a str,
    /// `key=value,…`.
    pub labels: &'a str,
    /// Which of a run's agents it is, from 0.
    pub number: u16,
    /// Has the instances; without it only Go binaries can run.
    pub pulsar: Option<&'a PulsarHome>,
    /// Runs those in Python; without it the machine's own interpreter is tried.
    pub python: Option<&'a PythonVenv>,
    /// What else the configuration file shall say.
    pub settings: &'a Value,
}

/// A running agent; dropping it kills it. Instances outlive it, as they shall, but not the run.
#[derive(Debug)]
pub struct Agent {
    cluster: String,
    data: PathBuf,
    server: Server,
    admin: Port,
}

impl Agent {
    /// Has the gateway make a token, starts an agent that joins with it, and waits until it is ready.
    pub async fn join(
        run: &Run,
        cache: &Cache,
        programs: &Programs,
        gateway: &Gateway,
        target: LocalTarget<'_>,
    ) -> Result<Self, Error> {
        let LocalTarget { cluster, labels, .. } = target;
        let token = gateway.cli().call(&["cluster", "join-token", cluster, "--labels", labels]).await?;
        Self::start(run, cache, programs, &gateway.address(), target, token.trim()).await
    }

    /// Starts an agent that joins the gateway at `gateway` (`host:port`) with a token, and waits until it is ready.
    pub async fn start(
        run: &Run,
        cache: &Cache,
        programs: &Programs,
        gateway: &str,
        target: LocalTarget<'_>,
        token: &str,
    ) -> Result<Self, Error> {
        let mut agent = Self::prepare(run, cache, programs, gateway, target, token)?;
        agent.resume(run).await?;
        Ok(agent)
    }

    /// The same, not started yet: for one that is not expected to become ready.
    pub fn prepare(
        run: &Run,
        cache: &Cache,
        programs: &Programs,
        gateway: &str,
        target: LocalTarget<'_>,
        token: &str,
    ) -> Result<Self, Error> {
        let LocalTarget { cluster, labels: _, number, pulsar, python, settings } = target;
        let name = format!("the agent of {cluster}");
        let dir = run.dir().join(cluster);
        fs::create_dir(&dir).map_err(|source| Error::Files { server: name.clone(), source })?;
        let admin = Port::lease(cache).map_err(|source| Error::Ports { server: name.clone(), source })?;
        let token_file = dir.join("join-token");
        fs::write(&token_file, token).map_err(|source| Error::Files { server: name.clone(), source })?;
        let first = FIRST_INSTANCE_PORT + INSTANCE_PORTS * number;
        let mut tree = json!({
            "data": dir.join("data"),
            "gateways": [gateway],
            "join_token_file": token_file,
            "admin": { "listen": format!("127.0.0.1:{admin}") },
            "target": { "host": {
                "runner": programs.runner,
                "pulsar": { "home": pulsar.map(PulsarHome::dir), "python": python.map(PythonVenv::python) },
                "ports": { "first": first, "last": first + INSTANCE_PORTS - 1 },
                // Nothing of an agent's own environment reaches an instance. This variable must, so that the run's end, however
                // it comes, is theirs too.
                "environment": { "LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin", MARK: run.dir() },
            } },
        });
        overlay(&mut tree, settings);
        let config = configure(&name, dir.join("agent.yaml"), &tree)?;
        let program = Program::new(&programs.agent).arg("--config").arg(&config);
        let server = Server::new(name, program, run.dir().join(format!("{cluster}.log")));
        Ok(Self { cluster: cluster.to_owned(), data: dir.join("data"), server, admin })
    }

    /// The cluster's name in the federation.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Its admin port, `http://…`.
    pub fn admin_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.admin)
    }

    /// Its identity, what it shall run, its packages and instances.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its output.
    pub fn log(&self) -> &Path {
        self.server.log()
    }

    /// Kills it without warning; what it runs goes on.
    pub async fn crash(&mut self) -> Result<(), Error> {
        self.server.crash().await.map_err(Error::Server)
    }

    /// Starts it again, if it does not run.
    pub async fn resume(&mut self, run: &Run) -> Result<(), Error> {
        let admin = &self.admin;
        self.server.resume(run, async || ready(admin).await).await.map_err(Error::Server)
    }

    /// Stops it in good order; what it runs goes on.
    pub async fn stop(&mut self) -> Result<(), Error> {
        good_end("isthmus-agent", self.server.stop().await.map_err(Error::Server)?)
    }
}
