//! What is shown of pods that work: ready or not as they come and go, what they count, and what they write.

use anyhow::Result;
use isthmus_proto::component::v1::Component;
use isthmus_testbed::traffic::{Load, Schema};
use isthmus_testbed::{Cache, Pulsar, PulsarOptions};
use isthmus_tests::PATIENCE;
use isthmus_tests::fixture::name;
use serde_json::json;

use super::federation::{NAMESPACE, World};

fn load(prefix: &str, count: u32) -> Load {
    let topic = "persistent://public/default/greet-in".to_owned();
    Load { topic, schema: Schema::String, prefix: prefix.to_owned(), count, seed: 1 }
}

/// Instances that are ready.
fn ready(component: &Component) -> u32 {
    component.status.as_ref().map_or(0, |status| status.ready)
}

#[tokio::test]
async fn a_pod_is_ready_as_it_comes_and_goes_and_its_counts_and_log_reach_people_through_the_gateway()
-> Result<()> {
    let pulsar =
        Pulsar::start(&Cache::from_env()?, PulsarOptions::named("east").reachable_from_clusters()).await?;
    let world = Box::pin(World::start()).await?;
    let federation = &world.federation;
    let traffic = federation.world().traffic().await?;
    world.with(&pulsar).await?;
    world.deploy("greet", "greet", "Greet", json!({})).await?;
    federation.until_component("is ready", name("greet"), |component| ready(component) == 1).await?;

    traffic.produce(&pulsar.service_url(), &load("first", 3), PATIENCE).await?;
    world.until_described("greet", &["3 received, 3 processed, 0 failed", "1/1"]).await?;

    // The last lines that there are, and no others.
    let cli = federation.cli();
    let tail = cli.call(&["logs", "function", "greet", "--tail", "2"]).await?;
    assert_eq!(tail.lines().count(), 2, "{tail}");
    let all = cli.call(&["logs", "function", "greet"]).await?;
    assert!(all.contains("greets first-000000") && all.contains(tail.trim_end()), "{all}");

    // One who follows sees what comes, until the pod goes.
    let follow = ["logs", "function", "greet", "--follow"];
    let (followed, gone) = tokio::join!(cli.output(&follow, ""), async {
        traffic.produce(&pulsar.service_url(), &load("second", 3), PATIENCE).await?;
        world.until_described("greet", &["6 received, 6 processed, 0 failed"]).await?;
        world.kubectl.call(&["delete", "pod", "greet-function-0", "-n", NAMESPACE, "--wait=false"]).await?;
        federation.until_component("is not ready", name("greet"), |component| ready(component) == 0).await
    });
    gone?;
    let followed = String::from_utf8(followed?.stdout)?;
    assert!(
        followed.contains("greets first-000000") && followed.contains("greets second-000002"),
        "{followed}"
    );
    federation.until_component("is ready again", name("greet"), |component| ready(component) == 1).await?;

    let absent =
        cli.call(&["logs", "function", "greet", "--instance", "7"]).await.expect_err("there is none");
    let said = absent.to_string();
    assert!(said.contains("there is no pod greet-function-7 in namespace functions"), "{said}");
    world.end().await
}
