//! `cargo xtask bench`: builds what is measured as it would be shipped, and measures it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;

use crate::cargo::cargo;

/// What is measured, and what measures.
const PACKAGES: [&str; 4] = ["isthmus-gateway", "isthmus-agent", "isthmus-runner", "isthmus-tests"];
const BENCH: &str = "isthmus-bench";

/// What can be set. What is measured is the bench's own business.
#[derive(Debug, Clone, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Passed on: accept, propagate, memory, restart, reconcile, end-to-end or all; --json; --help tells the rest.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// One line of what cargo says.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}

/// Runs the bench; `false` when a target is missed.
pub(crate) fn run(root: &Path, options: &Options) -> Result<bool> {
    let program = build(root)?;
    let mut command = std::process::Command::new(program);
    Ok(command.args(&options.arguments).status().context("run the bench")?.success())
}

fn build(root: &Path) -> Result<PathBuf> {
    let output = cargo(&["build", "--release", "--bins", "--message-format=json-render-diagnostics"])
        .args(PACKAGES.iter().flat_map(|package| ["--package", package]))
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .context("run cargo")?;
    ensure!(output.status.success(), "cargo ended with {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    let mut built = text.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok()?.executable);
    built.find(|path| path.file_name().is_some_and(|name| name == BENCH)).context("cargo made no bench")
}
