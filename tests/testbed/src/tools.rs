//! Programs that the machine must bring, and what to do when it does not.

use std::{
    env,
    ffi::OsStr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Something the machine lacks and that cannot be provided here.
///
/// A caller may count what needs it as skipped; it must say so with this text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{tool} is missing: {why}; {remedy}")]
pub struct Missing {
    /// What is missing, as a person would call it.
    pub tool: String,
    /// What it is needed for.
    pub why: String,
    /// What to do about it.
    pub remedy: String,
}

/// A program looked up in `PATH`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    pub(crate) why: &'static str,
    pub(crate) remedy: &'static str,
}

pub(crate) const MAVEN: Tool = Tool {
    program: "mvn",
    why: "Pulsar's server distribution is had as a Maven artifact",
    remedy: "on Debian: apt-get install maven",
};
pub(crate) const JAVA: Tool = Tool {
    program: "java",
    why: "Pulsar 4.0 runs on Java 17 or newer",
    remedy: "on Debian: apt-get install openjdk-17-jre-headless",
};
pub(crate) const GO: Tool = Tool {
    program: "go",
    why: "etcd and Kubernetes are built from their Go modules",
    remedy: "install Go 1.24 or newer; on Debian: apt-get install golang-go (from backports where the release has an older one)",
};
pub(crate) const PYTHON: Tool = Tool {
    program: "python3",
    why: "Pulsar's Python instance and the witness client run on it",
    remedy: "on Debian: apt-get install python3 python3-venv",
};
pub(crate) const TAR: Tool = Tool {
    program: "tar",
    why: "the server distribution is a tarball",
    remedy: "on Debian: apt-get install tar gzip",
};
pub(crate) const SETSID: Tool = Tool {
    program: "setsid",
    why: "each server runs in a session of its own, to be ended as a whole",
    remedy: "on Debian: apt-get install util-linux",
};

impl Tool {
    /// Where `PATH` has it.
    pub(crate) fn find(self) -> Result<PathBuf, Missing> {
        self.find_in(&env::var_os("PATH").unwrap_or_default())
    }

    fn find_in(self, path: &OsStr) -> Result<PathBuf, Missing> {
        env::split_paths(path)
            .map(|dir| dir.join(self.program))
            .find(|candidate| is_executable(candidate))
            .ok_or_else(|| self.missing(self.why))
    }

    /// It is there but will not do, for a reason of its own.
    pub(crate) fn missing(self, why: impl Into<String>) -> Missing {
        Missing { tool: self.program.to_owned(), why: why.into(), remedy: self.remedy.to_owned() }
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_named_with_its_remedy() {
        let missing = MAVEN.find_in(OsStr::new("/nonexistent")).unwrap_err();

        assert_eq!(
            missing.to_string(),
            "mvn is missing: Pulsar's server distribution is had as a Maven artifact; on Debian: apt-get install maven"
        );
    }

    #[test]
    fn a_file_that_cannot_be_executed_is_no_tool() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("mvn"), "").unwrap();

        assert!(MAVEN.find_in(dir.path().as_os_str()).is_err());
    }
}
