//! What is none of the operator's business, and one resource in trouble beside others.

use anyhow::Result;
use isthmus_testbed::kubernetes::Extent;
use serde_json::{Value, json};

use super::world::{NAMESPACE, World, manifest, reason};

#[tokio::test]
async fn an_object_of_somebody_else_is_left_alone_and_named_and_when_it_goes_ours_comes() -> Result<()> {
    let mut world = World::start(Extent::ApiServer).await?;
    let theirs = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "tally-function-headless", "namespace": NAMESPACE},
        "spec": {"ports": [{"port": 80}], "selector": {"theirs": "yes"}},
    });
    world.apply(&theirs).await?;
    let before = world.get("service", "tally-function-headless").await.map_err(anyhow::Error::msg)?;
    world.reconcile().await?;
    world.apply(&manifest("001-java-minimal.in.yaml", "tally")?).await?;

    let told = world.until("function", "tally", "to name it", |it| reason(it) == "ForeignObject").await?;
    let message = told["status"]["conditions"]["Service"]["message"].as_str().unwrap();
    assert!(message.contains("Service tally-function-headless was made by somebody else"), "{message}");
    let after = world.get("service", "tally-function-headless").await.map_err(anyhow::Error::msg)?;
    assert_eq!(before["metadata"]["resourceVersion"], after["metadata"]["resourceVersion"]);
    world.until("statefulset", "tally-function", "to be made all the same", |_| true).await?;

    world.kubectl.call(&["delete", "service", "tally-function-headless", "-n", NAMESPACE]).await?;
    let ours = |it: &Value| it["spec"]["clusterIP"] == "None";
    world.until("service", "tally-function-headless", "to be ours", ours).await?;
    world.rest().await
}

#[tokio::test]
async fn a_resource_whose_handling_panics_harms_no_other_and_what_is_not_managed_is_left_alone() -> Result<()>
{
    let mut world = World::start(Extent::ApiServer).await?;
    world.apply(&manifest("001-java-minimal.in.yaml", "broken")?).await?;
    let mut unmanaged = manifest("001-java-minimal.in.yaml", "unmanaged")?;
    unmanaged["metadata"]["annotations"] = json!({"compute.functionmesh.io/managed": "false"});
    world.apply(&unmanaged).await?;
    world.apply(&manifest("001-java-minimal.in.yaml", "before")?).await?;
    world.reconcile_with(|_, name| assert!(name != "broken", "the stage of a test")).await?;
    world.until("statefulset", "before-function", "to be there", |_| true).await?;
    world.apply(&manifest("001-java-minimal.in.yaml", "after")?).await?;
    world.until("statefulset", "after-function", "to be there", |_| true).await?;

    for name in ["broken-function", "unmanaged-function"] {
        let found = world.get("statefulset", name).await;
        assert!(found.is_err(), "{found:?}");
    }
    world.rest().await
}
