//! Whose consumers and producers Pulsar sees: an instance is ready only when its own is among them.
//!
//! An instance says that it runs before it has subscribed, and several clusters may consume one subscription with equal instance
//! numbers and host names. What tells them apart is the connection: the broker names the address from which a client
//! came, and on this host it is known which process has that address. Where addresses are translated on the way, the instance
//! number in the client's properties has to do.

mod access;
mod pattern;
mod pulsar;

use std::collections::BTreeSet;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};

use isthmus_model::component::{Component, ComponentKind, ConsumerConfig, PulsarAccess};

pub use access::Access;
pub(crate) use access::{Spoken, access};
pub use pulsar::AdminApi;

/// Who is attached to a topic, as Pulsar's admin API says. The agent's composition implements it.
pub trait Attachments: Send + Sync + 'static {
    /// Why it cannot be told.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Everyone who is attached to the topic, or to any of its partitions. A topic that does not exist has nobody.
    fn attached(
        &self,
        access: &Access,
        topic: &str,
    ) -> impl Future<Output = Result<Vec<Client>, Self::Error>> + Send;

    /// The first of the topics that a pattern takes in, as Pulsar's consumers understand patterns; partitioned topics once.
    fn matching(
        &self,
        access: &Access,
        pattern: &str,
    ) -> impl Future<Output = Result<Vec<String>, Self::Error>> + Send;
}

/// A consumer or producer of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The subscription of a consumer; `None` for a producer.
    pub subscription: Option<String>,
    /// From where it came, as the broker saw it.
    pub address: Option<SocketAddr>,
    /// The property `instance_id` that instances of Pulsar Functions set.
    pub instance: Option<u32>,
}

/// Where to look for a component's instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    /// Topics that every instance must be attached to. Empty when there is nothing to look at: a connector without a topic.
    pub topics: Vec<String>,
    /// Patterns, of each of which every instance must be attached to a topic, where there is one. To one and not to all: a
    /// consumer of a pattern finds new topics within a minute.
    pub patterns: Vec<String>,
    /// The subscription of consumers; `None` to look for producers.
    pub subscription: Option<String>,
    /// Names of the credentials with which to ask; `None` where none are needed.
    pub credentials: Option<Box<PulsarAccess>>,
}

impl Watch {
    /// The input's consumers; of what has no input topics, the output's producer.
    pub fn of(component: &Component) -> Self {
        let spec = &component.spec;
        let credentials = (spec.pulsar != PulsarAccess::default()).then(|| Box::new(spec.pulsar.clone()));
        if component.kind != ComponentKind::Source
            && spec.source_connector.is_none()
            && let Some(input) = &spec.input
            && !input.topics.is_empty()
        {
            let (patterns, topics): (Vec<_>, Vec<_>) =
                input.topics.iter().partition(|(_, config)| config.is_regex_pattern);
            let names = |topics: Vec<(&String, &ConsumerConfig)>| {
                topics.into_iter().map(|(topic, _)| topic.clone()).collect()
            };
            let subscription = match input.subscription_name.as_str() {
                "" => component.name.to_string(),
                name => name.to_owned(),
            };
            return Self {
                topics: names(topics),
                patterns: names(patterns),
                subscription: Some(subscription),
                credentials,
            };
        }
        let topic = spec.output.as_ref().map(|output| output.topic.clone()).filter(|topic| !topic.is_empty());
        Self { topics: topic.into_iter().collect(), patterns: Vec::new(), subscription: None, credentials }
    }

    /// Whether there is nothing to look at.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.patterns.is_empty()
    }

    /// Whether one of the topic's clients is this instance.
    pub fn sees(&self, clients: &[Client], index: u32, own: &BTreeSet<SocketAddr>) -> bool {
        let of_interest = clients.iter().filter(|client| client.subscription == self.subscription);
        of_interest.into_iter().any(|client| is_own(client, index, own))
    }
}

/// `own` are the local ends of the instance's connections.
fn is_own(client: &Client, index: u32, own: &BTreeSet<SocketAddr>) -> bool {
    match client.address.map(canonical) {
        Some(address) if own.contains(&address) => true,
        // The broker sees this host's addresses as they are, and this one is another process's.
        Some(address) if own.iter().any(|own| own.ip() == address.ip()) => false,
        Some(_) | None => client.instance == Some(index),
    }
}

/// The local ends of the connections of a process.
pub fn connections_of(pid: i32) -> BTreeSet<SocketAddr> {
    let table = |name| std::fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
    let inodes = socket_inodes(pid);
    let tables = [table("tcp"), table("tcp6")];
    let entries = tables.iter().flat_map(|table| table.lines()).filter_map(entry);
    entries.filter(|(_, inode)| inodes.contains(inode)).map(|(address, _)| address).collect()
}

/// Descriptors of sockets are links to `socket:[INODE]`.
fn socket_inodes(pid: i32) -> BTreeSet<u64> {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return BTreeSet::new() };
    let links = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links
        .filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .collect()
}

/// A line of `/proc/PID/net/tcp`: the local address of an established connection, and the socket's inode.
fn entry(line: &str) -> Option<(SocketAddr, u64)> {
    const ESTABLISHED: &str = "01";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if *fields.get(3)? != ESTABLISHED {
        return None;
    }
    let (ip, port) = fields.get(1)?.split_once(':')?;
    let address = SocketAddr::new(ip_address(ip)?, u16::from_str_radix(port, 16).ok()?);
    Some((canonical(address), fields.get(9)?.parse().ok()?))
}

/// The kernel prints the address as 32-bit words in the machine's byte order.
fn ip_address(hex: &str) -> Option<IpAddr> {
    let word = |text: &str| u32::from_str_radix(text, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(IpAddr::from(word(hex)?)),
        32 => {
            let mut bytes = [0_u8; 16];
            for (part, text) in bytes.chunks_exact_mut(4).zip([0..8, 8..16, 16..24, 24..32]) {
                part.copy_from_slice(&word(hex.get(text)?)?);
            }
            Some(IpAddr::from(bytes))
        }
        _ => None,
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests;
