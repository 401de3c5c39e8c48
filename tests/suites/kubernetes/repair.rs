//! What somebody does to what is ours is undone by the agent alone, and what is as it shall be is not written.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use isthmus_tests::fixture::{delete, function, name};
use serde_json::{Value, json};

use super::world::{NAMESPACE, World, annotation, share, text_of};

/// Names and versions of all that stands for components, and of what they name.
async fn versions(world: &World) -> Result<BTreeMap<String, String>> {
    let text = world.kubectl.call(&["get", "functions,configmaps", "-n", NAMESPACE, "-o", "json"]).await?;
    let list: Value = serde_json::from_str(&text)?;
    let items = list["items"].as_array().context("a list")?.iter();
    let version = |item: &Value| {
        let metadata = &item["metadata"];
        (format!("{} {}", item["kind"], metadata["name"]), text_of(&metadata["resourceVersion"]))
    };
    Ok(items.map(version).collect())
}

#[tokio::test]
async fn edits_and_deletions_are_undone_while_the_gateway_is_away_and_a_restart_writes_nothing() -> Result<()>
{
    let mut world = World::start().await?;
    let mut functions = world.federation.client().functions();
    for one in ["greet", "count"] {
        functions.create(function(one).create()).await?;
        let told = |found: &isthmus_proto::component::v1::Component| {
            share(found).is_some_and(|share| share.observed_generation == share.generation)
        };
        world.federation.until_component("to be reported on", name(one), told).await?;
        world.until("statefulset", &format!("{one}-function"), "to be there", |_| true).await?;
    }
    let before = world.functions().await?;
    let connection = text_of(&before["greet"]["spec"]["pulsar"]["pulsarConfig"]);
    world.federation.stop_gateway().await?;

    let kubectl = &world.kubectl;
    let edit = json!({
        "metadata": {"annotations": {"isthmus.io/uid": null, "theirs": "kept"}, "labels": {"isthmus.io/assigned": null}},
        "spec": {"replicas": 7, "golang": {"go": "/pulsar/theirs"}, "logTopic": "persistent://public/default/theirs"},
    });
    kubectl
        .call(&["patch", "function", "greet", "-n", NAMESPACE, "--type=merge", "-p", &edit.to_string()])
        .await?;
    kubectl.call(&["delete", "function", "count", "-n", NAMESPACE]).await?;
    let addresses = json!({"data": {"brokerServiceURL": "pulsar://theirs"}}).to_string();
    kubectl.call(&["patch", "configmap", &connection, "-n", NAMESPACE, "-p", &addresses]).await?;

    let own = |now: &Value, one: &str| {
        let same = |key: &str| annotation(now, key) == annotation(&before[one], key);
        ["uid", "generation", "federation", "applied"].into_iter().all(same)
            && now["spec"]["golang"] == before[one]["spec"]["golang"]
            && now["spec"]["replicas"] == 1
    };
    let greet = world.until("function", "greet", "to be repaired", |now| own(now, "greet")).await?;
    assert_eq!(greet["metadata"]["uid"], before["greet"]["metadata"]["uid"], "it was not made anew");
    assert_eq!(greet["metadata"]["annotations"]["theirs"], "kept");
    let anew =
        |now: &Value| own(now, "count") && now["metadata"]["uid"] != before["count"]["metadata"]["uid"];
    world.until("function", "count", "another one", anew).await?;
    let ours = |now: &Value| now["data"]["brokerServiceURL"] == "pulsar://127.0.0.1:1";
    world.until("configmap", &connection, "the gateway's addresses", ours).await?;
    kubectl.call(&["delete", "configmap", &connection, "-n", NAMESPACE]).await?;
    world.until("configmap", &connection, "to be there again", ours).await?;
    world.until("statefulset", "count-function", "to be there again", |_| true).await?;

    world.federation.resume_gateway().await?;
    world.federation.until_in_step("east").await?;
    // Whatever the operator had to say of the new resource is said.
    let told = |found: &isthmus_proto::component::v1::Component| {
        share(found).is_some_and(|share| share.observed_generation == share.generation)
    };
    world.federation.until_component("to be reported on", name("count"), told).await?;
    // Kubernetes' own controllers are at rest, too: what they still do to a workload is rightly told in the status.
    for one in ["greet", "count"] {
        let at_rest = |now: &Value| {
            let told = now["status"]["conditions"]["Ready"]["message"].as_str().unwrap_or_default();
            now["status"]["observedGeneration"] == now["metadata"]["generation"]
                && told.contains("1 are up to date")
        };
        world.until("function", one, "to tell of a workload at rest", at_rest).await?;
    }

    let settled = versions(&world).await?;
    world.federation.kill_agent("east").await?;
    world.federation.resume_agent("east").await?;
    world.federation.until_in_step("east").await?;
    functions.delete(delete("count")).await?;
    world.federation.until_gone(name("count")).await?;
    world.until_gone("function", "count").await?;
    let after = versions(&world).await?;
    let changed: Vec<_> =
        settled.iter().filter(|(name, version)| after.get(*name) != Some(*version)).collect();
    // How far the share has come is all that may change beside.
    let may = |name: &str| name.contains("count") || name.contains("isthmus-share-east");
    assert!(changed.iter().all(|(name, _)| may(name)), "{changed:?}");
    world.end().await
}
