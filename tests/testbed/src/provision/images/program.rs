//! Images of our own servers, built from the programs of this checkout as they are now.

use std::path::{Path, PathBuf};

use super::{
    super::{Error, Workshop},
    buildah::{Build, Buildah},
    debian, reference,
};
use crate::{cache::Cache, fs, process::Program, progress::Step, run::Run, tools::TAR};

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

/// An archive of images, which share what they begin with. It is not kept in the cache, because the next build of the programs makes
/// others; it goes with this value.
#[derive(Debug)]
pub struct ProgramImages {
    archive: PathBuf,
    _run: Run,
}

impl ProgramImages {
    /// Builds the images of servers from their programs.
    pub async fn build(cache: &Cache, programs: &[(Server, &Path)]) -> Result<Self, Error> {
        const ITEM: &str = "images of programs";

        let debian = cache.debian_image().await?;
        let run =
            Run::create(cache, "images").map_err(|source| Error::Cache { item: ITEM.to_owned(), source })?;
        let dir = run.dir().to_owned();
        let names: Vec<_> = programs.iter().map(|(server, _)| server.name()).collect();
        let step = Step::begin(format!("Building images of {}", names.join(" and ")));
        let mut workshop = Workshop { item: ITEM, run, dir, step };
        let context = workshop.dir.join("context");
        fs::create_dir(&context).map_err(|error| workshop.refused(error))?;
        let layout = workshop.dir.join("layout");

        let buildah = Buildah::new(&workshop);
        buildah.take(&mut workshop, &debian).await?;
        let base = debian::tag();
        for (server, program) in programs {
            // What a debugger needs is half of a program and more. Where programs are linked, there is this one, too.
            let stripped = context.join(format!("isthmus-{}", server.name()));
            let strip = Program::new("strip").args(["--strip-debug", "-o"]).arg(stripped).arg(program);
            workshop.run("strip", strip).await?;
            let tag = server.image();
            let containerfile = server.containerfile();
            let image = Build { tag: &tag, base: Some(&base), containerfile, context: &context };
            buildah.build(&mut workshop, image).await?;
            buildah.export(&mut workshop, &tag, &layout).await?;
        }
        let archive = workshop.dir.join("images.tar");
        let tar = Program::new(TAR.find()?).args(["--create", "--file"]).arg(&archive);
        workshop.run("tar", tar.arg("--directory").arg(&layout).arg(".")).await?;
        for done in [context, layout, workshop.dir.join("storage")] {
            fs::remove_dir(&done).map_err(|error| workshop.refused(error))?;
        }
        workshop.step.done();
        Ok(Self { archive, _run: workshop.run })
    }

    /// The archive, to be imported by each cluster that runs them.
    pub fn archive(&self) -> &Path {
        &self.archive
    }
}
