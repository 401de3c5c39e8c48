//! What somebody or something breaks is mended, and what is as it should be is not written.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use isthmus_testbed::kubernetes::{Component, Extent};
use isthmus_tests::{SOON, until};
use parking_lot::Mutex;
use serde_json::json;

use super::world::{NAMESPACE, World, manifest, reason};

#[tokio::test]
async fn children_that_somebody_changed_or_deleted_are_repaired_also_after_the_api_server_was_away()
-> Result<()> {
    let mut world = World::start(Extent::ApiServer).await?;
    world.reconcile().await?;
    world.apply(&manifest("001-java-minimal.in.yaml", "tally")?).await?;
    world.until("function", "tally", "to be applied", |it| reason(it) == "Starting").await?;

    let own = |it: &serde_json::Value| {
        it["spec"]["replicas"] == 1 && it["spec"]["template"]["spec"]["containers"][0]["image"] != "x"
    };
    let image = json!({"spec": {"replicas": 7, "template": {"spec": {"containers": [{"name": "pulsar-function", "image": "x"}]}}}});
    let image = image.to_string();
    world.kubectl.call(&["patch", "statefulset", "tally-function", "-n", NAMESPACE, "-p", &image]).await?;
    world.until("statefulset", "tally-function", "to be repaired", own).await?;
    world
        .kubectl
        .call(&["label", "service", "tally-function-headless", "-n", NAMESPACE, "app=mine", "--overwrite"])
        .await?;
    let label = |it: &serde_json::Value| it["metadata"]["labels"]["app"] == "function-mesh";
    world.until("service", "tally-function-headless", "its label", label).await?;
    for (kind, name) in [("service", "tally-function-headless"), ("statefulset", "tally-function")] {
        let before = world.get(kind, name).await.map_err(anyhow::Error::msg)?["metadata"]["uid"].clone();
        world.kubectl.call(&["delete", kind, name, "-n", NAMESPACE]).await?;
        world.until(kind, name, "another one", |it| it["metadata"]["uid"] != before).await?;
    }

    world.plane.crash(Component::ApiServer).await?;
    world.plane.resume(Component::ApiServer).await?;
    world.kubectl.call(&["patch", "statefulset", "tally-function", "-n", NAMESPACE, "-p", &image]).await?;
    world.until("statefulset", "tally-function", "to be repaired again", own).await?;
    world.rest().await
}

#[tokio::test]
async fn an_operator_that_is_there_before_its_api_server_does_its_work_when_that_answers() -> Result<()> {
    let mut world = World::start(Extent::ApiServer).await?;
    world.apply(&manifest("001-java-minimal.in.yaml", "tally")?).await?;
    world.plane.crash(Component::ApiServer).await?;
    world.reconcile().await?;
    world.plane.resume(Component::ApiServer).await?;
    world.until("function", "tally", "to be applied", |it| reason(it) == "Starting").await?;
    world.rest().await
}

#[tokio::test]
async fn a_restart_with_nothing_to_do_writes_nothing() -> Result<()> {
    const FUNCTIONS: usize = 20;
    let mut world = World::start(Extent::ApiServer).await?;
    let names: BTreeSet<String> = (0..FUNCTIONS).map(|n| format!("tally-{n}")).collect();
    // Of each sort that is written in a form of its own: with an autoscaler, sidecars, credentials, claims.
    let cases = [
        "001-java-minimal.in.yaml",
        "080-pod-containers.in.yaml",
        "071-generic-auth-sidecar.in.yaml",
        "096-hpa-metrics.in.yaml",
        "101-pvc-templates.in.yaml",
        "098-hpa-behavior-only.in.yaml",
        "088-resources-bytes.in.yaml",
        "125-large-java.in.yaml",
        "127-large-go.in.yaml",
        "085-probe-startup-partial.in.yaml",
    ];
    for (name, case) in names.iter().zip(cases.iter().cycle()) {
        world.apply(&manifest(case, name)?).await?;
    }
    world.reconcile().await?;
    for name in &names {
        let applied = |it: &serde_json::Value| {
            let applied = matches!(reason(it), "Starting" | "MissingReference");
            applied && it["status"]["observedGeneration"].is_i64()
        };
        world.until("function", name, "to be applied", applied).await?;
        world.until("statefulset", &format!("{name}-function"), "to be there", |_| true).await?;
    }
    world.rest().await?;
    let before = world.writes().await?;
    assert!(before > 3 * FUNCTIONS as u64, "{before}");

    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let note = seen.clone();
    world
        .reconcile_with(move |_, name| {
            note.lock().insert(name.to_owned());
        })
        .await?;
    until("a pass over each of them", SOON, async || {
        let seen = seen.lock().clone();
        if seen == names { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await?;
    world.rest().await?;

    assert_eq!(world.writes().await? - before, 0);
    Ok(())
}
