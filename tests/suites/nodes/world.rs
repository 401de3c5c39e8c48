//! What both stories have: Pulsar's own examples as functions, and messages through them.

use anyhow::Result;
use isthmus_testbed::isthmus::charts::FUNCTIONS;
use isthmus_testbed::kubernetes::Cluster;
use isthmus_testbed::traffic::{Load, Schema};
use isthmus_testbed::{Pulsar, Traffic};
use isthmus_tests::PATIENCE;
use serde_json::{Value, json};

/// The subscription by which outputs are counted.
const WITNESS: &str = "witness";

/// How many messages a function gets at a time.
const COUNT: u32 = 20;

/// The classes of the examples.
pub(super) const JAVA: &str = "org.apache.pulsar.functions.api.examples.ExclamationFunction";
pub(super) const PYTHON: &str = "exclamation_function.ExclamationFunction";

/// A function as people write it for Function Mesh; `pulsar` is what its connection is called.
pub(super) fn function(name: &str, pulsar: &str, class: &str, runtime: (&str, Value)) -> Value {
    let (language, code) = runtime;
    json!({
        "apiVersion": "compute.functionmesh.io/v1alpha1",
        "kind": "Function",
        "metadata": { "name": name },
        "spec": {
            "tenant": "public",
            "namespace": "default",
            "className": class,
            language: code,
            "input": { "topics": [topic(name, "in")], "typeClassName": "java.lang.String" },
            "output": { "topic": topic(name, "out"), "typeClassName": "java.lang.String" },
            "pulsar": { "pulsarConfig": pulsar },
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

/// Sends to a function and sees that it made of each message what it should. That its pod may start only now is no matter: messages
/// wait.
pub(super) async fn exchange(
    (cluster, pulsar, traffic): (&Cluster, &Pulsar, &Traffic),
    name: &str,
    schema: Schema,
    part: &str,
) -> Result<()> {
    let url = pulsar.service_url();
    let prefix = format!("{name}-{part}");
    let load = Load { topic: topic(name, "in"), schema, prefix, count: COUNT, seed: 1 };
    let sent = traffic.produce(&url, &load, PATIENCE).await?;
    let mut witness = traffic.consume_as(&url, &topic(name, "out"), WITNESS, schema).await?;
    let received = witness.collect(&sent, PATIENCE).await?;
    let lost = received.missing(&sent);
    if !lost.is_empty() {
        anyhow::bail!("lost on the way through {name}: {lost:?}\n{}", said(cluster).await);
    }
    assert!(received.by_id().values().flatten().all(|text| text.ends_with('!')), "{received:?}");
    Ok(())
}

/// For a failure: how the pods stand, and what they said last.
async fn said(cluster: &Cluster) -> String {
    let kubectl = cluster.control_plane().kubectl();
    let mut said = String::new();
    for call in [
        &["get", "functions.compute.functionmesh.io", "-n", FUNCTIONS, "-o", "yaml"][..],
        &["get", "pods", "-A", "-o", "wide"][..],
        &["get", "events", "-n", FUNCTIONS][..],
        &["logs", "-n", FUNCTIONS, "-l", "component=function", "--tail=20", "--prefix"][..],
    ] {
        said.push_str(&kubectl.call(call).await.unwrap_or_else(|error| error.to_string()));
    }
    said
}
