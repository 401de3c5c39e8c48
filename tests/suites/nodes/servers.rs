//! Gateway and agent as pods: made by their charts, joined by token, and the same after their pods were replaced.

use anyhow::{Context, Result};
use isthmus_testbed::ImageServer;
use isthmus_testbed::isthmus::Cli;
use isthmus_testbed::isthmus::charts::{JOIN_TOKEN, NAMESPACE, Release, put_join_token};
use isthmus_testbed::kubernetes::Cluster;
use isthmus_tests::{PATIENCE, World, until};
use serde_json::{Value, json};

/// On the node; callers come to it.
const PORT: u16 = 30443;

/// Waits until the gateway has a session with the cluster.
async fn healthy(cli: &Cli, cluster: &str) -> Result<()> {
    until(format!("{cluster} to be healthy"), PATIENCE, async || {
        let told = cli.call(&["get", "cluster", cluster, "-o", "json"]).await;
        let told = told.map_err(|error| error.to_string())?;
        let told: Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
        let health = &told["status"]["health"];
        if health == "Healthy" { Ok(()) } else { Err(health.to_string()) }
    })
    .await?;
    Ok(())
}

/// The pod's UID.
async fn uid(cluster: &Cluster, pod: &str) -> Result<String> {
    let call = ["get", "pod", pod, "-n", NAMESPACE, "-o", "jsonpath={.metadata.uid}"];
    Ok(cluster.control_plane().kubectl().call(&call).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_and_an_agent_in_pods_join_and_are_the_same_after_their_pods_were_replaced() -> Result<()> {
    let world = World::get().await?;
    world.cache.node_images().await?;
    let images = world.programs.images(&world.cache).await?;
    let cluster = Box::pin(Cluster::start(&world.cache)).await?;
    let dir = tempfile::tempdir()?;
    let address = format!("{}:{PORT}", cluster.address());

    let values = json!({
        "names": [cluster.address()],
        "advertise": [address],
        "service": { "type": "NodePort", "nodePort": PORT },
    });
    let gateway = Release::install(&cluster, ImageServer::Gateway, &images, &values).await?;
    gateway.ready().await?;
    let cli = gateway.administrator(&world.programs, &dir.path().join("cli.yaml")).await?;
    let token = cli.call(&["cluster", "join-token", "inside", "--labels", "region=eu"]).await?;
    put_join_token(&cluster, token.trim()).await?;
    let values = json!({ "gateways": [address], "joinToken": { "existingSecret": JOIN_TOKEN } });
    let agent = Release::install(&cluster, ImageServer::Agent, &images, &values).await?;
    agent.ready().await?;
    healthy(&cli, "inside").await?;

    // A token is used once: an agent that lost its volume could not join again, and neither could a gateway know it.
    let kubectl = cluster.control_plane().kubectl();
    kubectl.call(&["delete", "secret", JOIN_TOKEN, "-n", NAMESPACE]).await?;
    for release in [&gateway, &agent] {
        let before = uid(&cluster, &release.pod()).await?;
        kubectl.call(&["delete", "pod", &release.pod(), "-n", NAMESPACE]).await?;
        until("another pod", PATIENCE, async || {
            let now = uid(&cluster, &release.pod()).await.map_err(|error| format!("{error:#}"))?;
            if now == before { Err(now) } else { Ok(()) }
        })
        .await?;
        release.ready().await?;
    }
    healthy(&cli, "inside").await?;
    let restarts = [
        "get",
        "pods",
        "-n",
        NAMESPACE,
        "-o",
        "jsonpath={.items[*].status.containerStatuses[*].restartCount}",
    ];
    let restarts = kubectl.call(&restarts).await.context("look at the pods")?;
    assert_eq!(restarts, "0 0", "no container had to be started twice");
    Ok(())
}
