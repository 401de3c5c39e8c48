//! What a person applies with kubectl runs in a pod and passes messages, without any gateway.

use anyhow::{Context, Result};
use isthmus_testbed::isthmus::charts::{FUNCTIONS, Release, prepare};
use isthmus_testbed::kubernetes::Cluster;
use isthmus_testbed::traffic::Schema;
use isthmus_testbed::{ImageServer, Pulsar, PulsarOptions};
use isthmus_tests::World;
use serde_json::{Value, json};

use super::world::{JAVA, PYTHON, exchange, function};

/// Tells functions where Pulsar is, as people who run Function Mesh do.
fn connection(pulsar: &Pulsar) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "pulsar" },
        "data": { "webServiceURL": pulsar.admin_url(), "brokerServiceURL": pulsar.service_url() },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_in_java_and_python_that_were_written_for_function_mesh_pass_messages_in_pods() -> Result<()>
{
    let world = World::get().await?;
    world.cache.node_images().await?;
    let images = world.programs.images(&world.cache).await?;
    let cluster = Box::pin(Cluster::start(&world.cache)).await?;
    let pulsar = Pulsar::start(&world.cache, PulsarOptions::named("east").reachable_from_clusters()).await?;
    let traffic = world.traffic().await?;
    prepare(&cluster, &images).await?;
    let agent = Release::install(&cluster, ImageServer::Agent, &Value::Null).await?;
    agent.ready().await?;

    let java = ("java", json!({ "jar": "/pulsar/examples/api-examples.jar" }));
    let python = ("python", json!({ "py": "/pulsar/examples/python-examples/exclamation_function.py" }));
    let objects = json!({ "apiVersion": "v1", "kind": "List", "items": [
        connection(&pulsar),
        function("in-java", "pulsar", JAVA, java),
        function("in-python", "pulsar", PYTHON, python),
    ] });
    let kubectl = cluster.control_plane().kubectl();
    kubectl.call_with(&["apply", "-n", FUNCTIONS, "-f", "-"], &objects.to_string()).await?;

    for (name, schema) in [("in-java", Schema::String), ("in-python", Schema::Bytes)] {
        exchange((&cluster, &pulsar, traffic), name, schema, "all").await?;
    }
    let ready = "jsonpath={.items[*].status.conditions.Ready.status}";
    let ready =
        kubectl.call(&["get", "functions.compute.functionmesh.io", "-n", FUNCTIONS, "-o", ready]).await;
    assert_eq!(ready.context("read the statuses")?, "True True");
    pulsar.stop().await?;
    Ok(())
}
