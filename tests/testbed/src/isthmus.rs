//! Our own programs as servers, started as an operator would start them: configuration files, certificates made by
//! `isthmus-gateway init`, agents that join by token, and the CLI with the administrator's profile. TLS and authorisation are on.

mod programs;
mod cli;
mod gateway;
mod agent;
pub mod charts;
pub mod instances;

pub use agent::{Agent, LocalTarget};
pub use cli::Cli;
pub use gateway::Gateway;
pub use programs::Programs;

use std::{path::PathBuf, process::ExitStatus};

use serde_json::Value;

use crate::{
    fs,
    kubernetes::{self, ClientError},
    ports, provision, server,
};

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
    /// Its image could not be built.
    #[error("cannot make the image of a server")]
    Image(#[source] provision::Error),
    /// The cluster does not take what it needs.
    #[error("cannot put a server into a cluster")]
    Cluster(#[source] kubernetes::Error),
    /// The cluster refuses it.
    #[error("cannot install a server in a cluster")]
    Client(#[source] ClientError),
    /// Its pod is not ready.
    #[error("{server} is not ready in its cluster; what is known of it:\n{said}")]
    NotReady {
        /// Which.
        server: String,
        /// Events and the end of its log.
        said: String,
        /// What was waited for.
        source: Box<ClientError>,
    },
}

/// Puts a caller's settings over a tree of ours: what is a map in both is merged, the rest is the caller's; null says nothing.
fn overlay(tree: &mut Value, settings: &Value) {
    match (tree, settings) {
        (Value::Object(tree), Value::Object(settings)) => {
            for (key, value) in settings {
                overlay(tree.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (tree, settings) => *tree = settings.clone(),
    }
}

/// A stop in good order is one that the program calls good.
fn good_end(program: &str, ended: Option<ExitStatus>) -> Result<(), Error> {
    match ended {
        Some(status) if !status.success() => {
            Err(Error::Refused { command: format!("{program}, told to stop,"), status, said: String::new() })
        }
        _ => Ok(()),
    }
}

/// Writes a configuration file; JSON is YAML, and needs no library to be written right.
fn configure(server: &str, path: PathBuf, tree: &Value) -> Result<PathBuf, Error> {
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
