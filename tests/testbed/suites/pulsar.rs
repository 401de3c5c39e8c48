//! Real Pulsar servers, seen by the official client.

use std::time::Duration;

use isthmus_testbed::{
    Cache, Pulsar, PulsarOptions, Traffic,
    traffic::{Load, Schema},
};

const PATIENCE: Duration = Duration::from_mins(2);

fn load(topic: &str, count: u32) -> Load {
    Load { topic: topic.to_owned(), schema: Schema::Bytes, prefix: "message".to_owned(), count, seed: 7 }
}

#[tokio::test]
async fn what_was_sent_is_received_once_and_survives_a_killed_server() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let mut pulsar = Pulsar::start(&cache, PulsarOptions::named("lone").with_state_store()).await?;
    let traffic = Traffic::provide(&cache).await?;
    let topic = "persistent://public/default/witnessed";
    pulsar.create_subscription(topic, "witness").await?;

    let sent = traffic.produce(&pulsar.service_url(), &load(topic, 100), PATIENCE).await?;
    pulsar.crash().await?;
    pulsar.resume().await?;
    let mut consumer = traffic.consume(&pulsar.service_url(), topic, "witness").await?;
    let received = consumer.collect(&sent, PATIENCE).await?;

    assert_eq!(received.missing(&sent), [""; 0]);
    assert_eq!((received.messages(), received.duplicates()), (100, 0));
    let dir = pulsar.dir().to_owned();
    drop(consumer);
    pulsar.stop().await?;
    assert!(!dir.exists());
    Ok(())
}

#[tokio::test]
async fn what_is_sent_to_one_server_is_received_from_its_peer() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let traffic = Traffic::provide(&cache).await?;
    let servers = ["east", "west"].map(PulsarOptions::named).to_vec();
    let servers = Pulsar::start_replicated(&cache, servers).await?;
    Pulsar::create_replicated_namespace(&servers, "shop", "orders").await?;
    let [east, west] = servers.as_slice() else { anyhow::bail!("two servers were asked for") };
    let topic = "persistent://shop/orders/placed";
    west.create_subscription(topic, "witness").await?;

    let sent = traffic.produce(&east.service_url(), &load(topic, 50), PATIENCE).await?;
    let mut consumer = traffic.consume(&west.service_url(), topic, "witness").await?;
    let received = consumer.collect(&sent, PATIENCE).await?;

    assert_eq!(received.missing(&sent), [""; 0]);
    for server in servers {
        server.stop().await?;
    }
    Ok(())
}
