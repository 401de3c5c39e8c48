//! From the gateway to objects, through changes, to nothing; and what stands in the way.

use anyhow::{Context, Result};
use isthmus_tests::fixture::{delete, function, get, name, package, sink};
use serde_json::{Value, json};

use super::world::{NAMESPACE, World, annotation, share, text_of};

#[tokio::test]
async fn what_the_gateway_accepts_becomes_a_workload_follows_its_changes_and_goes_with_it() -> Result<()> {
    let world = World::start().await?;
    let mut functions = world.federation.client().functions();
    let created = functions.create(function("greet").replicas(2).create()).await?.into_inner();
    let uid = created.component.and_then(|it| it.metadata).context("metadata")?.uid;

    let resource = world.until("function", "greet", "to be there", |_| true).await?;
    assert_eq!(annotation(&resource, "uid"), uid);
    assert_eq!(annotation(&resource, "cluster"), "east");
    let spec = &resource["spec"];
    assert_eq!((&spec["replicas"], &spec["tenant"]), (&json!(2), &json!("public")));
    let connection = text_of(&spec["pulsar"]["pulsarConfig"]);
    let addresses = world.get("configmap", &connection).await.map_err(anyhow::Error::msg)?;
    assert_eq!(addresses["data"]["brokerServiceURL"], "pulsar://127.0.0.1:1");
    let set = world.until("statefulset", "greet-function", "to be there", |_| true).await?;
    let template = set["spec"]["template"].to_string();
    assert!(!template.contains(&uid) && !template.contains("isthmus.io/"), "{template}");
    let generation: u64 = annotation(&resource, "generation").parse()?;
    let seen = |found: &isthmus_proto::component::v1::Component| {
        share(found).is_some_and(|share| share.observed_generation == generation && share.desired == 2)
    };
    world.federation.until_component("to be reported on", name("greet"), seen).await?;

    functions.update(function("greet").go(package("/pulsar/other", "")).replicas(1).update()).await?;
    let changed = |set: &Value| {
        set["spec"]["replicas"] == 1 && set["spec"]["template"].to_string().contains("/pulsar/other")
    };
    world.until("statefulset", "greet-function", "to follow", changed).await?;
    let resource = world.get("function", "greet").await.map_err(anyhow::Error::msg)?;
    assert!(annotation(&resource, "generation").parse::<u64>()? > generation);

    functions.delete(delete("greet")).await?;
    world.federation.until_gone(name("greet")).await?;
    for (kind, name) in [("function", "greet"), ("statefulset", "greet-function")] {
        let left = world.get(kind, name).await;
        assert!(left.as_ref().is_err_and(|why| why.contains("NotFound")), "{left:?}");
    }
    world.end().await
}

#[tokio::test]
async fn what_is_in_the_way_is_named_and_not_touched_and_what_does_not_run_here_is_refused() -> Result<()> {
    let world = World::start().await?;
    let theirs = json!({
        "apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "Function",
        "metadata": {"name": "greet", "namespace": NAMESPACE},
        // The API server takes it, and the operator makes nothing of it: no package.
        "spec": {
            "className": "theirs.Greet", "java": {"jar": ""}, "input": {"topics": ["in"]},
            "resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}},
            "pulsar": {"pulsarConfig": "theirs"},
        },
    });
    world.kubectl.call_with(&["create", "-f", "-"], &theirs.to_string()).await?;
    let before = world
        .until("function", "greet", "to be looked at by the operator", |it| it.get("status").is_some())
        .await?;
    let mut functions = world.federation.client().functions();
    functions.create(function("greet").create()).await?;

    let told = |found: &isthmus_proto::component::v1::Component| {
        share(found).is_some_and(|share| share.reason == "ForeignObject")
    };
    let told = world.federation.until_component("to say so", name("greet"), told).await?;
    let message = &share(&told).context("a share")?.last_error;
    assert!(message.contains("Function golden/greet was made by somebody else"), "{message}");
    let after = world.get("function", "greet").await.map_err(anyhow::Error::msg)?;
    assert_eq!(before["metadata"]["resourceVersion"], after["metadata"]["resourceVersion"]);

    world.kubectl.call(&["delete", "function", "greet", "-n", NAMESPACE]).await?;
    let ours = |it: &Value| !annotation(it, "uid").is_empty();
    world.until("function", "greet", "to be ours", ours).await?;
    let found = functions.get(get("greet")).await?.into_inner();
    assert_eq!(
        annotation(&world.get("function", "greet").await.map_err(anyhow::Error::msg)?, "uid"),
        found.metadata.context("metadata")?.uid
    );

    world.federation.client().sinks().create(sink("drain").create()).await?;
    let refused = |found: &isthmus_proto::component::v1::Component| {
        found.status.as_ref().is_some_and(|status| format!("{status:?}").contains("MissingCapability"))
    };
    world.federation.until_component("to be refused", name("drain"), refused).await?;
    world.end().await
}
