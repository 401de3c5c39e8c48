//! How chores call cargo.

use std::process::Command;

use isthmus_testbed::Cache;

/// cargo, with a target directory that fresh checkouts share, so that dependencies are built once a machine.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = isthmus_testbed::cargo::cargo();
    command.args(args);
    if std::env::var_os("CARGO_TARGET_DIR").is_none()
        && let Ok(cache) = Cache::from_env()
    {
        command.env("CARGO_TARGET_DIR", cache.root().join("target"));
    }
    command
}
