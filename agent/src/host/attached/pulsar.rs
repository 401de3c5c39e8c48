//! Asking Pulsar's admin REST API who is attached to a topic.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use isthmus_pulsar::admin::{self, Admin, Config, ConfigError, Token, TopicStats};
use isthmus_pulsar::topic::{Domain, TopicName};
use parking_lot::Mutex;

use super::pattern::{self, Pattern};
use super::{Access, Attachments, Client};

/// The admin APIs of all Pulsar clusters that this host talks to; each is connected to when it is first asked.
#[derive(Debug)]
pub struct AdminApi {
    timeout: Duration,
    clients: Mutex<Vec<(Access, Admin)>>,
}

/// More than a host's components have credentials at a time. Those that were replaced do not fill the memory: the list starts
/// anew.
const CLIENTS: usize = 64;

/// Topics of a pattern that are looked at: who consumes a pattern consumes the first ones, too.
const TOPICS: usize = 16;

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
    /// The certificates to trust.
    #[error("cannot read the certificates in {}", path.display())]
    Trust {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The pattern.
    #[error("cannot ask for the topics of pattern {pattern:?}")]
    Pattern {
        /// Which.
        pattern: String,
        /// Why not.
        source: pattern::Error,
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
    #[error("cannot ask {url} about {topic}")]
    Ask {
        /// Whom.
        url: String,
        /// For what.
        topic: String,
        /// Why not.
        source: Box<admin::Error>,
    },
}

impl AdminApi {
    /// Gives up on an answer after `timeout`.
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, clients: Mutex::default() }
    }

    fn client(&self, access: &Access) -> Result<Admin, Error> {
        let mut clients = self.clients.lock();
        if let Some((_, client)) = clients.iter().find(|(known, _)| known == access) {
            return Ok(client.clone());
        }
        let Access { url, token, trusted, allow_insecure } = access;
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|source| Error::Trust { path: path.clone(), source })
        };
        let config = Config {
            timeout: self.timeout,
            token: token.as_ref().map(|token| Token::new(&token.0)),
            trust: trusted.as_ref().map(read).transpose()?,
            allow_insecure: *allow_insecure,
            ..Config::new(url)
        };
        let client = Admin::new(&config).map_err(|source| Error::Url { url: url.clone(), source })?;
        if clients.len() >= CLIENTS {
            clients.clear();
        }
        clients.push((access.clone(), client.clone()));
        Ok(client)
    }

    /// A client that is not believed may have been made with what was replaced since.
    fn refused(&self, access: &Access, about: &str, source: admin::Error) -> Error {
        self.clients.lock().retain(|(known, _)| known != access);
        Error::Ask { url: access.url.clone(), topic: about.to_owned(), source: Box::new(source) }
    }
}

impl Attachments for AdminApi {
    type Error = Error;

    async fn attached(&self, access: &Access, topic: &str) -> Result<Vec<Client>, Error> {
        let name: TopicName =
            topic.parse().map_err(|source| Error::Topic { topic: topic.to_owned(), source })?;
        match self.client(access)?.all_stats(&name).await {
            Ok(partitions) => Ok(partitions.iter().flat_map(|(_, stats)| clients(stats)).collect()),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(source) => Err(self.refused(access, topic, source)),
        }
    }

    async fn matching(&self, access: &Access, pattern: &str) -> Result<Vec<String>, Error> {
        let parsed = Pattern::parse(pattern)
            .map_err(|source| Error::Pattern { pattern: pattern.to_owned(), source })?;
        match self.client(access)?.topics(&parsed.namespace, Domain::Persistent).await {
            Ok(topics) => {
                let taken = topics.iter().filter(|topic| parsed.takes(topic));
                Ok(taken.take(TOPICS).map(ToString::to_string).collect())
            }
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(source) => Err(self.refused(access, pattern, source)),
        }
    }
}

fn clients(stats: &TopicStats) -> Vec<Client> {
    let consumers = stats.subscriptions.iter().flat_map(|(subscription, stats)| {
        let of = |consumer: &admin::ConsumerStats| {
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
