//! The admin REST API of a Pulsar cluster: what Isthmus asks it, typed.
//!
//! Answers are bounded in time and size, so that a sick broker costs its caller no more than a timeout. A broker that
//! does not own what is asked about redirects to the one that does; redirects are followed here, because the token
//! must come along. Nothing is retried: the caller knows what waiting is worth.

mod config;
mod error;
mod path;
mod request;
mod stats;

use serde::Deserialize;

use crate::topic::{Domain, NamespaceName, TopicName};

pub use config::{Config, ConfigError, Token};
pub use error::Error;
pub use stats::{
    Attachment, ConsumerStats, PublisherStats, ReplicationStats, SubscriptionStats, SubscriptionType,
    TopicStats,
};

use path::Path;
use request::Requests;

/// A client of one cluster's admin REST API. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Admin {
    requests: Requests,
}

impl Admin {
    /// Connects when first used.
    ///
    /// # Errors
    /// The URL, the token or the roots of trust cannot be used.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self { requests: Requests::new(config)? })
    }

    /// Whether a broker answers and is fully started. Cheap, and permitted to everybody.
    ///
    /// # Errors
    /// It is not, or cannot be reached.
    pub async fn ready(&self) -> Result<(), Error> {
        self.requests.get_text(&Path::to(&["brokers", "ready"])?).await.map(drop)
    }

    /// Whether a message can be sent and received: the broker tries. Needs a superuser's token where there is
    /// authorization, and takes seconds.
    ///
    /// # Errors
    /// It cannot, or the broker cannot be reached.
    pub async fn healthy(&self) -> Result<(), Error> {
        self.requests.get_text(&Path::to(&["brokers", "health"])?).await.map(drop)
    }

    /// The names of the clusters that this one knows, its own included.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn clusters(&self) -> Result<Vec<String>, Error> {
        self.requests.get(&Path::to(&["clusters"])?).await
    }

    /// The names of the tenants.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn tenants(&self) -> Result<Vec<String>, Error> {
        self.requests.get(&Path::to(&["tenants"])?).await
    }

    /// The namespaces of a tenant.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn namespaces(&self, tenant: &str) -> Result<Vec<NamespaceName>, Error> {
        let names: Vec<String> = self.requests.get(&Path::to(&["namespaces", tenant])?).await?;
        // Namespaces of the old form, with a cluster in them, hold nothing for us.
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// The topics of a namespace, for patterns: partitioned topics once, not by partition.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn topics(&self, namespace: &NamespaceName, domain: Domain) -> Result<Vec<TopicName>, Error> {
        let path = Path::to(&[domain.as_str(), namespace.tenant(), namespace.namespace()])?;
        let names: Vec<String> = self.requests.get(&path).await?;
        let mut topics: Vec<_> = names
            .iter()
            .filter_map(|name| name.parse().ok())
            .map(|topic: TopicName| topic.partitioned())
            .collect();
        topics.sort_unstable();
        topics.dedup();
        Ok(topics)
    }

    /// How many partitions a topic has; 0 when it is not partitioned. Asking creates nothing.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::is_not_found`] when there is no such topic (older brokers say 0).
    pub async fn partitions(&self, topic: &TopicName) -> Result<u32, Error> {
        #[derive(Deserialize)]
        struct Metadata {
            #[serde(default)]
            partitions: u32,
        }
        let path = Path::to_topic(topic, &["partitions"])?.with("checkAllowAutoCreation", "false");
        self.requests.get::<Metadata>(&path).await.map(|metadata| metadata.partitions)
    }

    /// What goes on in a topic that is not partitioned, or in one partition.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::is_not_found`] when there is no such topic.
    pub async fn stats(&self, topic: &TopicName) -> Result<TopicStats, Error> {
        self.requests.get(&Path::to_topic(topic, &["stats"])?).await
    }

    /// What goes on in each partition of a partitioned topic, in their order.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::is_not_found`] when the topic is not partitioned.
    pub async fn partitioned_stats(&self, topic: &TopicName) -> Result<Vec<(TopicName, TopicStats)>, Error> {
        let path = Path::to_topic(topic, &["partitioned-stats"])?.with("perPartition", "true");
        let stats: stats::PartitionedTopicStats = self.requests.get(&path).await?;
        Ok(stats.by_partition(topic))
    }

    /// What goes on in a topic, by partition where it has partitions; one entry where it has none.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::is_not_found`] when there is no such topic.
    pub async fn all_stats(&self, topic: &TopicName) -> Result<Vec<(TopicName, TopicStats)>, Error> {
        let partitions = match topic.partition_index() {
            Some(_) => 0,
            None => self.partitions(topic).await?,
        };
        match partitions {
            0 => Ok(vec![(topic.clone(), self.stats(topic).await?)]),
            _ => self.partitioned_stats(topic).await,
        }
    }

    /// Who consumes a subscription, by partition where the topic has partitions. A topic, a partition or a
    /// subscription that does not exist has no consumers.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn consumers_of(
        &self,
        topic: &TopicName,
        subscription: &str,
    ) -> Result<Vec<Attachment>, Error> {
        match self.all_stats(topic).await {
            Ok(stats) => Ok(stats::attachments(stats, subscription)),
            Err(error) if error.is_not_found() => Ok(vec![Attachment::nobody(topic.clone())]),
            Err(error) => Err(error),
        }
    }

    /// Deletes a subscription, of all partitions. With `force` also while somebody consumes it.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::is_not_found`] when it is gone already.
    pub async fn delete_subscription(
        &self,
        topic: &TopicName,
        subscription: &str,
        force: bool,
    ) -> Result<(), Error> {
        let path = Path::to_topic(topic, &["subscription", subscription])?;
        self.requests.delete(&path.with("force", if force { "true" } else { "false" })).await
    }
}
