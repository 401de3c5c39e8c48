//! The workspace's packages, as cargo tells them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::cargo::cargo;

/// Dependencies that are heavy or bind to a system, each kept to the crates that are made for it.
const GUARDED: [&str; 7] =
    ["kube", "k8s-openapi", "pulsar", "rusqlite", "etcd-client", "wasmtime", "isthmus-testbed"];

/// One crate of the workspace.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: String,
    /// Its directory.
    pub(super) dir: PathBuf,
    /// The root source file of each of its libraries, programs, test binaries and so on, the library first.
    pub(super) roots: Vec<PathBuf>,
    /// Crates of the workspace that it depends on.
    pub(super) uses: Vec<String>,
    /// Crates of the workspace that only its tests depend on.
    pub(super) tests_use: Vec<String>,
    /// Which of the guarded dependencies it has.
    pub(super) brings: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<PathBuf>,
}

/// All packages, by name.
pub(super) fn packages(root: &Path) -> Result<Vec<Package>> {
    let output = cargo(&["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("run cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("read the output of cargo metadata")?;
    let mut packages: Vec<Package> = metadata.packages.into_iter().map(Package::from).collect();
    packages.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(packages)
}

impl From<Described> for Package {
    fn from(described: Described) -> Self {
        let Described { name, manifest_path, mut targets, dependencies } = described;
        targets.sort_by_key(|target| !target.kind.iter().any(|kind| kind == "lib"));
        let names = |chosen: &dyn Fn(&Dependency) -> bool| {
            let mut names: Vec<String> =
                dependencies.iter().filter(|found| chosen(found)).map(|found| found.name.clone()).collect();
            names.sort();
            names.dedup();
            names
        };
        let in_tests = |found: &Dependency| found.kind.as_deref() == Some("dev");
        Self {
            dir: manifest_path.parent().map(Path::to_owned).unwrap_or_default(),
            roots: targets.into_iter().map(|target| target.src_path).collect(),
            uses: names(&|found| found.path.is_some() && !in_tests(found)),
            tests_use: names(&|found| found.path.is_some() && in_tests(found)),
            brings: names(&|found| GUARDED.contains(&found.name.as_str())),
            name,
        }
    }
}
