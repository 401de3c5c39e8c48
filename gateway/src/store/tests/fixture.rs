//! A store without threads and disk, and builders with defaults: a test shows only what it is about.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use isthmus_model::cluster::{Declared, Health, Link};
use isthmus_model::component::ComponentKind;
use isthmus_model::name::{ClusterName, FullName, Labels, PrincipalName, Uid};
use isthmus_model::order::UnixMillis;
use isthmus_model::policy::{Mode, Operator, Placement, Requirement, Selector};
use isthmus_model::pulsar_cluster::PulsarCluster;
use isthmus_model::resources::Capacity;
use isthmus_model::sealed::{SealedKey, SealedSecrets, SealedValue, SealingKey};

use crate::placement::{Cache, Demand};
use crate::store::apply::apply;
use crate::store::command::{
    Certificate, ClusterChange, Command, Delete, JoinToken, RequestId, ResourceChange, SecretHash,
    Submission, Write, WriteMode,
};
use crate::store::commit::{Commit, Outcome};
use crate::store::decide::{Verdict, decide};
use crate::store::record::Prepared;
use crate::store::rejection::Rejection;
use crate::store::state::{Item, State};

/// A store without threads and disk: decides and applies on the spot, and keeps its log.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) state: State,
    pub(crate) cache: Cache,
    pub(crate) log: Vec<Commit>,
    pub(crate) time: u64,
    /// Plan again who is woken, after every command.
    pub(crate) lazy: bool,
}

impl Store {
    /// A store with these clusters, healthy and linked to one PulsarCluster, each with room for `room` instances.
    pub(crate) fn with_clusters(names: &[&str], room: u64) -> Self {
        let mut store = Self::default();
        store.must(pulsar("main"));
        for name in names {
            store.join(name, &[], room);
        }
        store
    }

    pub(crate) fn join(&mut self, name: &str, labels: &[(&str, &str)], room: u64) {
        let secret = format!("{name} at {}", self.time);
        for command in joining(name, &secret, labels, room) {
            self.must(command);
        }
    }

    pub(crate) fn must(&mut self, command: Command) -> Outcome {
        self.submit(command).unwrap()
    }

    pub(crate) fn submit(&mut self, command: Command) -> Result<Outcome, Rejection> {
        self.submit_as(None, command)
    }

    pub(crate) fn submit_as(
        &mut self,
        request: Option<RequestId>,
        command: Command,
    ) -> Result<Outcome, Rejection> {
        let answer = self.one(request, command);
        while !self.lazy {
            let uids = self.state.next_woken(16, true);
            if uids.is_empty() {
                break;
            }
            self.one(None, Command::Replan { uids, may_evict: true }).unwrap();
        }
        answer
    }

    fn one(&mut self, request: Option<RequestId>, command: Command) -> Result<Outcome, Rejection> {
        self.time += 1;
        let time = UnixMillis(self.time);
        let prepared = Prepared::new(Submission { principal: principal(), time, request, command });
        let Prepared { principal, time, request, command, .. } = prepared;
        match decide(&self.state, time, request.as_ref(), &command, &mut self.cache)? {
            Verdict::Nothing(outcome) => {
                if let Command::Replan { uids, may_evict } = &command {
                    self.state.settle(uids, *may_evict);
                }
                Ok(outcome)
            }
            Verdict::Effects(effects) => {
                let index = self.state.applied().next();
                let epoch = self.state.epoch();
                let commit = Commit { index, epoch, time, principal, request, command, effects };
                apply(&mut self.state, &commit);
                let outcome = commit.outcome();
                self.log.push(commit);
                Ok(outcome)
            }
        }
    }

    /// Where a component shall run: `cluster=replicas`, removals as `-cluster`, or what it waits for.
    pub(crate) fn places(&self, name: &str) -> String {
        let name: FullName = format!("t/n/{name}").parse().unwrap();
        let Some(view) = self.state.component(&name) else { return "none".to_owned() };
        let mut places: Vec<String> = view
            .assignments()
            .map(|assignment| match (assignment.removed(), assignment.cluster()) {
                (true, cluster) => format!("-{cluster}"),
                (false, cluster) => format!("{cluster}={}", assignment.replicas()),
            })
            .collect();
        places.sort();
        if let Some(waits) = view.waits_for() {
            places.extend(waits.iter().map(|reason| reason.to_string()));
        }
        places.join(" ")
    }

    /// Every cluster that has removals reports that they were carried out.
    pub(crate) fn stop_all(&mut self) {
        let clusters: Vec<ClusterName> =
            self.state.clusters().map(|view| view.cluster().name.clone()).collect();
        for cluster in clusters {
            let stopped = self.state.desired(&cluster).unwrap().removals();
            self.must(Command::Stopped { cluster, stopped });
        }
    }
}

/// The commands with which a cluster joins, declares room for `room` instances, becomes healthy and is linked.
pub(crate) fn joining(name: &str, secret: &str, labels: &[(&str, &str)], room: u64) -> Vec<Command> {
    let hash = SecretHash::of(secret.as_bytes());
    let token = JoinToken {
        hash,
        cluster: name.parse().unwrap(),
        labels: self::labels(labels),
        expires_at: UnixMillis(u64::MAX),
        used_at: None,
    };
    let link = Link::default();
    vec![
        Command::Resource(ResourceChange::CreateJoinToken(token)),
        cluster(name, join(hash)),
        cluster(name, capacity(room)),
        cluster(name, ClusterChange::Link { pulsar: "main".parse().unwrap(), link, default: true }),
        cluster(name, ClusterChange::Health(Health::Healthy)),
    ]
}

pub(crate) fn join(token: SecretHash) -> ClusterChange {
    let certificate = Certificate { serial: "01".to_owned(), not_after: UnixMillis(u64::MAX) };
    ClusterChange::Join { token, certificate, renewal: SecretHash::of(b"renewal") }
}

pub(crate) fn capacity(room: u64) -> ClusterChange {
    let capacity = Capacity { cpu_millis: room * 100, memory_bytes: room << 20, instances: room };
    ClusterChange::Declare(Declared {
        version: "1".to_owned(),
        capabilities: vec!["java".to_owned(), "python".to_owned()],
        capacity,
        sealing_key: None,
    })
}

pub(crate) fn cluster(name: &str, change: ClusterChange) -> Command {
    Command::Cluster { name: name.parse().unwrap(), change }
}

pub(crate) fn pulsar(name: &str) -> Command {
    Command::Resource(ResourceChange::PutPulsarCluster(pulsar_cluster(name, "pulsar://localhost:6650")))
}

pub(crate) fn pulsar_cluster(name: &str, url: &str) -> PulsarCluster {
    PulsarCluster {
        name: name.parse().unwrap(),
        service_url: url.to_owned(),
        admin_url: "http://localhost:8080".to_owned(),
        pulsar_name: String::new(),
        state_service_url: String::new(),
        peers: Vec::new(),
    }
}

pub(crate) fn principal() -> PrincipalName {
    "alice".parse().unwrap()
}

pub(crate) fn labels(labels: &[(&str, &str)]) -> Labels {
    labels.iter().map(|(key, value)| (key.parse().unwrap(), value.parse().unwrap())).collect()
}

pub(crate) fn requires(key: &str, values: &[&str]) -> Selector {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Selector(vec![Requirement { key: key.parse().unwrap(), operator: Operator::In, values }])
}

pub(crate) fn uid(n: u128) -> Uid {
    Uid(uuid::Uuid::from_u128(n))
}

/// A write that is being made up.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) write: Write,
    demand: Demand,
}

/// A function `t/n/<name>`: one replica anywhere, as small as one unit of a cluster's room.
pub(crate) fn function(name: &str) -> Function {
    let n = name.bytes().fold(7, |n: u128, byte| n * 257 + u128::from(byte));
    let demand = Demand {
        runtime: "java".into(),
        replicas: 1,
        reserved: 1,
        each: Capacity { cpu_millis: 100, memory_bytes: 1 << 20, instances: 1 },
        pulsar: None,
        policy: Placement::default(),
        sealed_for: Box::default(),
    };
    Function {
        write: Write {
            mode: WriteMode::Create,
            uid: uid(n),
            name: FullName::new("t", "n", name).unwrap(),
            kind: ComponentKind::Function,
            spec: Arc::from(format!("spec of {name}").as_bytes()),
            demand: Arc::default(),
            labels: Labels::new(),
            packages: Vec::new(),
            sealed: None,
        },
        demand,
    }
}

impl Function {
    pub(crate) fn replicas(mut self, replicas: u32) -> Self {
        self.demand.replicas = replicas;
        self.demand.reserved = replicas;
        self
    }

    pub(crate) fn reserving(mut self, reserved: u32) -> Self {
        self.demand.reserved = reserved;
        self
    }

    pub(crate) fn mode(mut self, mode: Mode) -> Self {
        self.demand.policy.mode = mode;
        self
    }

    pub(crate) fn on(mut self, clusters: &[&str]) -> Self {
        self.demand.policy.clusters = requires(Selector::NAME_KEY, clusters);
        self
    }

    pub(crate) fn policy(mut self, change: impl FnOnce(&mut Placement)) -> Self {
        change(&mut self.demand.policy);
        self
    }

    pub(crate) fn demand(mut self, change: impl FnOnce(&mut Demand)) -> Self {
        change(&mut self.demand);
        self
    }

    pub(crate) fn spec(mut self, spec: &str) -> Self {
        self.write.spec = Arc::from(spec.as_bytes());
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Write)) -> Self {
        change(&mut self.write);
        self
    }

    /// One secret, its ciphertext made of `byte`, sealed for the keys that consist of these bytes.
    pub(crate) fn sealed(mut self, byte: u8, keys: &[u8]) -> Self {
        let sealed = SealedKey { encapsulated: [byte; 32], ciphertext: [byte; 48] };
        let keys = keys.iter().map(|n| (SealingKey([*n; 32]).id(), sealed.clone()));
        let value = SealedValue { nonce: [byte; 12], ciphertext: vec![byte; 20].into() };
        let values = Arc::new([("SECRET".to_owned(), value)].into());
        let sealed = SealedSecrets { keys: keys.collect(), values };
        self.demand.sealed_for = sealed.keys.keys().copied().collect();
        self.write.sealed = Some(Arc::new(sealed));
        self
    }

    pub(crate) fn create(&self) -> Command {
        self.command(WriteMode::Create)
    }

    pub(crate) fn update(&self) -> Command {
        self.command(WriteMode::Update(None))
    }

    pub(crate) fn apply(&self) -> Command {
        self.command(WriteMode::Apply(None))
    }

    pub(crate) fn command(&self, mode: WriteMode) -> Command {
        Command::Write(Write { mode, demand: Arc::new(self.demand.clone()), ..self.write.clone() })
    }
}

pub(crate) fn delete(name: &str) -> Command {
    Command::Delete(Delete {
        name: FullName::new("t", "n", name).unwrap(),
        kind: ComponentKind::Function,
        uid: None,
        revision: None,
    })
}

/// Everything that can be seen of a state, so that two can be compared whole.
pub(crate) fn dump(state: &State) -> BTreeMap<String, String> {
    let mut dump = BTreeMap::new();
    dump.insert("applied".to_owned(), state.applied().to_string());
    for view in state.components(None, None, None) {
        let turns = (view.deleted_at(), view.placement_turned_at());
        let mut text = format!("{:?} {turns:?} {:?}", view.kind(), view.waits_for());
        for version in view.revisions() {
            write!(text, "\n  {version:?}").unwrap();
        }
        let mut assignments: Vec<String> = view
            .assignments()
            .map(|assignment| {
                format!(
                    "{} g{} since {:?} r{} {}/{} {} {:?}",
                    assignment.cluster(),
                    assignment.generation(),
                    assignment.since(),
                    assignment.revision(),
                    assignment.replicas(),
                    assignment.reserved(),
                    assignment.removed(),
                    assignment.pulsar(),
                )
            })
            .collect();
        assignments.sort();
        write!(text, "\n  {assignments:#?} {}", view.log_index()).unwrap();
        dump.insert(format!("component {} {}", view.name(), view.uid()), text);
    }
    for view in state.clusters() {
        let desired = state.desired(&view.cluster().name).unwrap();
        let mut items: Vec<Item> = desired.uids().filter_map(|uid| desired.item(uid)).collect();
        items.sort_by_key(|item| match item {
            Item::Assigned(assignment) => assignment.uid,
            Item::Removed(removal) => removal.uid,
        });
        let mut removals = desired.removals();
        removals.sort_by_key(|removal| removal.uid);
        let text = format!(
            "{view:?}",
            view = (view.cluster(), view.health(), view.identity(), view.site().reserved(), items, removals)
        );
        let held = state
            .clusters
            .get(&view.id())
            .map(|cluster| cluster.desired.packages().collect::<BTreeMap<_, _>>());
        let numbers =
            format!("{} {} {:?} {held:?}", desired.set_generation(), desired.digest(), desired.buckets());
        dump.insert(format!("cluster {}", view.cluster().name), format!("{text}\n{numbers}"));
    }
    let access = format!(
        "{:?} {:?} {:?} {:?} {:?}",
        state.join_tokens,
        state.api_tokens().collect::<Vec<_>>(),
        state.bindings().collect::<Vec<_>>(),
        state.access.revoked,
        state.packages().map(|package| (package, state.packages.used(&package.digest))).collect::<Vec<_>>(),
    );
    dump.insert("access".to_owned(), access);
    let quotas: Vec<_> = state.quotas().map(|(scope, quota)| (state.usage(&scope), scope, quota)).collect();
    dump.insert("quotas".to_owned(), format!("{quotas:?}"));
    dump.insert("pulsar".to_owned(), format!("{:?}", state.pulsar));
    dump.insert("requests".to_owned(), format!("{:?}", state.requests.iter().collect::<Vec<_>>()));
    dump.insert("waiting".to_owned(), state.waiting_count().to_string());
    dump
}
