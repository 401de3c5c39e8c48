//! The newest observation of every share, in memory, and which components' statuses changed since when.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use isthmus_model::name::Uid;
use isthmus_model::observation::Observation;
use isthmus_model::order::UnixMillis;
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::placement::ClusterId;

/// The newest observations. Older generations never win; of one generation the later observation does.
#[derive(Debug)]
pub struct Observed {
    inner: RwLock<Inner>,
    /// The newest version, for who waits for a change.
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    by_uid: HashMap<Uid, Entry>,
    /// Every component once, at the version of its last change: so that who is behind learns of each one once.
    changed: BTreeMap<u64, Uid>,
    version: u64,
}

#[derive(Debug, Default)]
struct Entry {
    version: u64,
    /// Mostly one.
    seen: Vec<Seen>,
}

/// What one cluster sees of one component.
#[derive(Debug)]
pub struct Seen {
    /// Which cluster.
    pub cluster: ClusterId,
    /// The newest observation.
    pub observation: Observation,
    /// Since when its phase, of its generation, has been what it is: as far back as this gateway was told.
    pub since: UnixMillis,
}

impl Default for Observed {
    fn default() -> Self {
        Self { inner: RwLock::default(), version: watch::Sender::new(0) }
    }
}

impl Observed {
    /// Takes in what a cluster sees.
    pub fn observe(&self, cluster: ClusterId, observations: impl IntoIterator<Item = Observation>) {
        let mut inner = self.inner.write();
        for observation in observations {
            inner.put(cluster, observation);
        }
        let version = inner.version;
        drop(inner);
        self.tell(version);
    }

    /// A cluster has nothing to do with these any more.
    pub fn forget(&self, cluster: ClusterId, uids: impl IntoIterator<Item = Uid>) {
        let mut inner = self.inner.write();
        for uid in uids {
            inner.take(uid, |of| of == cluster);
        }
        let version = inner.version;
        drop(inner);
        self.tell(version);
    }

    /// A cluster does not belong to the federation any more.
    pub fn forget_cluster(&self, cluster: ClusterId) {
        let uids: Vec<Uid> =
            self.with_all(|uid, seen| seen.iter().any(|seen| seen.cluster == cluster).then_some(uid));
        self.forget(cluster, uids);
    }

    /// Something else than an observation changed the statuses of these, for example that their cluster came or went.
    pub fn touch(&self, uids: impl IntoIterator<Item = Uid>) {
        let mut inner = self.inner.write();
        for uid in uids {
            inner.mark(uid);
        }
        let version = inner.version;
        drop(inner);
        self.tell(version);
    }

    /// All components that a cluster has been heard of.
    pub fn uids_of(&self, cluster: ClusterId) -> Vec<Uid> {
        self.with_all(|uid, seen| seen.iter().any(|seen| seen.cluster == cluster).then_some(uid))
    }

    /// The observations of one component. `look` must be short.
    pub fn of<T>(&self, uid: Uid, look: impl FnOnce(&[Seen]) -> T) -> T {
        let inner = self.inner.read();
        look(inner.by_uid.get(&uid).map(|entry| entry.seen.as_slice()).unwrap_or_default())
    }

    /// The newest version; it grows with every change.
    pub fn version(&self) -> u64 {
        *self.version.borrow()
    }

    /// Components whose status changed after `version`, each once, with the version to go on from; at most `limit`.
    pub fn changed_since(&self, version: u64, limit: usize) -> (Vec<Uid>, u64) {
        let inner = self.inner.read();
        let mut last = version;
        let mut uids = Vec::new();
        for (at, uid) in inner.changed.range(version.saturating_add(1)..).take(limit) {
            last = *at;
            uids.push(*uid);
        }
        (uids, last)
    }

    /// Tells of new versions. Only the newest is kept.
    pub fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn tell(&self, version: u64) {
        self.version.send_if_modified(|told| {
            let newer = *told < version;
            *told = version.max(*told);
            newer
        });
    }

    fn with_all<T>(&self, look: impl Fn(Uid, &[Seen]) -> Option<T>) -> Vec<T> {
        self.inner.read().by_uid.iter().filter_map(|(uid, entry)| look(*uid, &entry.seen)).collect()
    }
}

impl Inner {
    fn put(&mut self, cluster: ClusterId, observation: Observation) {
        let uid = observation.uid;
        let entry = self.by_uid.entry(uid).or_default();
        let since = observation.observed_at;
        match entry.seen.iter_mut().find(|seen| seen.cluster == cluster) {
            Some(Seen { observation: known, .. })
                if known.generation > observation.generation || *known == observation =>
            {
                return;
            }
            Some(seen) => {
                let known = std::mem::replace(&mut seen.observation, observation);
                if (known.generation, known.phase) != (seen.observation.generation, seen.observation.phase) {
                    seen.since = since;
                }
            }
            None => {
                // Exactly as much room as it takes: there is one of these for every component.
                entry.seen.reserve_exact(1);
                entry.seen.push(Seen { cluster, observation, since });
            }
        }
        self.mark(uid);
    }

    fn take(&mut self, uid: Uid, which: impl Fn(ClusterId) -> bool) {
        let Some(entry) = self.by_uid.get_mut(&uid) else { return };
        entry.seen.retain(|seen| !which(seen.cluster));
        if entry.seen.is_empty() {
            let version = entry.version;
            self.by_uid.remove(&uid);
            self.changed.remove(&version);
        } else {
            self.mark(uid);
        }
    }

    fn mark(&mut self, uid: Uid) {
        let Some(entry) = self.by_uid.get_mut(&uid) else { return };
        self.version += 1;
        self.changed.remove(&entry.version);
        entry.version = self.version;
        self.changed.insert(self.version, uid);
    }
}
