//! What a node's containerd knows from its start: the runners, and what holds pods open.
//!
//! Unpacking a gigabyte takes a cluster longer than everything else together. So it is done once, by a containerd that does
//! nothing else, and each node sees what that left: nothing of it is ever written to, but for two small databases.

use std::path::{Path, PathBuf};

use super::{
    super::{Error, PulsarHome, Recipe, Workshop, pulsar},
    buildah::{Build, Buildah},
    debian, reference,
};
use crate::{
    cache::Cache,
    fs::{self, Attempted},
    process::Program,
};

const PAUSE: &str = "FROM scratch\nCOPY pause /pause\nENTRYPOINT [\"/pause\"]\n";
const BASE: &str = include_str!("../../../../../deploy/images/base/Containerfile");
const JAVA: &str = include_str!("../../../../../deploy/images/java/Containerfile");
const PYTHON: &str = include_str!("../../../../../deploy/images/python/Containerfile");
const GO: &str = include_str!("../../../../../deploy/images/go/Containerfile");
const REQUIREMENTS: &str = include_str!("../../../clients/requirements.txt");

/// Unpacks a layout in a place of its own; see the script.
const UNPACK: &str = include_str!("unpack.sh");

/// Lends what was unpacked to a node; see the script.
const LEND: &str = include_str!("lend.sh");

const ROOT: &str = "containerd";

/// The images of a node, unpacked.
#[derive(Debug, Clone)]
pub struct NodeImages {
    dir: PathBuf,
}

impl NodeImages {
    /// Runs functions, sources and sinks in Java.
    pub fn java() -> String {
        reference("runner-java", pulsar::VERSION)
    }

    /// Runs functions in Python.
    pub fn python() -> String {
        reference("runner-python", pulsar::VERSION)
    }

    /// Runs functions in Go.
    pub fn go() -> String {
        reference("runner-go", pulsar::VERSION)
    }

    /// Does nothing.
    pub fn pause() -> String {
        reference("pause", "testbed")
    }

    /// Puts them to where a containerd that does not run yet has its root, on the same file system. To be run in the mount
    /// namespace in which that will run.
    pub(crate) fn lend_to(&self, root: &Path) -> Program {
        Program::new("/bin/sh").args(["-c", LEND, "lend"]).arg(self.dir.join(ROOT)).arg(root)
    }
}

impl Cache {
    /// What nodes begin with.
    pub async fn node_images(&self) -> Result<NodeImages, Error> {
        self.node_tools().await?;
        let debian = self.debian_image().await?;
        let pause = self.kubernetes().await?.pause();
        let pulsar = self.pulsar().await?;
        Ok(NodeImages { dir: self.provide(&Images { debian, pause, pulsar }).await? })
    }
}

struct Images {
    debian: PathBuf,
    pause: PathBuf,
    pulsar: PulsarHome,
}

impl Recipe for Images {
    fn name(&self) -> &'static str {
        "node-images"
    }

    fn title(&self) -> String {
        "Building the images of the runners".to_owned()
    }

    fn inputs(&self) -> Vec<String> {
        let items =
            [self.debian.as_path(), &self.pause, self.pulsar.dir()].map(|path| path.display().to_string());
        let files = [PAUSE, BASE, JAVA, PYTHON, GO, REQUIREMENTS, UNPACK].map(str::to_owned);
        items.into_iter().chain(files).collect()
    }

    async fn build(&self, workshop: &mut Workshop<'_>) -> Result<(), Error> {
        let context = workshop.run.dir().join("context");
        fs::create_dir(&context).map_err(|error| workshop.refused(error))?;
        let copied = std::fs::copy(&self.pause, context.join("pause")).attempted("copy", &self.pause);
        copied.map_err(|error| workshop.refused(error))?;
        workshop.write(&context.join("requirements.txt"), REQUIREMENTS)?;
        let distribution = Program::new("cp").args(["--archive", "--link"]).arg(self.pulsar.dir());
        workshop.run("cp", distribution.arg(context.join("pulsar"))).await?;
        // Programs of the distribution that ran on this machine may have logged there.
        fs::remove_dir(&context.join("pulsar/logs")).map_err(|error| workshop.refused(error))?;

        let (debian, base) = (debian::tag(), reference("runner-base", pulsar::VERSION));
        let images = [
            (NodeImages::pause(), None, PAUSE),
            (base.clone(), Some(debian.as_str()), BASE),
            (NodeImages::java(), Some(base.as_str()), JAVA),
            (NodeImages::python(), Some(base.as_str()), PYTHON),
            (NodeImages::go(), Some(base.as_str()), GO),
        ];
        let buildah = Buildah::new(workshop);
        buildah.take(workshop, &self.debian).await?;
        let layout = workshop.run.dir().join("layout");
        for (tag, base, containerfile) in &images {
            let image = Build { tag, base: *base, containerfile, context: &context };
            buildah.build(workshop, image).await?;
            buildah.export(workshop, tag, &layout).await?;
        }
        let root = workshop.dir.join(ROOT);
        let unpack = Program::new("unshare")
            .args([
                "--mount",
                "--propagation",
                "private",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "--",
            ])
            .args(["/bin/sh", "-c", UNPACK, "unpack"])
            .arg(&layout)
            .arg(&root);
        workshop.run("containerd", unpack).await?;
        workshop.must_exist(root).map(drop)
    }
}
