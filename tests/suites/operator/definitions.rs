//! What the API server itself takes and refuses by the definitions, with no operator there.

use anyhow::{Context, Result};
use isthmus_testbed::kubernetes::Extent;
use serde_json::{Value, json};

use super::world::{NAMESPACE, World, manifest};

/// Wrong inputs, and the field that the API server names.
const WRONG: &[(&str, &str)] = &[
    ("bad-01-no-runtime.in.yaml", "spec.java"),
    ("bad-02-two-runtimes.in.yaml", "spec.java"),
    ("bad-04-no-class.in.yaml", "spec.className"),
    ("bad-05-no-input.in.yaml", "spec.input"),
    ("bad-09-replicas-over-max.in.yaml", "spec.maxReplicas"),
    ("bad-10-replicas-negative.in.yaml", "spec.replicas"),
    ("bad-13-no-resources.in.yaml", "spec.resources"),
    ("bad-16-no-pulsar.in.yaml", "spec.pulsar"),
    ("bad-20-effectively-once-key.in.yaml", "spec.retainKeyOrdering"),
    ("bad-23-bad-guarantee.in.yaml", "spec.processingGuarantee"),
    ("bad-31-source-no-config.in.yaml", "spec.sourceConfig"),
    ("bad-38-mesh-bad-enum.in.yaml", "spec.functions[0].subscriptionPosition"),
    ("bad-41-update-no-pulsar.update.in.yaml", "spec.pulsar"),
    ("bad-43-update-sink-no-java.update.in.yaml", "spec.java"),
    ("bad-47-update-replicas-over-max.update.in.yaml", "spec.maxReplicas"),
];

/// What makes a right resource wrong, and the field that the API server names.
fn wrong() -> [(&'static str, &'static str, Value, &'static str); 7] {
    let circle = json!({"topic": "persistent://shop/orders/in"});
    [
        ("001-java-minimal.in.yaml", "/spec/input", json!({}), "spec.input"),
        ("001-java-minimal.in.yaml", "/spec/className", json!(""), "spec.className"),
        ("001-java-minimal.in.yaml", "/spec/output", circle, "spec.output.topic"),
        ("001-java-minimal.in.yaml", "/spec/minReplicas", json!(7), "spec.minReplicas"),
        ("111-source-minimal.in.yaml", "/spec/output", json!({}), "spec.output"),
        ("117-sink-minimal.in.yaml", "/spec/input", json!({}), "spec.input"),
        ("121-mesh-small.in.yaml", "/spec/functions/0/name", json!(""), "spec.functions[0].name"),
    ]
}

#[tokio::test]
async fn the_definitions_name_the_field_of_what_is_wrong() -> Result<()> {
    let world = World::start(Extent::ApiServer).await?;
    for (case, field) in WRONG {
        refused(&world, case, &manifest(case, "wrong")?, field).await;
    }
    for (case, at, value, field) in wrong() {
        let mut wrong = manifest(case, "wrong")?;
        if field == "spec.output.topic" {
            wrong["spec"]["input"]["topics"] = json!([value["topic"]]);
        }
        if field == "spec.minReplicas" {
            wrong["spec"]["maxReplicas"] = json!(3);
        }
        let (parent, member) = at.rsplit_once('/').context("a path")?;
        wrong.pointer_mut(parent).context("its parent")?[member] = value;
        refused(&world, case, &wrong, field).await;
    }
    Ok(())
}

#[tokio::test]
async fn what_was_there_before_the_rules_can_have_its_status_labels_and_finalizers_written() -> Result<()> {
    let world = World::start(Extent::ApiServer).await?;
    let crd = "customresourcedefinition/functions.compute.functionmesh.io";
    let rules = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations";
    let stored = world.kubectl.call(&["get", crd, "-o", "json"]).await?;
    let stored: Value = serde_json::from_str(&stored)?;
    let kept = stored.pointer(rules).context("the definition has rules")?;
    let without = json!([{"op": "remove", "path": rules}]).to_string();
    world.kubectl.call(&["patch", crd, "--type=json", "-p", &without]).await?;
    let old = manifest("bad-13-no-resources.in.yaml", "old")?;
    // The API server takes a changed definition up a little later.
    let created = isthmus_tests::until("the rules to be gone".to_owned(), isthmus_tests::SOON, async || {
        let text = old.to_string();
        world.kubectl.call_with(&["create", "-f", "-"], &text).await.map_err(|error| error.to_string())
    });
    created.await?;
    let again = json!([{"op": "add", "path": rules, "value": kept}]).to_string();
    world.kubectl.call(&["patch", crd, "--type=json", "-p", &again]).await?;
    let back = isthmus_tests::until("the rules to be back".to_owned(), isthmus_tests::SOON, async || {
        let mut other = old.clone();
        other["metadata"]["name"] = json!("new");
        match try_create(&world, &other).await {
            Ok(_) => Err("they are not".to_owned()),
            Err(_) => Ok(()),
        }
    });
    back.await?;

    let patch = |more: &[&str]| {
        let words = ["patch", "function", "old", "-n", NAMESPACE, "--type=merge"];
        [&words[..], more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    for more in [
        &["--subresource=status", "-p", r#"{"status":{"replicas":1}}"#][..],
        &["-p", r#"{"metadata":{"labels":{"a":"b"},"finalizers":["example.org/held"]}}"#],
        &["-p", r#"{"metadata":{"finalizers":null}}"#],
    ] {
        let words = patch(more);
        world.kubectl.call(&words.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    }
    world.kubectl.call(&["delete", "function", "old", "-n", NAMESPACE]).await?;
    Ok(())
}

async fn refused(world: &World, case: &str, manifest: &Value, field: &str) {
    match try_create(world, manifest).await {
        Ok(_) => panic!("{case}: it was taken, which should have named {field}"),
        Err(why) => assert!(why.contains(&format!("{field}: ")), "{case}: {why}"),
    }
}

async fn try_create(world: &World, manifest: &Value) -> Result<String, String> {
    let words = ["create", "--dry-run=server", "--validate=ignore", "-f", "-"];
    world.kubectl.call_with(&words, &manifest.to_string()).await.map_err(|error| error.to_string())
}
