//! Images, built from Containerfiles without an engine, as archives that a container runtime imports.

use std::path::{Path, PathBuf};

use super::{Error, Recipe, Workshop};
use crate::{
    cache::Cache,
    fs::{self, Attempted},
    process::Program,
};

/// The Containerfile of what holds a pod's namespaces open.
const PAUSE: &str = "FROM scratch\nCOPY pause /pause\nENTRYPOINT [\"/pause\"]\n";

/// Under which nodes know it.
pub(crate) const PAUSE_IMAGE: &str = "docker.io/isthmus/pause:testbed";

impl Cache {
    /// What a node imports before it is ready.
    pub async fn node_images(&self) -> Result<Vec<PathBuf>, Error> {
        Ok(vec![self.pause_image().await?])
    }

    /// The image that holds a pod's namespaces open.
    async fn pause_image(&self) -> Result<PathBuf, Error> {
        let pause = self.kubernetes().await?.pause();
        let image = Image {
            name: "image-pause",
            reference: PAUSE_IMAGE.to_owned(),
            containerfile: PAUSE,
            context: vec![("pause", pause)],
        };
        self.image(&image).await
    }

    async fn image(&self, image: &Image) -> Result<PathBuf, Error> {
        self.node_tools().await?;
        Ok(self.provide(image).await?.join(ARCHIVE))
    }
}

const ARCHIVE: &str = "image.tar";

/// One image.
struct Image {
    name: &'static str,
    reference: String,
    containerfile: &'static str,
    /// What the Containerfile may copy: items of the cache, which are known by their paths.
    context: Vec<(&'static str, PathBuf)>,
}

impl Recipe for Image {
    fn name(&self) -> &str {
        self.name
    }

    fn title(&self) -> String {
        format!("Building the image {}", self.reference)
    }

    fn inputs(&self) -> Vec<String> {
        let context = self.context.iter().map(|(name, path)| format!("{name} {}", path.display()));
        [self.reference.clone(), self.containerfile.to_owned()].into_iter().chain(context).collect()
    }

    async fn build(&self, workshop: &mut Workshop<'_>) -> Result<(), Error> {
        let context = workshop.run.dir().join("context");
        fs::create_dir(&context).map_err(|error| workshop.refused(error))?;
        for (name, path) in &self.context {
            let copied = std::fs::copy(path, context.join(name)).attempted("copy", path);
            copied.map_err(|error| workshop.refused(error))?;
        }
        let containerfile = context.join("Containerfile");
        workshop.write(&containerfile, self.containerfile)?;
        let storage = workshop.run.dir().join("storage");
        let build = buildah(&storage)
            .args(["bud", "--isolation", "chroot", "--tag", &self.reference, "--file"])
            .arg(&containerfile)
            .arg(&context);
        workshop.run("buildah bud", build).await?;
        let archive = workshop.dir.join(ARCHIVE);
        let target = format!("docker-archive:{}:{}", archive.display(), self.reference);
        let push = buildah(&storage).args(["push", &self.reference, &target]);
        workshop.run("buildah push", push).await?;
        workshop.must_exist(archive).map(drop)
    }
}

/// With a store of its own, and in a mount namespace of its own, so that no mount outlives it.
fn buildah(storage: &Path) -> Program {
    Program::new("unshare")
        .args(["--mount", "--propagation", "private", "--", "buildah", "--storage-driver", "overlay"])
        .arg("--root")
        .arg(storage.join("root"))
        .arg("--runroot")
        .arg(storage.join("run"))
}
