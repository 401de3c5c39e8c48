//! The smallest server: one port that takes connections and says nothing. Its end is tested in `tests/program.rs`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use futures::StreamExt;
use isthmus_daemon::listener::{self, Listener, Security};
use isthmus_daemon::program::{self, BoxError, Common, Options, Program, Server, Settings};
use isthmus_daemon::tasks::{OnFailure, OnShutdown, Stage};
use isthmus_daemon::{admin, config, runtime, shutdown, telemetry};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
struct Config {
    runtime: runtime::Config,
    log: telemetry::Config,
    admin: admin::Config,
    shutdown: shutdown::Config,
    listen: SocketAddr,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            runtime: runtime::Config::default(),
            log: telemetry::Config::default(),
            admin: admin::Config::default(),
            shutdown: shutdown::Config::default(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }
}

impl Settings for Config {
    fn common(&self) -> Common<'_> {
        Common { runtime: self.runtime, log: &self.log, admin: &self.admin, shutdown: self.shutdown }
    }

    fn check(&self) -> Result<(), config::Error> {
        listener::permitted(self.listen, &Security::Plaintext)
            .map_err(|problem| config::Error::refused("listen", problem))
    }
}

async fn start(config: Config, server: Server) -> Result<(), BoxError> {
    const LAST_WORDS: OnShutdown = OnShutdown::Drain { deadline: Duration::from_secs(5) };
    let limits = listener::Limits::default();
    let listener = Listener::bind("silence", config.listen, limits, Security::Plaintext).await?;
    let mut incoming = listener.accept(&server.tasks);
    server.tasks.spawn("serve", OnFailure::EndProcess, Stage::Drain, LAST_WORDS, |_| async move {
        while incoming.next().await.is_some() {}
    });
    Ok(())
}

fn main() -> ExitCode {
    let program = Program { name: "silence", version: env!("CARGO_PKG_VERSION"), env_prefix: "SILENCE" };
    program::run(program, Options::parse(), start)
}
