//! What travels sealed to a Kubernetes cluster is a Secret there, and in clear nowhere else.

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use isthmus_tests::fixture::{delete, name};
use serde_json::Value;

use super::world::World;
use crate::secrets::is_below;

const FIRST: &str = "correct-horse-battery";
const SECOND: &str = "another-staple-entirely";

const MANIFEST: &str = "\
apiVersion: compute.functionmesh.io/v1alpha1
kind: Function
metadata: { name: keeper }
spec:
  replicas: 1
  golang: { go: /pulsar/keeper, goLocation: '' }
  input: { topics: [persistent://public/default/names] }
  output: { topic: persistent://public/default/kept }
  secretsMap: { PASSWORD: {} }
  pulsar: { pulsarConfig: pulsar }
  resources: { requests: { cpu: 100m, memory: 128Mi }, limits: { cpu: 100m, memory: 128Mi } }
";

async fn seal(world: &World, value: &str) -> Result<()> {
    // Outside the federation's directory, which is looked through.
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("value");
    std::fs::write(&file, value)?;
    let secret = format!("PASSWORD={}", file.display());
    let output = world
        .federation
        .cli()
        .output(
            &["apply".to_owned(), "-f".to_owned(), "-".to_owned(), "--secret-file".to_owned(), secret],
            MANIFEST,
        )
        .await?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn holds(secret: &Value, value: &str) -> bool {
    secret["data"]["PASSWORD"] == STANDARD.encode(value)
}

fn template(set: &Value) -> String {
    set["spec"]["template"].to_string()
}

#[tokio::test]
async fn a_sealed_secret_becomes_a_secret_of_the_cluster_and_is_in_clear_nowhere_else() -> Result<()> {
    let world = World::start().await?;
    seal(&world, FIRST).await?;
    let secret = "keeper-sealed-secrets";
    world.until("secret", secret, "to hold the value", |it| holds(it, FIRST)).await?;
    let resource = world.until("function", "keeper", "to name it", |it| {
        it["spec"]["secretsMap"]["PASSWORD"]["path"] == secret
    });
    resource.await?;
    let names_it = |set: &Value| template(set).contains(secret);
    let before = world.until("statefulset", "keeper-function", "to name it", names_it).await?;

    seal(&world, SECOND).await?;
    world.until("secret", secret, "to hold the new value", |it| holds(it, SECOND)).await?;
    let is_new = |set: &Value| template(set) != template(&before);
    world.until("statefulset", "keeper-function", "to have new pods", is_new).await?;

    for value in [FIRST, SECOND] {
        for told in [value.to_owned(), STANDARD.encode(value)] {
            assert!(!is_below(world.federation.run().dir(), &told)?, "{told} lies in a file or a log");
        }
    }
    world.federation.client().functions().delete(delete("keeper")).await?;
    world.federation.until_gone(name("keeper")).await?;
    world.until_gone("secret", secret).await?;
    world.end().await
}
