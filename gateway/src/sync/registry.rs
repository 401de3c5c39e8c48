//! Who is connected: one session a cluster, and the newer one wins.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hashbrown::HashMap;
use isthmus_model::name::{ClusterName, Digest};
use isthmus_model::order::{SetGeneration, UnixMillis};
use isthmus_proto::sync::v1 as wire;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::session::Held;

/// Orders that wait for a session; each is a person's request.
const ORDERS: usize = 8;

/// What somebody wants of a session.
#[derive(Debug)]
pub enum Order {
    /// Tell the agent that held removals may go on.
    Confirm(Digest),
    /// Fetch a log. The request's id is the session's business.
    Log(wire::LogRequest, mpsc::Sender<LogPiece>),
}

/// A piece of a log, or why there is no more.
pub type LogPiece = Result<Bytes, LogEnd>;

/// Why a log ends before its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogEnd {
    /// The agent could not go on.
    #[error("the agent cannot read the log: {0}")]
    Agent(String),
    /// The session ended.
    #[error("the session of the cluster ended")]
    Session,
    /// The reader did not keep up.
    #[error("the log comes faster than it is read")]
    Slow,
}

/// Stands for no set at all: even an empty one has a number that can be acknowledged.
const NOTHING: u64 = u64::MAX;

/// One connected cluster, as everybody but its session sees it.
#[derive(Debug)]
pub struct Link {
    id: u64,
    cluster: ClusterName,
    connected_at: UnixMillis,
    orders: mpsc::Sender<Order>,
    end: CancellationToken,
    acknowledged: AtomicU64,
    last_heard: AtomicU64,
    held: Mutex<Option<Held>>,
}

impl Link {
    /// When the session began.
    pub fn connected_at(&self) -> UnixMillis {
        self.connected_at
    }

    /// When the agent last said something.
    pub fn last_heard(&self) -> UnixMillis {
        UnixMillis(self.last_heard.load(Ordering::Relaxed))
    }

    /// The set that the agent has acknowledged last in this session.
    pub fn acknowledged(&self) -> Option<SetGeneration> {
        let set = self.acknowledged.load(Ordering::Relaxed);
        (set != NOTHING).then_some(SetGeneration(set))
    }

    /// Removals that the agent holds back.
    pub fn held(&self) -> Option<Held> {
        *self.held.lock()
    }

    /// Gives the session an order; `false` when it has ended or has too many already.
    pub fn order(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }

    pub(super) fn heard(&self, now: UnixMillis) {
        self.last_heard.store(now.0, Ordering::Relaxed);
    }

    pub(super) fn acknowledge(&self, set: SetGeneration) {
        self.acknowledged.store(set.0, Ordering::Relaxed);
    }
}

/// What is left of a session that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// When the agent last said something.
    pub last_heard: UnixMillis,
    /// The set that it acknowledged last; `None` when it acknowledged none in that session.
    pub acknowledged: Option<SetGeneration>,
}

/// All connected clusters, and those that were since the gateway started.
#[derive(Debug)]
pub struct Registry {
    links: Mutex<HashMap<ClusterName, Arc<Link>>>,
    past: Mutex<HashMap<ClusterName, Past>>,
    next: AtomicU64,
    /// Counts changes, for who shows clusters.
    version: watch::Sender<u64>,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            links: Mutex::default(),
            past: Mutex::default(),
            next: AtomicU64::new(0),
            version: watch::Sender::new(0),
        }
    }
}

/// A session's own end of its link. Dropping it takes the session out of the registry.
#[derive(Debug)]
pub struct Place {
    registry: Arc<Registry>,
    link: Arc<Link>,
    /// What others want of the session.
    pub orders: mpsc::Receiver<Order>,
}

impl Registry {
    /// Enters a session. An older one of the same cluster is ended.
    pub fn enter(self: &Arc<Self>, cluster: &ClusterName, now: UnixMillis) -> Place {
        let (orders, receiver) = mpsc::channel(ORDERS);
        let link = Arc::new(Link {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            cluster: cluster.clone(),
            connected_at: now,
            orders,
            end: CancellationToken::new(),
            acknowledged: AtomicU64::new(NOTHING),
            last_heard: AtomicU64::new(now.0),
            held: Mutex::new(None),
        });
        let older = self.links.lock().insert(cluster.clone(), link.clone());
        if let Some(older) = older {
            self.remember(&older);
            tracing::info!(cluster = %cluster, "a newer session of cluster {cluster} replaces the older one");
            older.end.cancel();
        }
        self.changed();
        Place { registry: self.clone(), link, orders: receiver }
    }

    /// The session of a cluster.
    pub fn get(&self, cluster: &ClusterName) -> Option<Arc<Link>> {
        self.links.lock().get(cluster).cloned()
    }

    /// Whether a cluster has a session.
    pub fn is_connected(&self, cluster: &ClusterName) -> bool {
        self.links.lock().contains_key(cluster)
    }

    /// How many clusters have one.
    pub fn len(&self) -> usize {
        self.links.lock().len()
    }

    /// Whether none has one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the session of a cluster at once, for example because its certificates were revoked.
    pub fn end(&self, cluster: &ClusterName) {
        let ended = self.links.lock().remove(cluster);
        if let Some(link) = ended {
            self.remember(&link);
            link.end.cancel();
            self.changed();
        }
    }

    /// What is left of the last session of a cluster that has none; `None` when it had none since the gateway started.
    pub fn past(&self, cluster: &ClusterName) -> Option<Past> {
        self.past.lock().get(cluster).copied()
    }

    /// A cluster does not belong to the federation any more.
    pub fn forget(&self, cluster: &ClusterName) {
        self.end(cluster);
        self.past.lock().remove(cluster);
    }

    fn remember(&self, link: &Link) {
        let mut past = self.past.lock();
        // A newer session that acknowledged nothing does not undo what an older one did.
        let before = past.get(&link.cluster).and_then(|past| past.acknowledged);
        let acknowledged = link.acknowledged().or(before);
        past.insert(link.cluster.clone(), Past { last_heard: link.last_heard(), acknowledged });
    }

    /// Tells of changes. Only the newest is kept.
    pub fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
        let count = u32::try_from(self.len()).unwrap_or(u32::MAX);
        metrics::gauge!("isthmus_sessions").set(f64::from(count));
    }
}

impl Place {
    /// The link as others see it.
    pub fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Cancelled when the session must end at once.
    pub fn end(&self) -> &CancellationToken {
        &self.link.end
    }

    /// The agent holds removals back, or no longer.
    pub(super) fn hold(&self, held: Option<Held>) {
        *self.link.held.lock() = held;
        self.registry.changed();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut links = self.registry.links.lock();
        let own = links.get(&self.link.cluster).is_some_and(|link| link.id == self.link.id);
        if own {
            links.remove(&self.link.cluster);
            drop(links);
            self.registry.remember(&self.link);
            self.registry.changed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_session_of_a_cluster_wins_and_the_older_leaves_it_alone() {
        let registry = Arc::new(Registry::default());
        let east = ClusterName::new("east").unwrap();
        let older = registry.enter(&east, UnixMillis(1));
        let newer = registry.enter(&east, UnixMillis(2));
        assert!(older.end().is_cancelled() && !newer.end().is_cancelled());
        drop(older);
        assert_eq!(registry.get(&east).map(|link| link.connected_at()), Some(UnixMillis(2)));
        registry.end(&east);
        assert!(newer.end().is_cancelled() && registry.is_empty());
    }

    #[test]
    fn of_a_session_that_ended_it_is_known_when_it_was_heard_and_what_it_acknowledged() {
        let registry = Arc::new(Registry::default());
        let east = ClusterName::new("east").unwrap();
        assert_eq!(registry.past(&east), None);
        let first = registry.enter(&east, UnixMillis(1));
        first.link().acknowledge(SetGeneration(0));
        first.link().heard(UnixMillis(5));
        drop(first);
        let past = Past { last_heard: UnixMillis(5), acknowledged: Some(SetGeneration(0)) };
        assert_eq!(registry.past(&east), Some(past));
        drop(registry.enter(&east, UnixMillis(9)));
        assert_eq!(registry.past(&east), Some(Past { last_heard: UnixMillis(9), ..past }));
        registry.forget(&east);
        assert_eq!(registry.past(&east), None);
    }
}
