//! A Python with the packages that Pulsar's Python instance imports, and with the official client.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{Error, Recipe, Workshop};
use crate::{
    cache::Cache,
    process::Program,
    tools::{Missing, PYTHON},
};

/// Every package with its version, those that they pull in included.
const REQUIREMENTS: &str = include_str!("../../clients/requirements.txt");

/// Also fails, with its own word for it, where Debian has split `venv` off into a package of its own.
const IDENTIFY: &str = "import ensurepip, sys, venv; print(sys.base_prefix, sys.version)";

/// A virtual environment.
#[derive(Debug, Clone)]
pub struct PythonVenv {
    dir: PathBuf,
}

impl PythonVenv {
    /// The interpreter that sees the packages.
    pub fn python(&self) -> PathBuf {
        self.dir.join("bin/python")
    }

    /// The directory to put first into `PATH` for those that call `python3` by name.
    pub fn bin(&self) -> PathBuf {
        self.dir.join("bin")
    }

    /// The environment itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Cache {
    /// A Python for Pulsar's Python instance and for [`crate::Traffic`].
    pub async fn python(&self) -> Result<PythonVenv, Error> {
        let python = PYTHON.find()?;
        let identity = identify(&python)?;
        Ok(PythonVenv { dir: self.provide(&Venv { python, identity }).await? })
    }
}

/// An environment is bound to the interpreter it was made with.
fn identify(python: &Path) -> Result<String, Missing> {
    let output = Command::new(python)
        .args(["-c", IDENTIFY])
        .output()
        .map_err(|error| PYTHON.missing(format!("{} cannot be run ({error})", python.display())))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said.lines().last().unwrap_or("no word").trim();
    Err(PYTHON.missing(format!("{} cannot make virtual environments ({reason})", python.display())))
}

struct Venv {
    python: PathBuf,
    identity: String,
}

impl Recipe for Venv {
    fn name(&self) -> &'static str {
        "python"
    }

    fn title(&self) -> String {
        "Installing the packages of Pulsar's Python instance".to_owned()
    }

    fn inputs(&self) -> Vec<String> {
        vec![self.identity.clone(), REQUIREMENTS.to_owned()]
    }

    async fn build(&self, workshop: &mut Workshop<'_>) -> Result<(), Error> {
        let requirements = workshop.run.dir().join("requirements.txt");
        workshop.write(&requirements, REQUIREMENTS)?;
        let make = Program::new(&self.python).args(["-m", "venv"]).arg(&workshop.dir);
        workshop.run("python3 -m venv", make).await?;
        // By the interpreter and not by bin/pip, whose first line names a path that the renaming ends.
        let install = Program::new(workshop.dir.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--only-binary=grpcio,fastavro,pulsar-client",
                "--requirement",
            ])
            .arg(requirements);
        workshop.run("pip install", install).await
    }
}
