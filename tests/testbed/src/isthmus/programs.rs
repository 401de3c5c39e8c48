//! The programs, built from the checkout that this crate belongs to.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde::Deserialize;
use tokio::process::Command;

use super::Error;
use crate::{
    cache::Cache,
    cargo::cargo,
    provision::{ImageServer, ProgramImages},
};

const PACKAGES: [&str; 4] = ["isthmus-gateway", "isthmus-agent", "isthmus-cli", "isthmus-runner"];

/// Where each program is.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `isthmus-gateway`.
    pub gateway: PathBuf,
    /// `isthmus-agent`.
    pub agent: PathBuf,
    /// `isthmus`.
    pub cli: PathBuf,
    /// `isthmus-runner`.
    pub runner: PathBuf,
}

/// One line of what cargo says.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}

impl Programs {
    /// Builds them, with cargo's own progress on standard error, into the target directory in use: the one that the
    /// environment names, else of a test the one that it was built into, else the cache's. So what a test that cargo started
    /// by itself needs is not built twice, and all chores share one directory, which outlives a checkout.
    pub async fn build(cache: &Cache) -> Result<Self, Error> {
        let mut cargo = Command::from(cargo());
        if env::var_os("CARGO_TARGET_DIR").is_none() {
            cargo.env("CARGO_TARGET_DIR", own_target_dir().unwrap_or_else(|| cache.root().join("target")));
        }
        let output = cargo
            .args(["build", "--bins", "--message-format=json-render-diagnostics"])
            .args(PACKAGES.iter().flat_map(|package| ["--package", package]))
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|source| Error::Run { program: "cargo".to_owned(), source })?;
        if !output.status.success() {
            return Err(Error::Build { why: format!("cargo ended with {}", output.status) });
        }
        let built: Vec<PathBuf> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<Message>(line).ok()?.executable)
            .collect();
        let find = |name: &str| {
            let found = built.iter().find(|path| path.file_name().is_some_and(|file| file == name));
            found.cloned().ok_or_else(|| Error::Build { why: format!("cargo made no program {name}") })
        };
        Ok(Self {
            gateway: find("isthmus-gateway")?,
            agent: find("isthmus-agent")?,
            cli: find("isthmus")?,
            runner: find("isthmus-runner")?,
        })
    }

    /// Images of gateway and agent, for clusters.
    pub async fn images(&self, cache: &Cache) -> Result<ProgramImages, Error> {
        let programs = [(ImageServer::Gateway, &*self.gateway), (ImageServer::Agent, &*self.agent)];
        ProgramImages::build(cache, &programs).await.map_err(Error::Image)
    }
}

/// The target directory that holds the running test: `TARGET/debug/deps/suites-…`.
fn own_target_dir() -> Option<PathBuf> {
    target_of_test(&env::current_exe().ok()?)
}

fn target_of_test(program: &Path) -> Option<PathBuf> {
    let deps = program.parent().filter(|path| path.ends_with("debug/deps"))?;
    deps.ancestors().nth(2).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_builds_where_it_was_built_and_a_chore_does_not() {
        let target = |program: &str| target_of_test(Path::new(program));
        assert_eq!(target("/src/target/debug/deps/suites-1234"), Some("/src/target".into()));
        assert_eq!(target("/src/target/debug/xtask"), None);
    }
}
