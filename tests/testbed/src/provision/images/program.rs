//! Images of our own servers, built from the programs of this checkout as they are now.

use std::path::{Path, PathBuf};

use super::{
    super::{Error, Workshop},
    buildah::{Build, Buildah},
    debian, reference,
};
use crate::{
    cache::Cache,
    fs::{self, Attempted},
    progress::Step,
    run::Run,
};

const GATEWAY: &str = include_str!("../../../../../deploy/images/gateway/Containerfile");
const AGENT: &str = include_str!("../../../../../deploy/images/agent/Containerfile");

/// A server of ours that runs in clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// `isthmus-gateway`.
    Gateway,
    /// `isthmus-agent`.
    Agent,
}

impl Server {
    /// The name under which nodes know its image.
    pub fn image(self) -> String {
        reference(self.name(), "testbed")
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Agent => "agent",
        }
    }

    fn containerfile(self) -> &'static str {
        match self {
            Self::Gateway => GATEWAY,
            Self::Agent => AGENT,
        }
    }
}

/// An archive of an image. It is not kept in the cache, because the next build of the program makes another; it goes with this
/// value.
#[derive(Debug)]
pub struct ProgramImage {
    archive: PathBuf,
    _run: Run,
}

impl ProgramImage {
    /// Builds the image of a server from its program.
    pub async fn build(cache: &Cache, server: Server, program: &Path) -> Result<Self, Error> {
        const ITEM: &str = "an image";

        let debian = cache.debian_image().await?;
        let run =
            Run::create(cache, "image").map_err(|source| Error::Cache { item: ITEM.to_owned(), source })?;
        let tag = server.image();
        let dir = run.dir().to_owned();
        let step = Step::begin(format!("Building the image {tag}"));
        let mut workshop = Workshop { item: ITEM, run, dir, step };
        let context = workshop.dir.join("context");
        fs::create_dir(&context).map_err(|error| workshop.refused(error))?;
        let copied = std::fs::copy(program, context.join(format!("isthmus-{}", server.name())));
        copied.attempted("copy", program).map_err(|error| workshop.refused(error))?;

        let buildah = Buildah::new(&workshop);
        buildah.take(&mut workshop, &debian).await?;
        let base = debian::tag();
        let image =
            Build { tag: &tag, base: Some(&base), containerfile: server.containerfile(), context: &context };
        buildah.build(&mut workshop, image).await?;
        let archive = workshop.dir.join("image.tar");
        buildah.archive(&mut workshop, &tag, &archive).await?;
        for done in [context, workshop.dir.join("storage")] {
            fs::remove_dir(&done).map_err(|error| workshop.refused(error))?;
        }
        workshop.step.done();
        Ok(Self { archive, _run: workshop.run })
    }

    /// The archive, to be imported by each cluster that runs it.
    pub fn archive(&self) -> &Path {
        &self.archive
    }
}
