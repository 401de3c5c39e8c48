//! Whole clusters that run pods. Where a machine cannot have a node, the tests in here are the ones that are skipped.

use std::time::Duration;

use isthmus_testbed::{Cache, kubernetes::Cluster, progress::Step, wait::until};
use serde_json::json;

const SOON: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_pod_runs() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    cache.kubernetes().await?;
    let starting = Step::begin("Starting a cluster with a node");
    let cluster = Cluster::start(&cache).await?;
    starting.done();
    let kubectl = cluster.control_plane().kubectl();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "first", "namespace": "default" },
        "spec": { "containers": [{ "name": "main", "image": "docker.io/isthmus/pause:testbed" }] },
    });
    kubectl.call_with(&["apply", "-f", "-"], &pod.to_string()).await?;

    let phase = ["get", "pod", "first", "-o", "jsonpath={.status.phase}"];
    until("the pod to run", SOON, async || match kubectl.call(&phase).await {
        Ok(phase) if phase == "Running" => Ok(()),
        Ok(phase) => Err(phase),
        Err(error) => Err(error.to_string()),
    })
    .await?;
    Ok(())
}
