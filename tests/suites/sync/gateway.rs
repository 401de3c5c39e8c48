//! What the gateway wants of one cluster: a small model of its store that the real session reads.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use isthmus_gateway::store::state::Item;
use isthmus_gateway::sync::session::Desired;
use isthmus_model::assignment::{Assignment, Removal};
use isthmus_model::component::{Component, ComponentKind, Spec};
use isthmus_model::name::{Digest, FullName, PulsarClusterName, Uid};
use isthmus_model::order::{Epoch, Generation, LogIndex, Revision, SetGeneration};
use isthmus_model::policy::Placement;
use isthmus_model::pulsar_cluster::PulsarCluster;
use isthmus_model::set_digest::SetDigest;
use uuid::Uuid;

/// Changes that are remembered: few, so that comparisons of buckets are met often.
const REMEMBERED: usize = 6;

pub(super) fn uid(n: u8) -> Uid {
    Uid(Uuid::from_u128(n.into()))
}

/// The desired set of one cluster. All of it survives a restart but what changed when.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    epoch: u64,
    log_index: u64,
    set_generation: u64,
    pub(super) assigned: BTreeMap<Uid, Generation>,
    pub(super) removed: BTreeMap<Uid, Generation>,
    changes: Vec<(u64, Uid)>,
}

impl Wanted {
    pub(super) fn assign(&mut self, uid: Uid) {
        let generation = self.commit();
        self.removed.remove(&uid);
        self.assigned.insert(uid, generation);
        self.changed(uid);
    }

    pub(super) fn remove(&mut self, uid: Uid) {
        if self.assigned.remove(&uid).is_some() {
            let generation = self.commit();
            self.removed.insert(uid, generation);
            self.changed(uid);
        }
    }

    /// The agent said that it stopped.
    pub(super) fn stopped(&mut self, removal: Removal) {
        if self.removed.get(&removal.uid) == Some(&removal.generation) {
            self.commit();
            self.removed.remove(&removal.uid);
        }
    }

    pub(super) fn restart(&mut self) {
        self.epoch += 1;
        self.changes.clear();
    }

    fn commit(&mut self) -> Generation {
        self.log_index += 1;
        Generation(self.log_index)
    }

    fn changed(&mut self, uid: Uid) {
        self.set_generation += 1;
        self.changes.push((self.set_generation, uid));
        if self.changes.len() > REMEMBERED {
            self.changes.remove(0);
        }
    }
}

impl Desired for Wanted {
    fn epoch(&self) -> Epoch {
        Epoch(self.epoch)
    }

    fn log_index(&self) -> LogIndex {
        LogIndex(self.log_index)
    }

    fn durable(&self) -> LogIndex {
        LogIndex(self.log_index)
    }

    fn set_generation(&self) -> SetGeneration {
        SetGeneration(self.set_generation)
    }

    fn digest(&self) -> SetDigest {
        self.assigned.iter().map(|(uid, generation)| (*uid, *generation)).collect()
    }

    fn buckets(&self) -> Vec<SetDigest> {
        let mut buckets = vec![SetDigest::default(); SetDigest::BUCKETS];
        for (uid, generation) in &self.assigned {
            buckets[usize::from(SetDigest::bucket(*uid))].insert(*uid, *generation);
        }
        buckets
    }

    fn changes_since(&self, from: SetGeneration) -> Option<Vec<Uid>> {
        let known = self.set_generation - self.changes.len() as u64;
        (known..=self.set_generation).contains(&from.0).then(|| {
            let newer = self.changes.iter().filter(|(set, _)| *set > from.0);
            let mut uids: Vec<Uid> = newer.map(|(_, uid)| *uid).collect();
            uids.sort_unstable();
            uids.dedup();
            uids
        })
    }

    fn uids(&self) -> Vec<Uid> {
        self.assigned.keys().copied().collect()
    }

    fn uids_in(&self, buckets: &[u8]) -> Vec<Uid> {
        self.assigned.keys().copied().filter(|uid| buckets.contains(&SetDigest::bucket(*uid))).collect()
    }

    fn removals(&self) -> Vec<Removal> {
        self.removed.iter().map(|(uid, generation)| Removal { uid: *uid, generation: *generation }).collect()
    }

    fn item(&self, uid: Uid) -> Option<Item> {
        match (self.assigned.get(&uid), self.removed.get(&uid)) {
            (Some(generation), _) => Some(Item::Assigned(assignment(uid, *generation))),
            (None, Some(generation)) => Some(Item::Removed(Removal { uid, generation: *generation })),
            (None, None) => None,
        }
    }

    fn confirmed(&self) -> Option<Digest> {
        None
    }
}

fn assignment(uid: Uid, generation: Generation) -> Assignment {
    static PULSAR: LazyLock<Arc<PulsarCluster>> = LazyLock::new(|| {
        Arc::new(PulsarCluster {
            name: PulsarClusterName::new("main").unwrap(),
            service_url: "pulsar://localhost:6650".into(),
            admin_url: "http://localhost:8080".into(),
            pulsar_name: String::new(),
            state_service_url: String::new(),
            peers: Vec::new(),
        })
    });
    let name = FullName::new("public", "default", &uid.to_string()).unwrap();
    let component = Component {
        name: name.clone(),
        kind: ComponentKind::Function,
        labels: BTreeMap::default(),
        annotations: BTreeMap::default(),
        spec: Box::new(Spec::default()),
        placement: Placement::default(),
    };
    Assignment {
        uid,
        name,
        kind: ComponentKind::Function,
        generation,
        revision: Revision(1),
        replicas: 1,
        pulsar: PULSAR.clone(),
        spec: Arc::from(&isthmus_proto::convert::component::encode(&component)[..]),
        sealed: None,
    }
}
