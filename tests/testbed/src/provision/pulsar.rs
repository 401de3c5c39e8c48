//! Pulsar's server distribution and a connector, both ordinary Maven artifacts.

use std::path::{Path, PathBuf};

use super::{Error, Recipe, Workshop, maven::Coordinates};
use crate::{
    cache::Cache,
    fs::Attempted,
    process::Program,
    tools::{JAVA, TAR},
};

/// The version of Pulsar that everything here runs with.
pub(super) const VERSION: &str = "4.0.8";

const DISTRIBUTION: Coordinates = Coordinates {
    group: "org.apache.pulsar",
    artifact: "pulsar-server-distribution",
    version: VERSION,
    packaging: "tar.gz",
    classifier: Some("bin"),
};

/// Of type jar in the repository, and yet a NAR: it holds `META-INF/bundled-dependencies`.
const DATA_GENERATOR: Coordinates = Coordinates {
    group: "org.apache.pulsar",
    artifact: "pulsar-io-data-generator",
    version: VERSION,
    packaging: "jar",
    classifier: None,
};

/// An unpacked server distribution: read only, shared by all servers.
#[derive(Debug, Clone)]
pub struct PulsarHome {
    dir: PathBuf,
}

impl PulsarHome {
    /// What Pulsar calls `PULSAR_HOME`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The version of the distribution.
    pub fn version(&self) -> &'static str {
        VERSION
    }

    /// A script of the distribution, such as `pulsar`, `pulsar-admin` or `pulsar-perf`.
    pub fn script(&self, name: &str) -> PathBuf {
        self.dir.join("bin").join(name)
    }

    /// The jar with Pulsar's own example functions.
    pub fn examples_jar(&self) -> PathBuf {
        self.dir.join("examples/api-examples.jar")
    }

    /// The directory with Pulsar's own example functions in Python.
    pub fn python_examples(&self) -> PathBuf {
        self.dir.join("examples/python-examples")
    }

    /// The jar that a Java instance is started from.
    pub fn java_instance(&self) -> PathBuf {
        self.dir.join("instances/java-instance.jar")
    }

    /// The program that a Python instance is started from.
    pub fn python_instance(&self) -> PathBuf {
        self.dir.join("instances/python-instance/python_instance_main.py")
    }
}

impl Cache {
    /// Pulsar's server distribution (250 MB to download, 330 MB on disk).
    pub async fn pulsar(&self) -> Result<PulsarHome, Error> {
        JAVA.find()?;
        Ok(PulsarHome { dir: self.provide(&Distribution).await? })
    }

    /// The data generator connector as a NAR, which holds both a source and a sink.
    pub async fn data_generator(&self) -> Result<PathBuf, Error> {
        Ok(self.provide(&DataGenerator).await?.join(DataGenerator::FILE))
    }
}

struct Distribution;

impl Recipe for Distribution {
    fn name(&self) -> &'static str {
        "pulsar"
    }

    fn title(&self) -> String {
        format!("Downloading Pulsar {VERSION} (250 MB)")
    }

    fn inputs(&self) -> Vec<String> {
        vec![DISTRIBUTION.notation()]
    }

    async fn build(&self, workshop: &mut Workshop<'_>) -> Result<(), Error> {
        let tar = TAR.find()?;
        let download = workshop.run.dir().to_owned();
        let tarball = DISTRIBUTION.fetch(workshop, &download).await?;
        let unpack = Program::new(tar)
            .args(["--extract", "--gzip", "--strip-components=1", "--no-same-owner", "--file"])
            .arg(tarball)
            .arg("--directory")
            .arg(&workshop.dir);
        workshop.run("tar", unpack).await?;
        workshop.must_exist(workshop.dir.join("bin/pulsar")).map(|_| ())
    }
}

struct DataGenerator;

impl DataGenerator {
    const FILE: &str = "data-generator.nar";
}

impl Recipe for DataGenerator {
    fn name(&self) -> &'static str {
        "data-generator"
    }

    fn title(&self) -> String {
        format!("Downloading Pulsar's data generator connector {VERSION}")
    }

    fn inputs(&self) -> Vec<String> {
        vec![DATA_GENERATOR.notation()]
    }

    async fn build(&self, workshop: &mut Workshop<'_>) -> Result<(), Error> {
        let dir = workshop.dir.clone();
        let jar = DATA_GENERATOR.fetch(workshop, &dir).await?;
        let nar = dir.join(Self::FILE);
        std::fs::rename(jar, &nar)
            .attempted("rename the connector to", &nar)
            .map_err(|source| workshop.refused(source))
    }
}
