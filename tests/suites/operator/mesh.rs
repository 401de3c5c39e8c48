//! A FunctionMesh: its members come, change, fail and go, each by itself.

use anyhow::Result;
use isthmus_testbed::kubernetes::Extent;
use serde_json::{Value, json};

use super::world::{NAMESPACE, World, manifest};

/// What its status says of the whole.
fn reason(mesh: &Value) -> &str {
    mesh["status"]["condition"]["reason"].as_str().unwrap_or("no condition")
}

fn is_current(mesh: &Value) -> bool {
    mesh["status"]["observedGeneration"] == mesh["metadata"]["generation"]
}

/// Identity and version of a resource.
async fn version(world: &World, kind: &str, name: &str) -> Result<(String, i64)> {
    let resource = world.get(kind, name).await.map_err(anyhow::Error::msg)?;
    let uid = resource["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    Ok((uid, resource["metadata"]["generation"].as_i64().unwrap_or_default()))
}

#[tokio::test]
async fn members_of_a_mesh_come_change_alone_and_go_with_it() -> Result<()> {
    let mut world = World::start(Extent::Whole).await?;
    world.reconcile().await?;
    let mut mesh = manifest("121-mesh-small.in.yaml", "pipe")?;
    world.apply(&mesh).await?;

    for (kind, name) in [("function", "pipe-clean"), ("source", "pipe-in"), ("sink", "pipe-out")] {
        let member = world.until(kind, name, "to be there", |_| true).await?;
        let owner = &member["metadata"]["ownerReferences"][0];
        assert_eq!((&owner["kind"], &owner["name"]), (&json!("FunctionMesh"), &json!("pipe")));
        assert_eq!(owner["controller"], true);
    }
    let clean = world.get("function", "pipe-clean").await.map_err(anyhow::Error::msg)?;
    assert_eq!(clean["spec"]["className"], "org.example.shop.Clean");
    world.until("statefulset", "pipe-clean-function", "the member's workload", |_| true).await?;
    let told =
        world.until("functionmesh", "pipe", "to wait for its members", |it| reason(it) == "Starting").await?;
    assert_eq!(told["status"]["functionConditions"]["clean"]["condition"], "FunctionReady");
    assert!(is_current(&told), "{}", told["status"]);

    // One member changes, one comes, and nothing else is touched.
    let before = [version(&world, "source", "pipe-in").await?, version(&world, "sink", "pipe-out").await?];
    let mut more = mesh["spec"]["functions"][0].clone();
    more["name"] = json!("more");
    mesh["spec"]["functions"][0]["funcConfig"] = json!({"mode": "fast"});
    mesh["spec"]["functions"].as_array_mut().unwrap().push(more);
    world.apply(&mesh).await?;
    let changed = |it: &Value| it["spec"]["funcConfig"]["mode"] == "fast";
    world.until("function", "pipe-clean", "to have the configuration", changed).await?;
    world.until("function", "pipe-more", "to be there", |_| true).await?;
    let after = [version(&world, "source", "pipe-in").await?, version(&world, "sink", "pipe-out").await?];
    assert_eq!(before, after);

    // A field that is taken away, and a member that leaves.
    mesh["spec"]["functions"][0].as_object_mut().unwrap().remove("funcConfig");
    mesh["spec"]["functions"].as_array_mut().unwrap().pop();
    world.apply(&mesh).await?;
    world.until_gone("function", "pipe-more").await?;
    let taken = |it: &Value| it["spec"].get("funcConfig").is_none();
    world.until("function", "pipe-clean", "to have it no more", taken).await?;
    let told = |it: &Value| is_current(it) && it["status"]["functionConditions"].get("more").is_none();
    world.until("functionmesh", "pipe", "to name it no more", told).await?;

    world.kubectl.call(&["delete", "functionmesh", "pipe", "-n", NAMESPACE]).await?;
    for (kind, name) in [("function", "pipe-clean"), ("source", "pipe-in"), ("sink", "pipe-out")] {
        world.until_gone(kind, name).await?;
    }
    world.until_gone("statefulset", "pipe-clean-function").await?;
    world.rest().await
}

#[tokio::test]
async fn a_member_that_is_wrong_or_in_somebodys_way_keeps_no_other_and_is_named() -> Result<()> {
    let mut world = World::start(Extent::ApiServer).await?;
    let mut theirs = manifest("117-sink-minimal.in.yaml", "pipe-out")?;
    theirs["metadata"]["namespace"] = json!(NAMESPACE);
    world.apply(&theirs).await?;
    let before = world.get("sink", "pipe-out").await.map_err(anyhow::Error::msg)?;
    let mut mesh = manifest("121-mesh-small.in.yaml", "pipe")?;
    let mut broken = mesh["spec"]["functions"][0].clone();
    broken["name"] = json!("broken");
    broken["resources"]["requests"]["memory"] = json!("1Gi");
    mesh["spec"]["functions"].as_array_mut().unwrap().insert(0, broken);
    world.apply(&mesh).await?;
    world.reconcile().await?;

    for (kind, name) in [("function", "pipe-clean"), ("source", "pipe-in")] {
        world.until(kind, name, "to be there", |_| true).await?;
    }
    let told = |it: &Value| it["status"]["sinkConditions"]["out"]["reason"] == "ForeignObject";
    let told = world.until("functionmesh", "pipe", "to name them", told).await?;
    let broken = &told["status"]["functionConditions"]["broken"];
    assert_eq!(broken["status"], "False");
    let message = broken["message"].as_str().unwrap();
    assert!(message.contains("spec.functions[0].resources.requests.memory"), "{message}");
    let whole = &told["status"]["condition"];
    assert_eq!(whole["status"], "False");
    let message = whole["message"].as_str().unwrap();
    assert!(message.contains("function broken") && message.contains("sink out"), "{message}");
    assert!(world.get("function", "pipe-broken").await.is_err());
    let after = world.get("sink", "pipe-out").await.map_err(anyhow::Error::msg)?;
    assert_eq!(before["metadata"]["resourceVersion"], after["metadata"]["resourceVersion"]);
    world.rest().await
}

#[tokio::test]
async fn an_annotation_writes_no_member_and_what_an_autoscaler_chose_stays() -> Result<()> {
    let mut world = World::start(Extent::ApiServer).await?;
    world.reconcile().await?;
    let mut mesh = manifest("121-mesh-small.in.yaml", "pipe")?;
    mesh["spec"]["functions"][0]["replicas"] = json!(2);
    mesh["spec"]["functions"][0]["maxReplicas"] = json!(5);
    world.apply(&mesh).await?;
    world.until("functionmesh", "pipe", "to be applied", |it| reason(it) == "Starting").await?;
    world.until("function", "pipe-clean", "to be applied", |it| it["status"]["replicas"] == 2).await?;
    // As an autoscaler does it.
    world.kubectl.call(&["scale", "function", "pipe-clean", "--replicas=4", "-n", NAMESPACE]).await?;
    world.until("function", "pipe-clean", "to follow", |it| it["status"]["replicas"] == 4).await?;

    let members = [("source", "pipe-in"), ("sink", "pipe-out"), ("function", "pipe-clean")];
    let mut before = Vec::new();
    for (kind, name) in members {
        before.push(version(&world, kind, name).await?);
    }
    let annotate = ["annotate", "functionmesh", "pipe", "compute.functionmesh.io/note=x", "-n", NAMESPACE];
    world.kubectl.call(&annotate).await?;
    // A change of another member comes after it, so that the passes before have ended.
    mesh["spec"]["sources"][0]["sourceConfig"] = json!({"url": "tcp://other:7000"});
    world.apply(&mesh).await?;
    let changed = |it: &Value| it["spec"]["sourceConfig"]["url"] == "tcp://other:7000";
    world.until("source", "pipe-in", "to follow", changed).await?;
    world.until("functionmesh", "pipe", "to be applied", is_current).await?;
    for ((kind, name), before) in members.into_iter().zip(before).skip(1) {
        assert_eq!(version(&world, kind, name).await?, before, "{kind} {name}");
    }
    let clean = world.get("function", "pipe-clean").await.map_err(anyhow::Error::msg)?;
    assert_eq!(clean["spec"]["replicas"], 4);

    // New bounds count.
    mesh["spec"]["functions"][0]["maxReplicas"] = json!(3);
    world.apply(&mesh).await?;
    world.until("function", "pipe-clean", "to keep the new bound", |it| it["spec"]["replicas"] == 3).await?;
    world.rest().await
}
