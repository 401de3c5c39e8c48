//! Asking Pulsar's admin REST API who is attached to a topic.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use isthmus_pulsar::admin::{Admin, Config, ConfigError, TopicStats};
use isthmus_pulsar::topic::TopicName;
use parking_lot::Mutex;

use super::{Attachments, Client};

/// The admin APIs of all Pulsar clusters that this host talks to; each is connected to when it is first asked.
#[derive(Debug)]
pub struct AdminApi {
    timeout: Duration,
    clients: Mutex<HashMap<String, Admin>>,
}

/// Pulsar cannot be asked who is attached to a topic.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The topic's name.
    #[error("cannot ask for the statistics of topic {topic:?}, which is not a name that Pulsar knows")]
    Topic {
        /// Which.
        topic: String,
        /// Why not.
        source: isthmus_pulsar::topic::Error,
    },
    /// The URL of the API.
    #[error("cannot use the admin URL {url}")]
    Url {
        /// Which.
        url: String,
        /// Why not.
        source: ConfigError,
    },
    /// The API does not answer as it should.
    #[error("cannot ask {url} for the statistics of topic {topic}")]
    Ask {
        /// Whom.
        url: String,
        /// For what.
        topic: String,
        /// Why not.
        source: isthmus_pulsar::admin::Error,
    },
}

impl AdminApi {
    /// Gives up on an answer after `timeout`.
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, clients: Mutex::default() }
    }

    fn client(&self, url: &str) -> Result<Admin, ConfigError> {
        let mut clients = self.clients.lock();
        if let Some(client) = clients.get(url) {
            return Ok(client.clone());
        }
        let client = Admin::new(&Config { timeout: self.timeout, ..Config::new(url) })?;
        clients.insert(url.to_owned(), client.clone());
        Ok(client)
    }
}

impl Attachments for AdminApi {
    type Error = Error;

    async fn attached(&self, admin_url: &str, topic: &str) -> Result<Vec<Client>, Error> {
        let name: TopicName =
            topic.parse().map_err(|source| Error::Topic { topic: topic.to_owned(), source })?;
        let client =
            self.client(admin_url).map_err(|source| Error::Url { url: admin_url.to_owned(), source })?;
        match client.all_stats(&name).await {
            Ok(partitions) => Ok(partitions.iter().flat_map(|(_, stats)| clients(stats)).collect()),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(source) => Err(Error::Ask { url: admin_url.to_owned(), topic: topic.to_owned(), source }),
        }
    }
}

fn clients(stats: &TopicStats) -> Vec<Client> {
    let consumers = stats.subscriptions.iter().flat_map(|(subscription, stats)| {
        let of = |consumer: &isthmus_pulsar::admin::ConsumerStats| {
            client(Some(subscription), &consumer.address, &consumer.metadata)
        };
        stats.consumers.iter().map(of)
    });
    let producers =
        stats.publishers.iter().map(|producer| client(None, &producer.address, &producer.metadata));
    consumers.chain(producers).collect()
}

fn client(subscription: Option<&String>, address: &str, metadata: &BTreeMap<String, String>) -> Client {
    Client {
        subscription: subscription.cloned(),
        address: socket_address(address),
        instance: metadata.get("instance_id").and_then(|id| id.parse().ok()),
    }
}

/// Java prints an address behind a slash, and behind the host's name where it knows one.
fn socket_address(text: &str) -> Option<SocketAddr> {
    text.rsplit('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_java_prints_them() {
        let expected = "127.0.0.1:41234".parse().ok();
        assert_eq!(socket_address("/127.0.0.1:41234"), expected);
        assert_eq!(socket_address("localhost/127.0.0.1:41234"), expected);
        assert_eq!(socket_address("127.0.0.1:41234"), expected);
        assert_eq!(socket_address("/[0:0:0:0:0:0:0:1]:9"), "[::1]:9".parse().ok());
        assert_eq!(socket_address(""), None);
    }

    #[test]
    fn consumers_come_with_their_subscription_and_producers_without() {
        let stats = r#"{
            "publishers": [{"address": "/10.0.0.1:2", "metadata": {"instance_id": "3"}}],
            "subscriptions": {"s": {"type": "Shared", "consumers": [{"address": "/10.0.0.1:1", "metadata": null}]}}
        }"#;
        let stats: TopicStats = serde_json::from_str(stats).unwrap();
        let consumer =
            Client { subscription: Some("s".into()), address: "10.0.0.1:1".parse().ok(), instance: None };
        let producer = Client { subscription: None, address: "10.0.0.1:2".parse().ok(), instance: Some(3) };
        assert_eq!(clients(&stats), [consumer, producer]);
    }
}
