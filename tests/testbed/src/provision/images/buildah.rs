//! buildah, with a store of its own that goes with the workshop.

use std::path::{Path, PathBuf};

use super::super::{Error, Workshop};
use crate::process::Program;

/// The machine's own certificate authorities: where its network inspects what is fetched, a build must trust them too.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A store of images being built.
pub(super) struct Buildah {
    storage: PathBuf,
}

/// One image to build.
pub(super) struct Build<'a> {
    /// What it shall be called.
    pub(super) tag: &'a str,
    /// What it begins with, which is in the store.
    pub(super) base: Option<&'a str>,
    pub(super) containerfile: &'a str,
    /// The directory that it copies from.
    pub(super) context: &'a Path,
}

impl Buildah {
    pub(super) fn new(workshop: &Workshop<'_>) -> Self {
        Self { storage: workshop.run.dir().join("storage") }
    }

    /// Takes an archive into the store, under the name that it has in the archive.
    pub(super) async fn take(&self, workshop: &mut Workshop<'_>, archive: &Path) -> Result<(), Error> {
        let source = format!("docker-archive:{}", archive.display());
        workshop.run("buildah pull", self.program().args(["pull", "--quiet", &source])).await
    }

    /// Writes an image into an archive, with its name.
    pub(super) async fn archive(
        &self,
        workshop: &mut Workshop<'_>,
        tag: &str,
        archive: &Path,
    ) -> Result<(), Error> {
        let target = format!("docker-archive:{}:{tag}", archive.display());
        workshop.run("buildah push", self.program().args(["push", "--quiet", tag, &target])).await
    }

    pub(super) async fn build(&self, workshop: &mut Workshop<'_>, image: Build<'_>) -> Result<(), Error> {
        let containerfile = workshop.run.dir().join("Containerfile");
        workshop.write(&containerfile, image.containerfile)?;
        let mut build = self
            .program()
            .args(["bud", "--isolation", "chroot", "--tag", image.tag, "--file"])
            .arg(&containerfile);
        if let Some(base) = image.base {
            build = build.args(["--build-arg", &format!("BASE={base}")]);
        }
        // An image without certificates gets its own first, and they could not be put in the place of the machine's.
        if image.containerfile.contains("pip install") && Path::new(AUTHORITIES).exists() {
            build = build.args(["--volume", &format!("{AUTHORITIES}:{AUTHORITIES}:ro")]);
        }
        workshop.run("buildah bud", build.arg(image.context)).await
    }

    /// Copies an image into an OCI layout, beside those that are there, sharing their layers.
    pub(super) async fn export(
        &self,
        workshop: &mut Workshop<'_>,
        tag: &str,
        layout: &Path,
    ) -> Result<(), Error> {
        let target = format!("oci:{}:{tag}", layout.display());
        let push = ["push", "--disable-compression", tag, &target];
        workshop.run("buildah push", self.program().args(push)).await
    }

    /// In a mount namespace of its own, so that no mount outlives it.
    fn program(&self) -> Program {
        Program::new("unshare")
            .args(["--mount", "--propagation", "private", "--"])
            .args(["buildah", "--storage-driver", "overlay"])
            .arg("--root")
            .arg(self.storage.join("root"))
            .arg("--runroot")
            .arg(self.storage.join("run"))
    }
}
