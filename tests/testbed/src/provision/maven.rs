//! Artifacts from a Maven repository, by the ordinary client, so that a user's mirror and proxy settings count.

use std::path::{Path, PathBuf};

use super::{Error, Workshop};
use crate::{process::Program, tools::MAVEN};

/// Pinned: without a version Maven takes whatever plugin its own release happens to name.
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";

/// What identifies a file in a Maven repository.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coordinates {
    pub(super) group: &'static str,
    pub(super) artifact: &'static str,
    pub(super) version: &'static str,
    pub(super) packaging: &'static str,
    pub(super) classifier: Option<&'static str>,
}

impl Coordinates {
    /// `group:artifact:version:packaging[:classifier]`, as Maven wants it.
    pub(super) fn notation(&self) -> String {
        let Self { group, artifact, version, packaging, classifier } = self;
        let classifier = classifier.map(|classifier| format!(":{classifier}")).unwrap_or_default();
        format!("{group}:{artifact}:{version}:{packaging}{classifier}")
    }

    fn file_name(&self) -> String {
        let Self { artifact, version, packaging, classifier, .. } = self;
        let classifier = classifier.map(|classifier| format!("-{classifier}")).unwrap_or_default();
        format!("{artifact}-{version}{classifier}.{packaging}")
    }

    /// Downloads it into `dir` and says where it is.
    pub(super) async fn fetch(&self, workshop: &mut Workshop<'_>, dir: &Path) -> Result<PathBuf, Error> {
        let maven = Program::new(MAVEN.find()?)
            .args(["--quiet", "--batch-mode", PLUGIN])
            .arg(format!("-Dartifact={}", self.notation()))
            .arg(format!("-DoutputDirectory={}", dir.display()));
        workshop.run("mvn", maven).await?;
        workshop.must_exist(dir.join(self.file_name()))
    }
}
