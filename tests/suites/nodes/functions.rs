//! What a person applies with kubectl runs in a pod and passes messages, without any gateway.

use anyhow::{Context, Result};
use isthmus_testbed::isthmus::charts::{FUNCTIONS, Release};
use isthmus_testbed::kubernetes::Cluster;
use isthmus_testbed::traffic::{Load, Schema};
use isthmus_testbed::{ImageServer, Pulsar, PulsarOptions, Traffic};
use isthmus_tests::{PATIENCE, World};
use serde_json::{Value, json};

/// The subscription by which outputs are counted.
const WITNESS: &str = "witness";

/// How many messages each function gets.
const COUNT: u32 = 20;

/// One of Pulsar's own examples, which the images hold.
fn function(name: &str, class: &str, runtime: (&str, Value)) -> Value {
    let (language, code) = runtime;
    json!({
        "apiVersion": "compute.functionmesh.io/v1alpha1",
        "kind": "Function",
        "metadata": { "name": name, "namespace": FUNCTIONS },
        "spec": {
            "tenant": "public",
            "namespace": "default",
            "className": class,
            language: code,
            "input": { "topics": [topic(name, "in")], "typeClassName": "java.lang.String" },
            "output": { "topic": topic(name, "out"), "typeClassName": "java.lang.String" },
            "pulsar": { "pulsarConfig": "pulsar" },
            "resources": {
                "requests": { "cpu": "100m", "memory": "256Mi" },
                "limits": { "cpu": "1", "memory": "256Mi" },
            },
        },
    })
}

fn topic(name: &str, end: &str) -> String {
    format!("persistent://public/default/{name}-{end}")
}

/// Tells functions where Pulsar is, as people who run Function Mesh do.
fn connection(pulsar: &Pulsar) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "pulsar", "namespace": FUNCTIONS },
        "data": { "webServiceURL": pulsar.admin_url(), "brokerServiceURL": pulsar.service_url() },
    })
}

/// Sends to a function and answers what it made of it. That its pod starts only now is no matter: messages wait.
async fn exchange(traffic: &Traffic, pulsar: &Pulsar, name: &str, schema: Schema) -> Result<Vec<String>> {
    let url = pulsar.service_url();
    let load = Load { topic: topic(name, "in"), schema, prefix: name.to_owned(), count: COUNT, seed: 1 };
    let sent = traffic.produce(&url, &load, PATIENCE).await?;
    let mut witness = traffic.consume_as(&url, &topic(name, "out"), WITNESS, schema).await?;
    let received = witness.collect(&sent, PATIENCE).await?;
    assert_eq!(received.missing(&sent), [""; 0], "lost on the way through {name}");
    Ok(received.by_id().values().flatten().cloned().collect())
}

/// For a failure: what the pods said last.
async fn said(cluster: &Cluster) -> String {
    let kubectl = cluster.control_plane().kubectl();
    let mut said = String::new();
    for call in [
        &["get", "pods", "-n", FUNCTIONS, "-o", "wide"][..],
        &["get", "events", "-n", FUNCTIONS][..],
        &["logs", "-n", FUNCTIONS, "-l", "component=function", "--tail=20", "--prefix"][..],
    ] {
        said.push_str(&kubectl.call(call).await.unwrap_or_else(|error| error.to_string()));
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_in_java_and_python_that_were_written_for_function_mesh_pass_messages_in_pods() -> Result<()>
{
    let world = World::get().await?;
    world.cache.node_images().await?;
    let images = world.programs.images(&world.cache).await?;
    let cluster = Cluster::start(&world.cache).await?;
    let pulsar = Pulsar::start(&world.cache, PulsarOptions::named("east").reachable_from_clusters()).await?;
    let traffic = world.traffic().await?;
    let agent = Release::install(&cluster, ImageServer::Agent, &images, &Value::Null).await?;
    agent.ready().await?;

    let java = ("java", json!({ "jar": "/pulsar/examples/api-examples.jar" }));
    let python = ("python", json!({ "py": "/pulsar/examples/python-examples/exclamation_function.py" }));
    let objects = json!({ "apiVersion": "v1", "kind": "List", "items": [
        connection(&pulsar),
        function("in-java", "org.apache.pulsar.functions.api.examples.ExclamationFunction", java),
        function("in-python", "exclamation_function.ExclamationFunction", python),
    ] });
    let kubectl = cluster.control_plane().kubectl();
    kubectl.call_with(&["apply", "-f", "-"], &objects.to_string()).await?;

    for (name, schema) in [("in-java", Schema::String), ("in-python", Schema::Bytes)] {
        let made = match exchange(traffic, &pulsar, name, schema).await {
            Ok(made) => made,
            Err(error) => return Err(error.context(said(&cluster).await)),
        };
        assert_eq!(made.len(), COUNT as usize, "{made:?}");
        assert!(made.iter().all(|text| text.ends_with('!')), "{made:?}");
    }
    let ready = "jsonpath={.items[*].status.conditions.Ready.status}";
    let ready =
        kubectl.call(&["get", "functions.compute.functionmesh.io", "-n", FUNCTIONS, "-o", ready]).await;
    assert_eq!(ready.context("read the statuses")?, "True True");
    pulsar.stop().await?;
    Ok(())
}
