//! What is wrong with pods is shown to people who have no access to the cluster.

use anyhow::Result;
use isthmus_tests::{PATIENCE, until};
use serde_json::json;

use super::federation::{CLUSTER, NAMESPACE, World};

#[tokio::test]
async fn what_is_wrong_with_pods_is_described_in_the_words_of_who_saw_it() -> Result<()> {
    let world = Box::pin(World::start()).await?;
    // Nothing listens there, so that a node knows at once.
    world.deploy("ghost", "greet", "Greet", json!({"image": "127.0.0.1:1/absent/image:1"})).await?;
    world.deploy("ends", "ends", "Ends", json!({})).await?;
    let amounts = json!({"cpu": "1000", "memory": "128Mi"});
    world
        .deploy("huge", "greet", "Greet", json!({"resources": {"requests": amounts, "limits": amounts}}))
        .await?;
    let variable = json!({"name": "X", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "x"}}});
    let volumes = json!([{"name": "code", "configMap": {"name": "code"}}]);
    let pod = json!({"volumes": volumes, "env": [variable]});
    world.deploy("bare", "greet", "Greet", json!({"pod": pod})).await?;

    for (name, reason, words) in [
        ("ghost", "ImagePullBackOff", "127.0.0.1:1/absent/image:1"),
        ("ends", "CrashLoopBackOff", "container pulsar-function ended with exit code"),
        ("huge", "Unschedulable", "0/1 nodes are available: 1 Insufficient cpu"),
        ("bare", "CreateContainerConfigError", "secret \"absent\" not found"),
    ] {
        let wrong = format!("What is wrong on {CLUSTER} ({reason}):");
        let pod = format!("pod {name}-function-0: ");
        let described = world.until_described(name, &[&wrong, &pod, words, "0/1"]).await?;
        assert!(described.contains("Degraded"), "{described}");
    }
    let last_words = world.federation.cli().call(&["logs", "function", "ends", "--tail", "3"]).await?;
    assert!(!last_words.is_empty() && last_words.lines().count() <= 3, "{last_words}");
    let restarted = world.until_described("ends", &["CrashLoopBackOff"]).await?;
    assert!(!restarted.contains("1/1"), "what ends at once was never ready:\n{restarted}");

    let secret = ["create", "secret", "generic", "absent", "-n", NAMESPACE, "--from-literal=x=y"];
    world.kubectl.call(&secret).await?;
    until("the message to go with what it was about", PATIENCE, async || {
        let described = world.federation.cli().call(&["describe", "function", "bare"]).await;
        let described = described.map_err(|error| error.to_string())?;
        if described.contains("CreateContainerConfigError") { Err(described) } else { Ok(()) }
    })
    .await?;

    let log = world.federation.cli().call(&["logs", "function", "huge"]).await.expect_err("there is no log");
    let said = log.to_string();
    assert!(said.contains("has no log yet") && said.contains("isthmus describe"), "{said}");
    world.end().await
}
