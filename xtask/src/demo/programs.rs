//! Our own programs, built from this checkout.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::cargo::cargo;

/// Where each program is.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub(super) gateway: PathBuf,
    pub(super) agent: PathBuf,
    pub(super) cli: PathBuf,
    pub(super) runner: PathBuf,
}

/// One line of what cargo says.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}

/// Builds them, with cargo's own progress on standard error.
pub(super) fn build(root: &Path) -> Result<Programs> {
    let packages = ["isthmus-gateway", "isthmus-agent", "isthmus-cli", "isthmus-runner"];
    let output = cargo(&["build", "--bins", "--message-format=json-render-diagnostics"])
        .args(packages.iter().flat_map(|package| ["--package", package]))
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .context("run cargo build")?;
    ensure!(output.status.success(), "the programs cannot be built");
    let built: Vec<PathBuf> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok()?.executable)
        .collect();
    let find = |name: &str| {
        let found = built.iter().find(|path| path.file_name().is_some_and(|file| file == name));
        found.cloned().with_context(|| format!("cargo built no program {name}"))
    };
    Ok(Programs {
        gateway: find("isthmus-gateway")?,
        agent: find("isthmus-agent")?,
        cli: find("isthmus")?,
        runner: find("isthmus-runner")?,
    })
}
