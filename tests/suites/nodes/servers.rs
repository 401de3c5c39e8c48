//! Gateway and agent as pods: made by their charts, joined by token, and the same after their pods were replaced. What was deployed
//! through them has its package from the agent, and does not notice.

use anyhow::Result;
use isthmus_testbed::isthmus::Cli;
use isthmus_testbed::isthmus::charts::{FUNCTIONS, JOIN_TOKEN, NAMESPACE, Release, prepare, put_join_token};
use isthmus_testbed::kubernetes::Cluster;
use isthmus_testbed::traffic::Schema;
use isthmus_testbed::{ImageServer, Pulsar, PulsarOptions};
use isthmus_tests::{PATIENCE, World, until};
use serde_json::{Value, json};

use super::world::{PYTHON, exchange, function};

/// On the node; callers and agents come to it.
const PORT: u16 = 30443;

/// The cluster's name in the federation, and that of its Pulsar.
const INSIDE: &str = "inside";

/// Waits until the gateway has a session with the cluster.
async fn healthy(cli: &Cli) -> Result<()> {
    until("the cluster to be healthy", PATIENCE, async || {
        let told = cli.call(&["get", "cluster", INSIDE, "-o", "json"]).await;
        let told = told.map_err(|error| error.to_string())?;
        let told: Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
        let health = &told["status"]["health"];
        if health == "Healthy" { Ok(()) } else { Err(health.to_string()) }
    })
    .await?;
    Ok(())
}

/// UIDs and restarts of the pods in a namespace.
async fn pods(cluster: &Cluster, namespace: &str) -> Result<String> {
    let each = "{range .items[*]}{.metadata.name} {.metadata.uid} {.status.containerStatuses[*].restartCount}{\"\\n\"}{end}";
    let call = ["get", "pods", "-n", namespace, "-o", &format!("jsonpath={each}")];
    Ok(cluster.control_plane().kubectl().call(&call).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_and_an_agent_in_pods_join_run_a_package_and_are_the_same_after_their_pods_were_replaced()
-> Result<()> {
    let world = World::get().await?;
    world.cache.node_images().await?;
    let images = world.programs.images(&world.cache).await?;
    let cluster = Box::pin(Cluster::start(&world.cache)).await?;
    let pulsar = Pulsar::start(&world.cache, PulsarOptions::named(INSIDE).reachable_from_clusters()).await?;
    let there = (&cluster, &pulsar, world.traffic().await?);
    let dir = tempfile::tempdir()?;
    let address = format!("{}:{PORT}", cluster.address());

    let values = json!({
        "names": [cluster.address()],
        "advertise": [address],
        "service": { "type": "NodePort", "nodePort": PORT },
    });
    prepare(&cluster, &images).await?;
    let gateway = Release::install(&cluster, ImageServer::Gateway, &values).await?;
    gateway.ready().await?;
    let cli = gateway.administrator(&world.programs, &dir.path().join("cli.yaml")).await?;
    let token = cli.call(&["cluster", "join-token", INSIDE, "--labels", "region=eu"]).await?;
    put_join_token(&cluster, token.trim()).await?;
    let values = json!({ "gateways": [address], "joinToken": { "existingSecret": JOIN_TOKEN } });
    let agent = Release::install(&cluster, ImageServer::Agent, &values).await?;
    agent.ready().await?;
    healthy(&cli).await?;

    let urls = ["--service-url", &pulsar.service_url(), "--admin-url", &pulsar.admin_url()];
    let name = ["--pulsar-name", pulsar.cluster()];
    cli.call(&[&["pulsar-cluster", "apply", INSIDE][..], &urls, &name].concat()).await?;
    cli.call(&["cluster", "link", INSIDE, INSIDE]).await?;
    let code = pulsar.home().python_examples().join("exclamation_function.py");
    let code = json!({ "py": "exclamation_function.py", "pyLocation": format!("file://{}", code.display()) });
    let deployed = function("packaged", INSIDE, PYTHON, ("python", code)).to_string();
    cli.call_with(&["apply", "-f", "-", "--wait"], &deployed).await?;
    exchange(there, "packaged", Schema::Bytes, "before").await?;
    let running = pods(&cluster, FUNCTIONS).await?;
    assert!(running.starts_with("packaged-function-0 ") && running.ends_with(" 0\n"), "{running}");

    // A token is used once: an agent that lost its volume could not join again, nor would the gateway know it.
    let kubectl = cluster.control_plane().kubectl();
    kubectl.call(&["delete", "secret", JOIN_TOKEN, "-n", NAMESPACE]).await?;
    let before = pods(&cluster, NAMESPACE).await?;
    kubectl.call(&["delete", "pods", "--all", "-n", NAMESPACE]).await?;
    until("other pods", PATIENCE, async || {
        let now = pods(&cluster, NAMESPACE).await.map_err(|error| format!("{error:#}"))?;
        let same = now.lines().any(|pod| before.lines().any(|old| old == pod));
        if same || now.lines().count() < 2 { Err(now) } else { Ok(()) }
    })
    .await?;
    gateway.ready().await?;
    agent.ready().await?;
    healthy(&cli).await?;
    exchange(there, "packaged", Schema::Bytes, "after").await?;
    assert_eq!(pods(&cluster, FUNCTIONS).await?, running, "the function did not notice");
    cli.call(&["delete", "function", "packaged", "--wait"]).await?;
    assert_eq!(pods(&cluster, FUNCTIONS).await?, "");
    pulsar.stop().await?;
    Ok(())
}
