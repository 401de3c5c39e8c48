//! Our own programs as servers, started as an operator would start them: configuration files, certificates made by
//! `isthmus-gateway init`, agents that join by token, and the CLI with the administrator's profile. TLS and authorisation are on.

mod programs;
mod cli;
mod gateway;
mod agent;

pub use agent::{Agent, LocalTarget};
pub use cli::Cli;
pub use gateway::Gateway;
pub use programs::Programs;

use std::{path::PathBuf, process::ExitStatus};

use crate::{fs, ports, server};

/// One of our programs did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// They could not be built.
    #[error("cannot build the programs: {why}")]
    Build {
        /// What is wrong.
        why: String,
    },
    /// A program could not be run.
    #[error("cannot run {program}")]
    Run {
        /// Which.
        program: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// A program said no.
    #[error("{command} ended with {status}:\n{said}")]
    Refused {
        /// As it would be typed.
        command: String,
        /// Its exit status.
        status: ExitStatus,
        /// What it printed.
        said: String,
    },
    /// A file that a server needs could not be written.
    #[error("cannot prepare {server}")]
    Files {
        /// Which server.
        server: String,
        /// The file system's word.
        source: fs::Error,
    },
    /// No port was free.
    #[error("cannot prepare {server}")]
    Ports {
        /// Which server.
        server: String,
        /// Why not.
        source: ports::Error,
    },
    /// It did not start or stop.
    #[error(transparent)]
    Server(server::Error),
}

/// Writes a configuration file; JSON is YAML, and needs no library to be written right.
fn configure(server: &str, path: PathBuf, tree: &serde_json::Value) -> Result<PathBuf, Error> {
    let written = fs::write(&path, format!("{tree:#}\n"));
    written.map_err(|source| Error::Files { server: server.to_owned(), source })?;
    Ok(path)
}

/// Asks a server's admin port whether it is ready.
async fn ready(admin: &ports::Port) -> Result<(), String> {
    crate::admin::get(&format!("http://127.0.0.1:{admin}/readyz"))
        .await
        .map(|_| ())
        .map_err(|error| error.to_string())
}
