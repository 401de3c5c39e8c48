//! What goes on in a topic, as the broker tells it. Fields that we do not use are left out; fields that a broker leaves
//! out, or has nothing to say about, are empty here.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::topic::TopicName;

/// A topic, or one partition of one.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicStats {
    /// Messages in, a second.
    pub msg_rate_in: f64,
    /// Bytes in, a second.
    pub msg_throughput_in: f64,
    /// Messages out, a second, over all subscriptions.
    pub msg_rate_out: f64,
    /// Bytes out, a second, over all subscriptions.
    pub msg_throughput_out: f64,
    /// Bytes that are stored.
    pub storage_size: u64,
    /// Bytes that no subscription has acknowledged yet.
    pub backlog_size: u64,
    /// Who publishes.
    pub publishers: Vec<PublisherStats>,
    /// By name.
    pub subscriptions: BTreeMap<String, SubscriptionStats>,
    /// By remote cluster.
    pub replication: BTreeMap<String, ReplicationStats>,
}

/// A producer.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PublisherStats {
    /// Its name, unique within the topic.
    #[serde(deserialize_with = "or_default")]
    pub producer_name: String,
    /// `Shared`, `Exclusive`, `ExclusiveWithFencing` or `WaitForExclusive`.
    #[serde(deserialize_with = "or_default")]
    pub access_mode: String,
    /// Where it connects from.
    #[serde(deserialize_with = "or_default")]
    pub address: String,
    /// Since when, as the broker writes it.
    #[serde(deserialize_with = "or_default")]
    pub connected_since: String,
    /// Messages in, a second.
    pub msg_rate_in: f64,
    /// What it said of itself.
    #[serde(deserialize_with = "or_default")]
    pub metadata: BTreeMap<String, String>,
}

/// A subscription of a topic.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionStats {
    /// How consumers share it; unknown until somebody consumed it since the topic was loaded.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub subscription_type: SubscriptionType,
    /// Messages that were not acknowledged yet.
    pub msg_backlog: i64,
    /// Messages that were delivered but not acknowledged yet.
    pub unacked_messages: i64,
    /// Messages out, a second.
    pub msg_rate_out: f64,
    /// Bytes out, a second.
    pub msg_throughput_out: f64,
    /// Whether its position outlives its consumers.
    #[serde(rename = "isDurable")]
    pub durable: bool,
    /// Whether its position is replicated to other clusters.
    #[serde(rename = "isReplicated")]
    pub replicated: bool,
    /// Which consumer gets the messages of an exclusive or failover subscription.
    #[serde(deserialize_with = "or_default")]
    pub active_consumer_name: String,
    /// Who consumes it.
    pub consumers: Vec<ConsumerStats>,
}

/// How consumers share a subscription.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum SubscriptionType {
    /// One consumer.
    Exclusive,
    /// Any consumer gets any message.
    Shared,
    /// One consumer at a time.
    Failover,
    /// A key's messages go to one consumer.
    #[serde(rename = "Key_Shared")]
    KeyShared,
    /// The broker does not say.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A consumer.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerStats {
    /// Its name.
    #[serde(deserialize_with = "or_default")]
    pub consumer_name: String,
    /// Where it connects from.
    #[serde(deserialize_with = "or_default")]
    pub address: String,
    /// Since when, as the broker writes it.
    #[serde(deserialize_with = "or_default")]
    pub connected_since: String,
    /// Messages out, a second.
    pub msg_rate_out: f64,
    /// Messages that were delivered but not acknowledged yet.
    pub unacked_messages: i64,
    /// What it said of itself; instances of functions say their full name and instance id.
    #[serde(deserialize_with = "or_default")]
    pub metadata: BTreeMap<String, String>,
}

/// Replication to another cluster.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicationStats {
    /// Whether the other cluster is reached.
    pub connected: bool,
    /// Messages that were not sent there yet.
    pub replication_backlog: i64,
    /// Messages out, a second.
    pub msg_rate_out: f64,
    /// How long the oldest of those that were not sent yet has waited.
    pub replication_delay_in_seconds: i64,
}

/// All partitions of a topic; the sums are left out.
#[derive(Debug, Deserialize)]
pub(super) struct PartitionedTopicStats {
    #[serde(default)]
    partitions: BTreeMap<String, TopicStats>,
}

impl PartitionedTopicStats {
    /// By number. A partition that nobody has touched yet is not told of.
    pub(super) fn by_partition(self, topic: &TopicName) -> Vec<(TopicName, TopicStats)> {
        let named = self.partitions.into_iter().filter_map(|(name, stats)| {
            let partition: TopicName = name.parse().ok()?;
            let index = partition.partition_index().filter(|_| partition.partitioned() == *topic)?;
            Some((index, stats))
        });
        let by_index: BTreeMap<u32, TopicStats> = named.collect();
        by_index.into_iter().map(|(index, stats)| (topic.partition(index), stats)).collect()
    }
}

/// Who consumes a subscription of one topic or partition.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    /// The topic, or the partition.
    pub topic: TopicName,
    /// Who consumes it there.
    pub consumers: Vec<ConsumerStats>,
}

impl Attachment {
    pub(super) fn nobody(topic: TopicName) -> Self {
        Self { topic, consumers: Vec::new() }
    }
}

pub(super) fn attachments(stats: Vec<(TopicName, TopicStats)>, subscription: &str) -> Vec<Attachment> {
    let attachment = |(topic, mut stats): (TopicName, TopicStats)| {
        let consumers = stats.subscriptions.remove(subscription).map(|found| found.consumers);
        Attachment { topic, consumers: consumers.unwrap_or_default() }
    };
    stats.into_iter().map(attachment).collect()
}

/// Brokers write `null` where they have nothing to say.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATS: &str = r#"{
        "msgRateIn": 12.5, "msgThroughputIn": 800.0, "storageSize": 4096, "backlogSize": 12, "ownerBroker": "b:8080",
        "publishers": [{"producerName": "p-1", "accessMode": "Shared", "msgRateIn": 12.5, "metadata": null}],
        "subscriptions": {
            "public/default/greet": {
                "type": "Failover", "msgBacklog": 3,
                "isDurable": true, "durable": true, "isReplicated": true, "replicated": true,
                "activeConsumerName": "a", "consumers": [
                    {"consumerName": "a", "connectedSince": "2026-01-01T00:00:00Z", "unackedMessages": 1,
                     "metadata": {"id": "public/default/greet", "instance_id": "0"}},
                    {"consumerName": "b", "metadata": {}}
                ]
            },
            "idle": {"type": null, "activeConsumerName": null, "consumers": []}
        },
        "replication": {"west": {"connected": true, "replicationBacklog": 7, "replicationDelayInSeconds": 2}}
    }"#;

    fn stats() -> TopicStats {
        serde_json::from_str(STATS).unwrap()
    }

    #[test]
    fn what_is_told_is_understood_and_what_is_not_is_empty() {
        let stats = stats();
        let greet = &stats.subscriptions["public/default/greet"];
        assert_eq!((greet.subscription_type, greet.msg_backlog), (SubscriptionType::Failover, 3));
        assert!(greet.durable && greet.replicated);
        assert_eq!(greet.consumers[0].metadata["instance_id"], "0");
        assert_eq!(stats.subscriptions["idle"].subscription_type, SubscriptionType::Unknown);
        assert_eq!(stats.publishers[0].metadata, BTreeMap::new());
        assert_eq!(
            (stats.replication["west"].connected, stats.replication["west"].replication_backlog),
            (true, 7)
        );
        assert_eq!(serde_json::from_str::<TopicStats>("{}").unwrap(), TopicStats::default());
    }

    #[test]
    fn a_subscription_has_its_consumers_and_one_that_is_not_there_has_none() {
        let topic: TopicName = "in".parse().unwrap();
        let of = |subscription| attachments(vec![(topic.clone(), stats())], subscription);
        let names: Vec<_> = of("public/default/greet")[0]
            .consumers
            .iter()
            .map(|consumer| consumer.consumer_name.clone())
            .collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(of("other"), [Attachment::nobody(topic.clone())]);
    }

    #[test]
    fn partitions_come_in_their_order_and_only_those_of_the_topic() {
        let topic: TopicName = "in".parse().unwrap();
        let partitions = [10, 2, 0].map(|index| (topic.partition(index).to_string(), stats()));
        let foreign =
            [("persistent://public/default/out-partition-1".to_owned(), stats()), ("?".to_owned(), stats())];
        let all = PartitionedTopicStats { partitions: partitions.into_iter().chain(foreign).collect() };
        let found: Vec<_> =
            all.by_partition(&topic).into_iter().map(|(topic, _)| topic.partition_index()).collect();
        assert_eq!(found, [Some(0), Some(2), Some(10)]);
    }
}
