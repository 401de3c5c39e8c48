//! An agent with a local target.

use std::path::Path;

use serde_json::json;

use super::{Error, Gateway, Programs, configure, ready};
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
    /// Has the instances.
    pub pulsar: &'a PulsarHome,
    /// Runs those in Python.
    pub python: &'a PythonVenv,
}

/// A running agent; dropping it kills it. Instances outlive it, as they shall, but not the run.
#[derive(Debug)]
pub struct Agent {
    cluster: String,
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
        let LocalTarget { cluster, labels, number, pulsar, python } = target;
        let name = format!("the agent of {cluster}");
        let dir = run.dir().join(cluster);
        fs::create_dir(&dir).map_err(|source| Error::Files { server: name.clone(), source })?;
        let admin = Port::lease(cache).map_err(|source| Error::Ports { server: name.clone(), source })?;
        let token = gateway.cli().call(&["cluster", "join-token", cluster, "--labels", labels]).await?;
        let token_file = dir.join("join-token");
        fs::write(&token_file, token.trim())
            .map_err(|source| Error::Files { server: name.clone(), source })?;
        let first = FIRST_INSTANCE_PORT + INSTANCE_PORTS * number;
        let tree = json!({
            "data": dir.join("data"),
            "gateways": [gateway.address()],
            "join_token_file": token_file,
            "admin": { "listen": format!("127.0.0.1:{admin}") },
            "target": { "host": {
                "runner": programs.runner,
                "pulsar": { "home": pulsar.dir(), "python": python.python() },
                "ports": { "first": first, "last": first + INSTANCE_PORTS - 1 },
                // Nothing of an agent's own environment reaches an instance. This variable must, so that the run's end, however
                // it comes, is theirs too.
                "environment": { "LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin", MARK: run.dir() },
            } },
        });
        let config = configure(&name, dir.join("agent.yaml"), &tree)?;
        let program = Program::new(&programs.agent).arg("--config").arg(&config);
        let server = Server::new(name, program, run.dir().join(format!("{cluster}.log")));
        let mut agent = Self { cluster: cluster.to_owned(), server, admin };
        agent.resume(run).await?;
        Ok(agent)
    }

    /// The cluster's name in the federation.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Its admin port, `http://…`.
    pub fn admin_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.admin)
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
    pub async fn stop(mut self) -> Result<(), Error> {
        self.server.stop().await.map_err(Error::Server)
    }
}
