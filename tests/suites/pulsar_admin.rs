//! The admin client against a real Pulsar.

use anyhow::Result;
use isthmus_pulsar::admin::{Admin, Attachment, Config, SubscriptionType};
use isthmus_pulsar::topic::{Domain, TopicName};
use isthmus_testbed::traffic::{Load, Schema};
use isthmus_testbed::wait::until;
use isthmus_testbed::{Cache, Pulsar, PulsarOptions, Traffic};
use isthmus_tests::SOON;

/// How many consumers each topic or partition has.
fn counts(attachments: &[Attachment]) -> Vec<usize> {
    attachments.iter().map(|attachment| attachment.consumers.len()).collect()
}

/// One test, because a server takes ten seconds to start.
#[tokio::test(flavor = "multi_thread")]
async fn the_admin_client_sees_what_a_real_broker_does() -> Result<()> {
    let cache = Cache::from_env()?;
    let pulsar = Pulsar::start(&cache, PulsarOptions::named("east")).await?;
    let traffic = Traffic::provide(&cache).await?;
    let admin = Admin::new(&Config::new(pulsar.admin_url()))?;

    admin.ready().await?;
    admin.healthy().await?;
    assert!(admin.clusters().await?.contains(&"east".to_owned()));
    assert!(admin.tenants().await?.contains(&"public".to_owned()));
    let namespaces = admin.namespaces("public").await?;
    assert!(namespaces.contains(&"public/default".parse()?), "{namespaces:?}");
    assert!(admin.namespaces("nobody").await.is_err_and(|error| error.is_not_found()));

    a_plain_topic(&pulsar, &traffic, &admin).await?;
    a_partitioned_topic(&pulsar, &traffic, &admin).await?;

    let topics = admin.topics(&"public/default".parse()?, Domain::Persistent).await?;
    assert_eq!(topics, ["plain".parse()?, "split".parse()?]);
    drop(traffic);
    pulsar.stop().await?;
    let gone = admin.ready().await.expect_err("the server has stopped");
    assert!(gone.is_transient(), "{gone}");
    Ok(())
}

async fn a_plain_topic(pulsar: &Pulsar, traffic: &Traffic, admin: &Admin) -> Result<()> {
    let topic: TopicName = "plain".parse()?;
    assert_eq!(counts(&admin.consumers_of(&topic, "sub").await?), [0], "a topic that is not there");
    assert!(admin.stats(&topic).await.is_err_and(|error| error.is_not_found()));

    let consumer = traffic.consume(&pulsar.service_url(), &topic.to_string(), "sub").await?;
    assert_eq!(admin.partitions(&topic).await?, 0);
    let attached = admin.consumers_of(&topic, "sub").await?;
    assert_eq!(counts(&attached), [1]);
    assert!(
        attached.iter().flat_map(|one| &one.consumers).all(|consumer| !consumer.connected_since.is_empty())
    );
    assert_eq!(counts(&admin.consumers_of(&topic, "other").await?), [0]);

    let load =
        Load { topic: topic.to_string(), schema: Schema::Bytes, prefix: "m".into(), count: 3, seed: 1 };
    pulsar.create_subscription(&topic.to_string(), "idle").await?;
    traffic.produce(&pulsar.service_url(), &load, SOON).await?;
    // The broker counts the size of a backlog a moment after the messages.
    let stats = until("the sizes to be counted", SOON, async || match admin.stats(&topic).await {
        Ok(stats) if stats.storage_size > 0 && stats.backlog_size > 0 => Ok(stats),
        other => Err(format!("{other:?}")),
    })
    .await?;
    let backlog = stats.subscriptions.get("idle").map(|idle| (idle.msg_backlog, idle.durable));
    assert_eq!(backlog, Some((3, true)));
    let kind = stats.subscriptions.get("sub").map(|sub| sub.subscription_type);
    assert!(kind.is_some_and(|kind| kind != SubscriptionType::Unknown), "{kind:?}");

    let refused = admin.delete_subscription(&topic, "sub", false).await.expect_err("it is consumed");
    assert!(
        refused.status().is_some_and(|status| status.is_client_error()) && !refused.is_not_found(),
        "{refused}"
    );
    drop(consumer);
    admin.delete_subscription(&topic, "sub", true).await?;
    let gone = admin.delete_subscription(&topic, "sub", true).await.expect_err("it is gone");
    assert!(gone.is_not_found(), "{gone}");
    Ok(())
}

async fn a_partitioned_topic(pulsar: &Pulsar, traffic: &Traffic, admin: &Admin) -> Result<()> {
    let topic: TopicName = "split".parse()?;
    pulsar.create_partitioned_topic(&topic.to_string(), 3).await?;
    assert_eq!(admin.partitions(&topic).await?, 3);
    let consumer = traffic.consume(&pulsar.service_url(), &topic.to_string(), "sub").await?;
    let attached = admin.consumers_of(&topic, "sub").await?;
    assert_eq!(counts(&attached), [1, 1, 1]);
    let names: Vec<_> = attached.iter().map(|attachment| attachment.topic.clone()).collect();
    assert_eq!(names, [0, 1, 2].map(|index| topic.partition(index)));
    assert_eq!(counts(&admin.consumers_of(&topic.partition(1), "sub").await?), [1]);
    drop(consumer);
    until("the consumer to be gone", SOON, async || match admin.consumers_of(&topic, "sub").await {
        Ok(attached) if counts(&attached) == [0, 0, 0] => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    admin.delete_subscription(&topic, "sub", false).await?;
    assert_eq!(counts(&admin.consumers_of(&topic, "sub").await?), [0, 0, 0]);
    Ok(())
}
