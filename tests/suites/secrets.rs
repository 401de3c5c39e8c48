//! Secrets that travel sealed, with the real programs: the instance gets the value, and it is in clear nowhere else.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use isthmus_tests::fixture::name;
use isthmus_tests::{Federation, PATIENCE, until};
use sha2::{Digest, Sha256};

/// Stands in for a Go function: says what it makes of its secret, and waits to be ended.
const DISCREET: &str = "#!/bin/sh\nprintf %s \"$PASSWORD\" | sha256sum\nexec sleep 1000\n";

const FIRST: &str = "correct-horse-battery";
const SECOND: &str = "another-staple-entirely";

/// What only its owner can make of a value.
fn made_of(value: &str) -> String {
    hex::encode(Sha256::digest(value))
}

/// Whether a text is anywhere below a directory, in whatever file.
pub(crate) fn is_below(directory: &Path, text: &str) -> Result<bool> {
    let found = Command::new("grep").args(["-raqF", "--", text]).arg(directory).status()?;
    ensure!(found.code().is_some_and(|code| code < 2), "grep cannot look below {}", directory.display());
    Ok(found.success())
}

struct Story {
    federation: Federation,
    /// The digest of the stand-in.
    package: String,
    /// Outside the federation's directory, which is looked through.
    directory: tempfile::TempDir,
}

impl Story {
    async fn begin(clusters: [&str; 2]) -> Result<Self> {
        let federation = Federation::builder().agents(clusters).start().await?;
        let package = federation.upload("discreet", DISCREET.as_bytes()).await?;
        Ok(Self { federation, package, directory: tempfile::tempdir()? })
    }

    fn manifest(&self, replicas: u32, secrets: &str) -> String {
        format!(
            "\
apiVersion: compute.functionmesh.io/v1alpha1
kind: Function
metadata: {{ name: keeper }}
spec:
  replicas: {replicas}
  golang: {{ go: discreet, goLocation: '{}' }}
  input: {{ topics: [persistent://public/default/names] }}
  output: {{ topic: persistent://public/default/kept }}
  secretsMap: {secrets}
  pulsar: {{ pulsarConfig: pulsar }}
  resources: {{ requests: {{ cpu: 100m, memory: 128Mi }}, limits: {{ cpu: 100m, memory: 128Mi }} }}
",
            self.package
        )
    }

    /// Applies a manifest with a value of the secret, or without; what is printed, errors included, and whether it was done.
    async fn apply(&self, manifest: &str, value: Option<&str>) -> Result<(bool, String)> {
        let mut arguments = vec!["apply".to_owned(), "-f".to_owned(), "-".to_owned()];
        if let Some(value) = value {
            let file = self.directory.path().join("value");
            std::fs::write(&file, format!("{value}\n"))?;
            arguments.extend(["--secret-file".to_owned(), format!("PASSWORD={}", file.display())]);
        }
        let output = self.federation.cli().output(&arguments, manifest).await?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }

    async fn says(&self, command: &str) -> Result<String> {
        let arguments: Vec<_> = command.split_whitespace().collect();
        Ok(self.federation.cli().call(&arguments).await?)
    }

    /// Waits until so many instances have said what they make of this value.
    async fn until_used(&self, value: &str, instances: usize) -> Result<()> {
        let (made, run) = (made_of(value), self.federation.run().dir());
        until(format!("{instances} instances to use the value"), PATIENCE, async || {
            let found =
                Command::new("grep").args(["-rlF", "--include=instance.log", &made]).arg(run).output();
            let logs = found.map(|found| String::from_utf8_lossy(&found.stdout).lines().count());
            match logs {
                Ok(count) if count == instances => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_sealed_secret_reaches_the_instance_and_is_in_clear_nowhere_else() -> Result<()> {
    let mut story = Story::begin(["east", "west"]).await?;
    let manifest = story.manifest(1, "{ PASSWORD: {} }");

    let (done, said) = story.apply(&manifest, None).await?;
    assert!(
        !done && said.contains("PASSWORD") && said.contains("nothing is sealed under this name"),
        "{said}"
    );

    let (done, said) = story.apply(&manifest, Some(FIRST)).await?;
    assert!(done && said.contains("created"), "{said}");
    story.until_used(FIRST, 1).await?;

    let again = story.apply(&manifest, None).await?;
    assert!(
        again.0 && again.1.contains("unchanged"),
        "without values those stay that are there: {}",
        again.1
    );
    story.apply(&story.manifest(2, "{ PASSWORD: {} }"), None).await?;
    story.until_used(FIRST, 2).await?;

    let (done, said) = story.apply(&story.manifest(2, "{ PASSWORD: {} }"), Some(SECOND)).await?;
    assert!(done && said.contains("configured"), "{said}");
    story.until_used(SECOND, 2).await?;

    // Everybody who came by the values, and what they say to people.
    story.federation.stop_gateway().await?;
    story.federation.resume_gateway().await?;
    story.federation.until_connected(2).await?;
    let mut shown = String::new();
    for command in [
        "get functions -o yaml",
        "describe function keeper",
        "explain function keeper",
        "get clusters -o yaml",
        "get functions -o json",
    ] {
        shown += &story.says(command).await?;
    }
    assert!(shown.contains("PASSWORD") && shown.contains("sealingKey"), "{shown}");
    let run = story.federation.run().dir();
    assert!(is_below(run, "persistent://public/default/kept")?, "specs are found, so that values would be");
    for value in [FIRST, SECOND] {
        assert!(!shown.contains(value), "{shown}");
        assert!(!is_below(run, value)?, "{value} is in clear below {}", run.display());
    }
    story.says("delete function keeper --wait").await?;
    story.federation.end().await
}

#[tokio::test]
async fn a_cluster_that_joins_later_is_told_apart_until_it_is_sealed_for() -> Result<()> {
    let mut story = Story::begin(["east", "west"]).await?;
    let manifest = story.manifest(1, "{ PASSWORD: {} }");
    let (done, said) = story.apply(&manifest, Some(FIRST)).await?;
    assert!(done, "{said}");
    story.until_used(FIRST, 1).await?;
    story.federation.join("north", false).await?;
    let explained = story.says("explain function keeper").await?;
    let north = explained.lines().find(|line| line.contains("north")).context("nothing is said of north")?;
    assert!(north.contains("NotSealed") && north.contains("not sealed for its key"), "{explained}");

    let (done, said) = story.apply(&manifest, Some(SECOND)).await?;
    assert!(done, "{said}");
    story.until_used(SECOND, 1).await?;
    let explained = story.says("explain function keeper").await?;
    assert!(!explained.contains("NotSealed"), "{explained}");
    story.says("delete function keeper --wait").await?;
    story.federation.until_gone(name("keeper")).await?;
    story.federation.end().await
}

#[tokio::test]
async fn what_is_sealed_and_not_used_is_refused_before_anything_is_sent() -> Result<()> {
    let story = Story::begin(["east", "west"]).await?;
    let named = story.manifest(1, "{ PASSWORD: { path: db, key: password } }");
    let (done, said) = story.apply(&named, Some(FIRST)).await?;
    assert!(!done && said.contains("no component of the files has a secret of this name"), "{said}");
    assert!(!said.contains(FIRST));
    assert!(!story.says("get functions").await?.contains("keeper"));
    story.federation.end().await
}
