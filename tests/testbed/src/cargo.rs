//! cargo, called by a program that cargo itself started.

use std::{env, process::Command};

/// What cargo tells a program of the package that it belongs to. Build scripts read variables of the same names and say so;
/// passed on, they would have `ring`, and all that stands on it, built anew at each change between a shell and a chore.
const OF_A_PACKAGE: [&str; 5] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_PACKAGE"];

/// The cargo that started this program, else the one in `PATH`, as a shell would start it.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| OF_A_PACKAGE.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_calling_package_is_passed_on() {
        assert!(env::var_os("CARGO_PKG_NAME").is_some(), "cargo tells tests their package");

        let command = cargo();

        assert!(command.get_envs().any(|(name, value)| name == "CARGO_PKG_NAME" && value.is_none()));
    }
}
