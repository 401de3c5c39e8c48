//! What a node takes beside Kubernetes: Debian's packages, installed where that is allowed.

use super::{Error, Workshop};
use crate::{
    cache::Cache,
    fs,
    process::Program,
    progress::Step,
    run::{Run, lock},
    tools::{Missing, Tool},
};

const WHY: &str = "a node that runs pods, and the images that it runs, are made with it";

const APT: Tool = Tool { program: "apt-get", why: WHY, remedy: "install the packages of a node by hand" };

/// A program of each package that is used here.
const PACKAGES: [(&str, &str); 11] = [
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("conntrack", "conntrack"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("mount", "mount"),
    ("buildah", "buildah"),
    ("mmdebstrap", "mmdebstrap"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
];

impl Cache {
    /// Sees to it that the machine has what nodes and images take beside the programs that are built.
    pub async fn node_tools(&self) -> Result<(), Error> {
        let failed = |source| Error::Cache { item: "the packages of a node".to_owned(), source };
        if lacking().is_empty() {
            return Ok(());
        }
        let apt = APT.find()?;
        fs::create_dir(self.root()).map_err(failed)?;
        let _lock = lock(&self.root().join("packages.lock")).map_err(failed)?;
        let packages = lacking();
        let Some(first) = packages.first() else { return Ok(()) }; // by whoever held the lock before
        if !rustix::process::geteuid().is_root() {
            return Err(missing(first, &packages).into());
        }
        let run = Run::create(self, "packages").map_err(failed)?;
        let dir = run.dir().to_owned();
        let step = Step::begin(format!("Installing {} from Debian", packages.join(", ")));
        let mut workshop = Workshop { item: "the packages of a node", run, dir, step };
        let quiet = |program: Program| program.env("DEBIAN_FRONTEND", "noninteractive");
        let update = Program::new(&apt).args(["update", "--quiet"]);
        workshop.run("apt-get update", quiet(update)).await?;
        let install = Program::new(&apt)
            .args(["install", "--quiet", "--yes", "--no-install-recommends"])
            .args(&packages);
        workshop.run("apt-get install", quiet(install)).await?;
        workshop.step.done();
        match lacking().first() {
            Some(still) => Err(missing(still, &packages).into()),
            None => Ok(()),
        }
    }
}

fn missing(package: &str, all: &[&str]) -> Missing {
    let remedy = format!("on Debian, as root: apt-get install --no-install-recommends {}", all.join(" "));
    Missing { tool: package.to_owned(), why: WHY.to_owned(), remedy }
}

/// The packages whose program is not there.
fn lacking() -> Vec<&'static str> {
    let there = |program: &'static str| Tool { program, why: WHY, remedy: "" }.find().is_ok();
    PACKAGES.into_iter().filter(|(program, _)| !there(program)).map(|(_, package)| package).collect()
}
