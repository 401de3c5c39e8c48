//! What of Pulsar is installed on this host, and whether it can be used.
//!
//! A runtime that is not usable is not declared, so nothing that needs it is placed here; the log says what is missing and what
//! to do about it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use isthmus_model::package::PackageRef;

use super::config::Config;

/// The runtimes of this host, each usable or with what is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// Pulsar's Java instance.
    pub java: Result<Interpreter, String>,
    /// Pulsar's Python instance.
    pub python: Result<Interpreter, String>,
    /// The program `isthmus-runner`, without which nothing can be started.
    pub runner: Result<PathBuf, String>,
}

/// A program that runs Pulsar's instances, and the distribution that has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// The program.
    pub program: PathBuf,
    /// Pulsar's distribution.
    pub home: PathBuf,
}

/// An interpreter that does not answer in this time is not usable. Starting Java or importing Python packages takes one or two
/// seconds on a small machine that does other things as well.
const PROBE_DEADLINE: Duration = Duration::from_secs(30);

impl Distribution {
    /// Looks at the host: starts each interpreter once to see that it works.
    pub async fn probe(config: &Config) -> Self {
        let path = config.environment.get("PATH").map(String::as_str).unwrap_or_default();
        let java = async {
            let home = home(config, "instances/java-instance.jar")?;
            let program = program(config.pulsar.java.as_deref(), "java", path, "target.host.pulsar.java")?;
            answers(&program, ["-version"], config, "install a Java runtime of version 17 or 21").await?;
            Ok(Interpreter { program, home })
        };
        let python = async {
            let home = home(config, "instances/python-instance/python_instance_main.py")?;
            let program =
                program(config.pulsar.python.as_deref(), "python3", path, "target.host.pulsar.python")?;
            let main = home.join("instances/python-instance/python_instance_main.py");
            let remedy = "install pulsar-client, grpcio, protobuf, prometheus_client, ratelimit and apache-bookkeeper-client for it";
            answers(&program, [main.as_os_str(), OsStr::new("--help")], config, remedy).await?;
            Ok(Interpreter { program, home })
        };
        let (java, python) = tokio::join!(java, python);
        Self { java, python, runner: runner(config, path) }
    }

    /// The words that are declared: the runtimes that are usable. A Go package brings its runtime with it.
    pub fn capabilities(&self) -> Vec<String> {
        if self.runner.is_err() {
            return Vec::new();
        }
        let usable = [("java", self.java.is_ok()), ("python", self.python.is_ok()), ("go", true)];
        usable.into_iter().filter(|(_, usable)| *usable).map(|(word, _)| word.to_owned()).collect()
    }

    /// Whether something may be found that was not found before.
    pub fn is_missing_something(&self) -> bool {
        self.java.is_err() || self.python.is_err() || self.runner.is_err()
    }

    /// Says in the log what is missing.
    pub fn log_missing(&self) {
        if let Err(missing) = &self.runner {
            tracing::error!("nothing can run on this host: {missing}");
        }
        for (runtime, missing) in [("java", self.java.as_ref().err()), ("python", self.python.as_ref().err())]
        {
            if let Some(missing) = missing {
                tracing::warn!(capability = runtime, "{runtime} is not declared: {missing}");
            }
        }
    }

    /// The file of a package that is not one of the gateway's: a connector or function of the distribution, or a file of it.
    ///
    /// # Errors
    /// There is no such file, with what to do about it.
    pub fn file(&self, package: &PackageRef, builtin: Option<&str>) -> Result<PathBuf, String> {
        let home = self.java.as_ref().or(self.python.as_ref()).map(|interpreter| &interpreter.home);
        let home = home.map_err(|missing| format!("no distribution of Pulsar to take it from: {missing}"))?;
        let named = package.location.strip_prefix("builtin://").or(builtin).filter(|name| !name.is_empty());
        if let Some(name) = named {
            return ["connectors", "functions"]
                .iter()
                .find_map(|folder| nar(&home.join(folder), name))
                .ok_or_else(|| {
                    format!(
                        "{} has no connector or function {name:?}; put its NAR into its folder connectors",
                        home.display()
                    )
                });
        }
        if !package.location.is_empty() {
            let location = &package.location;
            return Err(format!(
                "packages at {location} are not fetched by a host; upload the package to the gateway"
            ));
        }
        // What an image of Pulsar has in /pulsar, the distribution has.
        let file = package.file.strip_prefix("/pulsar/").unwrap_or(&package.file);
        let path = home.join(file);
        if !path.is_file() {
            return Err(format!("there is no file {}; upload the package to the gateway", path.display()));
        }
        Ok(path)
    }
}

fn home(config: &Config, needed: &str) -> Result<PathBuf, String> {
    let Some(home) = &config.pulsar.home else {
        return Err(
            "Pulsar's distribution is not known; set target.host.pulsar.home to the unpacked distribution"
                .into(),
        );
    };
    if !home.join(needed).is_file() {
        return Err(format!(
            "{} has no {needed}; set target.host.pulsar.home to the unpacked distribution (apache-pulsar-VERSION-bin.tar.gz)",
            home.display()
        ));
    }
    Ok(home.clone())
}

fn program(given: Option<&Path>, name: &str, path: &str, key: &str) -> Result<PathBuf, String> {
    match given {
        Some(given) => Ok(given.to_path_buf()),
        None => on_path(name, path).ok_or_else(|| format!("there is no {name} in {path}; set {key}")),
    }
}

fn on_path(name: &str, path: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Next to the agent, because they are installed together; else on the path.
fn runner(config: &Config, path: &str) -> Result<PathBuf, String> {
    const NAME: &str = "isthmus-runner";
    if let Some(given) = &config.runner {
        if !given.is_file() {
            return Err(format!(
                "there is no {}; set target.host.runner to the program {NAME}",
                given.display()
            ));
        }
        return Ok(given.clone());
    }
    let beside = std::env::current_exe().ok().and_then(|own| own.parent().map(|folder| folder.join(NAME)));
    beside.filter(|program| program.is_file()).or_else(|| on_path(NAME, path)).ok_or_else(|| {
        format!("there is no {NAME} next to the agent or in {path}; install it, or set target.host.runner")
    })
}

async fn answers<A: AsRef<OsStr>>(
    program: &Path,
    args: impl IntoIterator<Item = A>,
    config: &Config,
    remedy: &str,
) -> Result<(), String> {
    let mut command = tokio::process::Command::new(program);
    command.args(args).env_clear().envs(&config.environment).stdin(Stdio::null()).kill_on_drop(true);
    let program = program.display();
    match tokio::time::timeout(PROBE_DEADLINE, command.output()).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
            Err(format!("{program} does not work ({}: {last}); {remedy}", output.status))
        }
        Ok(Err(error)) => Err(format!("{program} cannot be started ({error}); {remedy}")),
        Err(_) => Err(format!("{program} did not answer within {PROBE_DEADLINE:?}; {remedy}")),
    }
}

/// The NAR of that name, however it carries the version: `NAME.nar`, `pulsar-io-NAME-4.0.8.nar`.
fn nar(folder: &Path, name: &str) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut matching: Vec<_> = files
        .filter(|path| {
            let file = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            let Some(stem) = file.strip_suffix(".nar") else { return false };
            let stem = stem.strip_prefix("pulsar-io-").unwrap_or(stem);
            match stem.strip_prefix(name) {
                Some("") => true,
                Some(rest) => rest
                    .strip_prefix('-')
                    .is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit())),
                None => false,
            }
        })
        .collect();
    // Of several versions the last by name, so that the choice does not depend on the order of the directory.
    matching.sort();
    matching.pop()
}

#[cfg(test)]
mod tests;
