//! etcd, built from its Go module.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{Error, Recipe, Workshop};
use crate::{
    cache::Cache,
    fs,
    process::Program,
    tools::{GO, Missing},
};

const MAIN: &str = include_str!("../../etcd/main.go");
const MODULE: &str = include_str!("../../etcd/go.mod");
const SUMS: &str = include_str!("../../etcd/go.sum");

/// Link without symbol tables: half the size, and nobody debugs etcd here.
const LINK: &str = "-s -w";

/// The first Go that understands `go 1.24` in a `go.mod`; anything newer than this fetches what it lacks by itself.
const OLDEST_GO: (u32, u32) = (1, 21);

impl Cache {
    /// The etcd 3.6 server program.
    pub async fn etcd(&self) -> Result<PathBuf, Error> {
        Ok(self.provide(&EtcdServer).await?.join("etcd"))
    }
}

struct EtcdServer;

impl Recipe for EtcdServer {
    fn name(&self) -> &'static str {
        "etcd"
    }

    fn title(&self) -> String {
        "Building etcd 3.6".to_owned()
    }

    fn inputs(&self) -> Vec<String> {
        [MAIN, MODULE, SUMS, LINK].map(str::to_owned).to_vec()
    }

    async fn build(&self, workshop: &mut Workshop<'_>) -> Result<(), Error> {
        let go = GO.find()?;
        refuse_old(&go)?;
        let source = workshop.run.dir().join("source");
        fs::create_dir(&source).map_err(|error| workshop.refused(error))?;
        for (name, content) in [("main.go", MAIN), ("go.mod", MODULE), ("go.sum", SUMS)] {
            workshop.write(&source.join(name), content)?;
        }
        let build = Program::new(go)
            .args(["build", "-trimpath", "-mod=readonly", "-ldflags", LINK, "-o"])
            .arg(workshop.dir.join("etcd"))
            .arg(".")
            .env("CGO_ENABLED", "0")
            .cwd(&source);
        workshop.run("go build", build).await
    }
}

fn refuse_old(go: &Path) -> Result<(), Missing> {
    let output = Command::new(go).args(["env", "GOVERSION"]).output();
    let output = output.map_err(|error| GO.missing(format!("{} cannot be run ({error})", go.display())))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match parse(&version) {
        Some(found) if found < OLDEST_GO => {
            Err(GO.missing(format!("{version} is too old to build etcd 3.6")))
        }
        _ => Ok(()), // development versions have no number; the build will tell
    }
}

fn parse(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix("go")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_versions_compare_as_numbers() {
        assert!(parse("go1.19.8").unwrap() < OLDEST_GO);
        assert!(parse("go1.100").unwrap() > OLDEST_GO);
        assert_eq!(parse("devel +abc"), None);
    }
}
