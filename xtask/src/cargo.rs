//! How chores call cargo.

use std::{path::PathBuf, process::Command};

/// cargo, with a target directory that fresh checkouts share, so that dependencies are built once a machine.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    if std::env::var_os("CARGO_TARGET_DIR").is_none()
        && let Some(cache) = cache()
    {
        command.env("CARGO_TARGET_DIR", cache.join("target"));
    }
    command
}

/// Where everything that outlives a checkout is kept.
fn cache() -> Option<PathBuf> {
    isthmus_testbed::Cache::from_env().ok().map(|cache| cache.root().to_owned())
}
