//! What all images begin with here: a small Debian made of its packages, in the place of the public image.

use std::path::PathBuf;

use super::{
    super::{Error, Recipe, Workshop},
    buildah::{Build, Buildah},
    reference,
};
use crate::{cache::Cache, process::Program};

const SUITE: &str = "bookworm";
const PACKAGES: &str = "ca-certificates";
const CONTAINERFILE: &str = "FROM scratch\nADD rootfs.tar /\nCMD [\"/bin/bash\"]\n";
const ARCHIVE: &str = "image.tar";

impl Cache {
    /// An archive of a Debian image, whose name is [`tag`].
    pub(super) async fn debian_image(&self) -> Result<PathBuf, Error> {
        self.node_tools().await?;
        Ok(self.provide(&Debian).await?.join(ARCHIVE))
    }
}

/// The image's name.
pub(super) fn tag() -> String {
    reference("debian", SUITE)
}

struct Debian;

impl Recipe for Debian {
    fn name(&self) -> &'static str {
        "image-debian"
    }

    fn title(&self) -> String {
        "Building a Debian image".to_owned()
    }

    fn inputs(&self) -> Vec<String> {
        [SUITE, PACKAGES, CONTAINERFILE].map(str::to_owned).to_vec()
    }

    async fn build(&self, workshop: &mut Workshop<'_>) -> Result<(), Error> {
        let context: PathBuf = workshop.run.dir().join("context");
        crate::fs::create_dir(&context).map_err(|error| workshop.refused(error))?;
        let bootstrap = Program::new("unshare")
            .args(["--mount", "--propagation", "private", "--", "mmdebstrap", "--quiet"])
            .args(["--variant=minbase", &format!("--include={PACKAGES}"), SUITE])
            .arg(context.join("rootfs.tar"));
        workshop.run("mmdebstrap", bootstrap).await?;
        let buildah = Buildah::new(workshop);
        let image = Build { tag: &tag(), base: None, containerfile: CONTAINERFILE, context: &context };
        buildah.build(workshop, image).await?;
        let archive = workshop.dir.join(ARCHIVE);
        buildah.archive(workshop, &tag(), &archive).await
    }
}
