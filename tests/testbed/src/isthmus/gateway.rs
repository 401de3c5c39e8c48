//! A gateway with its own certificate authority.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::process::Command;

use super::{Cli, Error, Programs, configure, good_end, overlay, ready};
use crate::{cache::Cache, fs, ports::Port, process::Program, run::Run, server::Server};

const NAME: &str = "the gateway";

/// A running gateway; dropping it kills it. Its data lies in the run's directory.
#[derive(Debug)]
pub struct Gateway {
    server: Server,
    cli: Cli,
    data: PathBuf,
    api: Port,
    admin: Port,
}

impl Gateway {
    /// Makes its certificates and the administrator's profile, starts it and waits until it serves.
    ///
    /// `settings` is what else the configuration file shall say.
    pub async fn start(
        run: &Run,
        cache: &Cache,
        programs: &Programs,
        settings: &Value,
    ) -> Result<Self, Error> {
        let files = |source| Error::Files { server: NAME.to_owned(), source };
        let ports = |source| Error::Ports { server: NAME.to_owned(), source };
        let dir = run.dir().join("gateway");
        fs::create_dir(&dir).map_err(files)?;
        let (api, admin) = (Port::lease(cache).map_err(ports)?, Port::lease(cache).map_err(ports)?);
        let data = dir.join("data");
        let mut tree = json!({
            "data": data,
            "server": { "listen": format!("127.0.0.1:{api}") },
            "admin": { "listen": format!("127.0.0.1:{admin}") },
        });
        overlay(&mut tree, settings);
        let config = configure(NAME, dir.join("gateway.yaml"), &tree)?;
        let profile = dir.join("cli.yaml");
        init(&programs.gateway, &config, &profile).await?;
        let program = Program::new(&programs.gateway).arg("--config").arg(&config);
        let server = Server::new(NAME, program, run.dir().join("gateway.log"));
        let mut gateway = Self { server, cli: Cli::new(&programs.cli, &profile), data, api, admin };
        gateway.resume(run).await?;
        Ok(gateway)
    }

    /// Where clients and agents connect, `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.api)
    }

    /// Its admin port, `http://…`.
    pub fn admin_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.admin)
    }

    /// The administrator's CLI.
    pub fn cli(&self) -> &Cli {
        &self.cli
    }

    /// Where its store and keys are.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its output.
    pub fn log(&self) -> &Path {
        self.server.log()
    }

    /// Kills it without warning.
    pub async fn crash(&mut self) -> Result<(), Error> {
        self.server.crash().await.map_err(Error::Server)
    }

    /// Starts it again on the same port and data, if it does not run.
    pub async fn resume(&mut self, run: &Run) -> Result<(), Error> {
        let admin = &self.admin;
        self.server.resume(run, async || ready(admin).await).await.map_err(Error::Server)
    }

    /// Stops it in good order.
    pub async fn stop(&mut self) -> Result<(), Error> {
        good_end("isthmus-gateway", self.server.stop().await.map_err(Error::Server)?)
    }
}

async fn init(program: &Path, config: &Path, profile: &Path) -> Result<(), Error> {
    let output = Command::new(program)
        .args(["init", "--config"])
        .arg(config)
        .arg("--profile")
        .arg(profile)
        .output()
        .await
        .map_err(|source| Error::Run { program: "isthmus-gateway init".to_owned(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(Error::Refused { command: "isthmus-gateway init".to_owned(), status: output.status, said })
}
