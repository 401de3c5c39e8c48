//! What is written down about an instance, and where: the agent's memory over its own restarts.
//!
//! ```text
//! DATA/instances/UID/INDEX/
//!   record.json    by the agent, before the guard is started: what is started, and with which ports
//!   env.json       by the agent, for the guard: the environment, secrets included (mode 0600) but for those that travelled sealed,
//!                  which the guard gets over its standard input
//!   files/         by the agent: logging configuration and other files that the command names
//!   package/       by the agent: a hard link to the package, under the name that the runtime expects
//!   state.json     by the guard: who runs (pid and start time)
//!   exit.json      by the guard, last: how it ended
//!   instance.log   by the guard, and .1, .2, … for what was put aside
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use isthmus_model::name::{Digest, Uid};
use isthmus_model::order::{Generation, Revision, UnixMillis};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ports::Pair;
use super::process::Identity;

/// One instance of one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// The component.
    pub(crate) uid: Uid,
    /// Which of its instances, from 0.
    pub(crate) index: u32,
}

/// What was started. Written before the guard is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    /// The generation that asked for it.
    pub(crate) generation: Generation,
    /// The revision of its spec.
    pub(crate) revision: Revision,
    /// What tells whether another generation wants the same process: see `command::Command::identity`.
    pub(crate) command: Digest,
    /// Its ports.
    pub(crate) ports: Pair,
    /// Starts after the first, this one included.
    pub(crate) restarts: u64,
    /// Its environment holds secrets that are written down nowhere, so that nobody can tell whether its log repeats one.
    #[serde(default)]
    pub(crate) sealed: bool,
}

/// What the guard says while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    /// The guard itself.
    pub(crate) guard: Identity,
    /// The program that it guards.
    pub(crate) child: Identity,
    /// When the program was started.
    pub(crate) started_at_unix_ms: u64,
}

/// What the guard says when it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exit {
    /// The program's exit code, if it had one.
    #[serde(default)]
    pub(crate) code: Option<i32>,
    /// The signal that ended it, if one did.
    #[serde(default)]
    pub(crate) signal: Option<i32>,
    /// When.
    #[serde(default)]
    pub(crate) ended_at_unix_ms: UnixMillis,
    /// Why.
    pub(crate) reason: ExitReason,
    /// Why it could not be started.
    #[serde(default)]
    pub(crate) error: String,
}

/// Why a guard ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ExitReason {
    /// The program ended by itself.
    Exited,
    /// The guard was told to stop it.
    Stopped,
    /// The lease was not renewed.
    LeaseExpired,
    /// The program could not be started.
    StartFailed,
}

impl Exit {
    /// One sentence for people.
    pub(crate) fn sentence(&self) -> String {
        match (self.reason, self.code, self.signal) {
            (ExitReason::StartFailed, ..) => format!("the instance could not be started: {}", self.error),
            (ExitReason::Stopped, ..) => "the instance was stopped".into(),
            (ExitReason::LeaseExpired, ..) => "the instance was stopped because its lease was over".into(),
            (ExitReason::Exited, Some(code), _) => format!("the instance ended with exit code {code}"),
            (ExitReason::Exited, None, Some(signal)) => format!("the instance was ended by signal {signal}"),
            (ExitReason::Exited, None, None) => "the instance ended".into(),
        }
    }
}

/// The directories of all instances.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    instances: PathBuf,
}

/// The directory of one instance.
#[derive(Debug, Clone)]
pub(crate) struct InstanceDir(PathBuf);

impl Layout {
    /// Below the target's data directory.
    pub(crate) fn new(data: &Path) -> Self {
        Self { instances: data.join("instances") }
    }

    /// The directory of one instance.
    pub(crate) fn instance(&self, key: Key) -> InstanceDir {
        InstanceDir(self.instances.join(key.uid.to_string()).join(key.index.to_string()))
    }

    /// All instances that have a directory, in order. What has no name of ours is left alone.
    pub(crate) fn found(&self) -> io::Result<Vec<Key>> {
        let mut keys = Vec::new();
        for component in entries(&self.instances)? {
            let Some(uid) = name(&component).and_then(|name| name.parse().ok()) else { continue };
            for instance in entries(&component)? {
                let Some(index) = name(&instance).and_then(|name| name.parse().ok()) else { continue };
                keys.push(Key { uid, index });
            }
        }
        keys.sort_unstable();
        Ok(keys)
    }

    /// Removes what is left of an instance, and of its component when that was the last one.
    pub(crate) fn remove(&self, key: Key) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.instance(key).0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        match std::fs::remove_dir(self.instances.join(key.uid.to_string())) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

impl InstanceDir {
    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Where files that the command names are written.
    pub(crate) fn files(&self) -> PathBuf {
        self.0.join("files")
    }

    /// Where the package is linked.
    pub(crate) fn package(&self) -> PathBuf {
        self.0.join("package")
    }

    /// The log that is written to.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("instance.log")
    }

    /// What was started here, if it can be read.
    pub(crate) fn record(&self) -> io::Result<Option<Record>> {
        read(&self.0.join("record.json"))
    }

    /// Who runs here, as the guard said.
    pub(crate) fn state(&self) -> io::Result<Option<State>> {
        read(&self.0.join("state.json"))
    }

    /// How it ended, as the guard said.
    pub(crate) fn exit(&self) -> io::Result<Option<Exit>> {
        read(&self.0.join("exit.json"))
    }

    /// Writes down what is going to be started, durably, after taking away what the run before said of itself.
    pub(crate) fn begin(&self, record: &Record) -> io::Result<()> {
        for stale in ["state.json", "exit.json"] {
            match std::fs::remove_file(self.0.join(stale)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        write(&self.0, "record.json", &serde_json::to_vec(record)?)
    }

    /// Replaces the record of what runs on. Not durable: what is lost is noted again after the next start.
    pub(crate) fn note(&self, record: &Record) -> io::Result<()> {
        replace(&self.0, "record.json", &serde_json::to_vec(record)?)
    }

    /// Writes the environment for the guard; nobody else may read it.
    pub(crate) fn environment(&self, variables: &BTreeMap<String, String>) -> io::Result<()> {
        write(&self.0, "env.json", &serde_json::to_vec(variables)?)
    }

    /// Values that may be secrets: of all variables but those that the host or the agent sets.
    pub(crate) fn secret_values(&self) -> io::Result<Vec<String>> {
        const OPEN: [&str; 6] =
            ["LANG", "PATH", "PULSAR_HOME", "PYTHONPATH", "PYTHONUNBUFFERED", super::process::MARK];
        let variables: BTreeMap<String, String> = read(&self.0.join("env.json"))?.unwrap_or_default();
        Ok(variables
            .into_iter()
            .filter(|(name, _)| !OPEN.contains(&name.as_str()))
            .map(|(_, value)| value)
            .collect())
    }
}

/// A JSON file; `None` when there is none. A file that is not whole is an error, because ours are replaced atomically.
fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces a file atomically and durably; it is readable by its owner only, as temporary files are.
pub(super) fn write(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(directory.join(name)).map_err(|error| error.error)?;
    File::open(directory)?.sync_all()
}

/// Replaces a file atomically.
pub(super) fn replace(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    file.persist(directory.join(name)).map(drop).map_err(|error| error.error)
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}
