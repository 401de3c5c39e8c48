//! Whatever is asked in whatever order: what must always hold, holds; and the log alone gives the same state again.

use hashbrown::HashMap;
use isthmus_model::access::Scope;
use isthmus_model::cluster::{Declared, Health};
use isthmus_model::name::ClusterName;
use isthmus_model::order::{LogIndex, UnixMillis};
use isthmus_model::policy::{Mode, Spread, Taint, TaintEffect};
use isthmus_model::resources::Capacity;
use isthmus_model::sealed::SealingKey;
use isthmus_model::set_digest::SetDigest;
use proptest::prelude::*;

use super::fixture::*;
use crate::placement::{Cache, ClusterId};
use crate::store::apply::apply;
use crate::store::command::Submission;
use crate::store::command::{ClusterChange, Command, RequestId, ResourceChange};
use crate::store::commit::{Commit, Effect};
use crate::store::decide::{Verdict, decide};
use crate::store::quota::{Quota, Usage};
use crate::store::record::{self, Prepared};
use crate::store::snapshot::{self, Image};
use crate::store::state::State;

const CLUSTERS: [&str; 4] = ["a", "b", "c", "d"];

/// Something that somebody does.
#[derive(Debug, Clone)]
enum Act {
    Join(usize, u64),
    Cluster(usize, Change),
    Write {
        name: u8,
        shape: Shape,
        request: Option<u8>,
    },
    Delete(u8),
    /// A cluster reports everything that it shall stop, or an older generation of it.
    Stopped {
        cluster: usize,
        stale: bool,
    },
    Quota(Option<u64>),
    Pulsar(u8),
}

#[derive(Debug, Clone)]
enum Change {
    Capacity(u64),
    /// It makes a key for secrets.
    Key(u8),
    Health(Health),
    Taint(Option<TaintEffect>),
    Cordon(bool),
    Zone(u8),
    Forget,
}

/// What a component demands, small enough that things collide.
#[derive(Debug, Clone)]
struct Shape {
    replicas: u32,
    extra: u32,
    each: u64,
    mode: Mode,
    most: u32,
    spread: Option<(u32, u32, bool)>,
    only: Option<usize>,
    spec: u8,
    /// Keys that its secrets are sealed for; none means that it has none.
    sealed: Vec<u8>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let mode = prop_oneof![Just(Mode::Singleton), Just(Mode::Divided), Just(Mode::Replicated)];
    let spread = proptest::option::weighted(0.3, (0u32..3, 0u32..3, any::<bool>()));
    let sealed = prop_oneof![4 => Just(Vec::new()), 1 => proptest::collection::vec(0u8..4, 1..4)];
    let only = proptest::option::weighted(0.2, 0usize..4);
    (0u32..5, 0u32..2, 1u64..3, mode, 0u32..4, spread, only, 0u8..3, sealed).prop_map(
        |(replicas, extra, each, mode, most, spread, only, spec, sealed)| Shape {
            replicas,
            extra,
            each,
            mode,
            most,
            spread,
            only,
            spec,
            sealed,
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    let health = prop_oneof![Just(Health::Healthy), Just(Health::Suspect), Just(Health::Disconnected)];
    let taint = proptest::option::of(prop_oneof![
        Just(TaintEffect::NoPlace),
        Just(TaintEffect::PreferNoPlace),
        Just(TaintEffect::Evict)
    ]);
    let change = prop_oneof![
        3 => (0u64..12).prop_map(Change::Capacity),
        2 => (0u8..4).prop_map(Change::Key),
        3 => health.prop_map(Change::Health),
        2 => taint.prop_map(Change::Taint),
        1 => any::<bool>().prop_map(Change::Cordon),
        1 => (0u8..2).prop_map(Change::Zone),
        1 => Just(Change::Forget),
    ];
    let request = proptest::option::weighted(0.3, 0u8..20);
    prop_oneof![
        2 => (0usize..4, 1u64..12).prop_map(|(cluster, room)| Act::Join(cluster, room)),
        4 => (0usize..4, change).prop_map(|(cluster, change)| Act::Cluster(cluster, change)),
        10 => (0u8..8, shape(), request)
            .prop_map(|(name, shape, request)| Act::Write { name, shape, request }),
        3 => (0u8..8).prop_map(Act::Delete),
        3 => (0usize..4, proptest::bool::weighted(0.2))
            .prop_map(|(cluster, stale)| Act::Stopped { cluster, stale }),
        1 => proptest::option::of(0u64..30).prop_map(Act::Quota),
        1 => (0u8..2).prop_map(Act::Pulsar),
    ]
}

fn write(name: u8, shape: &Shape, count: u64) -> Command {
    let mut function = function(&format!("f{name}"))
        .spec(&format!("{}", shape.spec))
        .replicas(shape.replicas)
        .reserving(shape.replicas + shape.extra)
        .mode(shape.mode)
        .demand(|demand| {
            demand.each =
                Capacity { cpu_millis: 100 * shape.each, memory_bytes: shape.each << 20, instances: 1 };
        })
        .policy(|policy| {
            policy.max_clusters = shape.most;
            policy.spread.extend(shape.spread.map(|(max_skew, max_groups, soft)| Spread {
                key: "zone".parse().unwrap(),
                min_groups: 0,
                max_groups,
                max_skew,
                soft,
            }));
        })
        // Every attempt draws another.
        .with(|write| write.uid = uid(u128::from(count) << 8 | u128::from(name)));
    if let Some(only) = shape.only {
        function = function.on(&[CLUSTERS[only]]);
    }
    if !shape.sealed.is_empty() {
        function = function.sealed(shape.spec, &shape.sealed);
    }
    function.apply()
}

fn run(store: &mut Store, act: &Act) {
    let name = |cluster: &usize| -> ClusterName { CLUSTERS[*cluster].parse().unwrap() };
    let on = |change| Command::Cluster { name: "x".parse().unwrap(), change };
    let _ = match act {
        Act::Join(cluster, room) => {
            store.join(CLUSTERS[*cluster], &[("zone", if cluster % 2 == 0 { "0" } else { "1" })], *room);
            return;
        }
        Act::Cluster(cluster, change) => {
            let known = store.state.cluster(&name(cluster)).map(|view| view.cluster().clone());
            let (held, taints) =
                known.map(|cluster| (cluster.labels.clone(), cluster.taints.clone())).unwrap_or_default();
            let change = match change {
                Change::Capacity(room) => capacity(*room),
                Change::Key(n) => {
                    let known =
                        store.state.cluster(&name(cluster)).map(|view| view.cluster().declared.clone());
                    let sealing_key = Some(SealingKey([*n; 32]));
                    ClusterChange::Declare(Declared { sealing_key, ..known.unwrap_or_default() })
                }
                Change::Health(health) => ClusterChange::Health(*health),
                Change::Taint(effect) => ClusterChange::Update {
                    labels: held,
                    taints: effect
                        .map(|effect| Taint { key: "k".parse().unwrap(), value: String::new(), effect })
                        .into_iter()
                        .collect(),
                },
                Change::Cordon(true) => ClusterChange::Cordon,
                Change::Cordon(false) => ClusterChange::Uncordon,
                Change::Zone(zone) => {
                    ClusterChange::Update { labels: labels(&[("zone", &zone.to_string())]), taints }
                }
                Change::Forget => ClusterChange::Forget,
            };
            let Command::Cluster { change, .. } = on(change) else { return };
            store.submit(Command::Cluster { name: name(cluster), change })
        }
        Act::Write { name, shape, request } => {
            let request = request.map(|n| RequestId::new(&principal(), &n.to_string()));
            let count = store.time;
            store.submit_as(request, write(*name, shape, count))
        }
        Act::Delete(name) => store.submit(delete(&format!("f{name}"))),
        Act::Stopped { cluster, stale } => {
            let mut stopped =
                store.state.desired(&name(cluster)).map(|desired| desired.removals()).unwrap_or_default();
            if *stale {
                for removal in &mut stopped {
                    removal.generation.0 -= 1;
                }
            }
            store.submit(Command::Stopped { cluster: name(cluster), stopped })
        }
        Act::Quota(instances) => {
            let quota = Quota { instances: *instances, ..Quota::default() };
            let scope = Scope::Namespace("t".parse().unwrap(), "n".parse().unwrap());
            store.submit(Command::Resource(ResourceChange::PutQuota { scope, quota }))
        }
        Act::Pulsar(n) => {
            let cluster = pulsar_cluster("main", &format!("pulsar://{n}:6650"));
            store.submit(Command::Resource(ResourceChange::PutPulsarCluster(cluster)))
        }
    };
}

fn run_all(store: &mut Store, acts: &[Act]) {
    for act in acts {
        run(store, act);
    }
}

fn apply_all(state: &mut State, log: &[Commit]) {
    for commit in log {
        apply(state, commit);
    }
}

/// What must hold of every state, counted anew from the components themselves.
fn check(state: &State) {
    let mut reserved: HashMap<ClusterId, Capacity> = HashMap::new();
    let mut digests: HashMap<ClusterId, SetDigest> = HashMap::new();
    let mut usage = Usage::default();
    for (_, component) in state.components.iter() {
        usage = usage.plus(component.usage());
        let mut seen = Vec::new();
        for entry in &component.entries {
            assert!(!seen.contains(&entry.cluster), "placed twice on one cluster");
            seen.push(entry.cluster);
            assert!(component.version(entry.revision).is_some(), "an assignment's revision is kept");
            let sum = reserved.entry(entry.cluster).or_default();
            *sum = sum.plus(entry.demand.each.times(entry.reserved));
            if !entry.removed {
                digests.entry(entry.cluster).or_default().insert(component.uid, entry.generation);
            }
        }
        assert!(
            !component.terminating() || component.live().count() == 0,
            "nothing lives of what is deleted"
        );
        assert!(!component.terminating() || !component.entries.is_empty(), "gone when the last has stopped");
        let waits = component.waiting.is_some();
        assert!(
            waits || component.terminating() || component.live().count() > 0,
            "placed, or waiting for it"
        );
    }
    for view in state.clusters() {
        let desired = state.desired(&view.cluster().name).unwrap();
        assert_eq!(view.site().reserved(), reserved.remove(&view.id()).unwrap_or_default());
        assert_eq!(desired.digest(), digests.remove(&view.id()).unwrap_or_default());
        let mut sum = SetDigest::default();
        desired.buckets().iter().for_each(|bucket| sum.merge(*bucket));
        assert_eq!(sum, desired.digest());
    }
    assert!(reserved.is_empty() && digests.is_empty(), "nothing is placed on a cluster that is not there");
    let scope = Scope::Namespace("t".parse().unwrap(), "n".parse().unwrap());
    assert_eq!(state.usage(&scope), usage);
    assert_eq!(state.usage(&Scope::Tenant("t".parse().unwrap())), usage);
}

/// No decision takes what is not there: neither of a cluster's room nor of a quota.
fn check_bounds(before: &HashMap<ClusterId, Capacity>, used: Usage, state: &State, commit: &Commit) {
    let gains = |id: ClusterId| {
        commit.effects.iter().any(|effect| match effect {
            Effect::Placed { assigned, .. } => assigned.iter().any(|assigned| assigned.cluster == id),
            _ => false,
        })
    };
    for site in state.sites().all() {
        let all = site.cluster.declared.capacity;
        let had = before.get(&site.id).copied().unwrap_or_default();
        let has = site.reserved();
        let over = has.instances > all.instances || has.cpu_millis > all.cpu_millis;
        let more = has.instances > had.instances || has.cpu_millis > had.cpu_millis;
        assert!(
            !(gains(site.id) && over && more),
            "{} has {has:?} of {all:?} and had {had:?}",
            site.cluster.name
        );
    }
    let scope = Scope::Namespace("t".parse().unwrap(), "n".parse().unwrap());
    if let Some(bound) = state.quota(&scope).and_then(|quota| quota.instances) {
        let now = state.usage(&scope).amounts.instances;
        let decided = !matches!(commit.command, Command::Resource(_) | Command::Cluster { .. });
        assert!(!decided || now <= bound.max(used.amounts.instances), "{now} of {bound}");
    }
}

/// The log alone, from an empty state: decided again it says the same, applied it gives the same.
fn replay(log: &[Commit]) -> State {
    let mut state = State::default();
    let mut cache = Cache::default();
    for commit in log {
        let submission = Submission {
            principal: commit.principal.clone(),
            time: commit.time,
            request: commit.request.map(|request| request.id),
            command: commit.command.clone(),
        };
        let prepared = Prepared::new(submission);
        let decoded =
            record::decode(commit.index, &record::encode(commit, prepared.encoded.clone())).unwrap();
        assert_eq!(format!("{decoded:?}"), format!("{commit:?}"), "a record says what was written");
        let verdict = decide(&state, decoded.time, decoded.request.as_ref(), &decoded.command, &mut cache);
        assert_eq!(verdict.unwrap(), Verdict::Effects(commit.effects.clone()), "{:?}", commit.command);
        let mut used = HashMap::new();
        for site in state.sites().all() {
            used.insert(site.id, site.reserved());
        }
        let scope = Scope::Namespace("t".parse().unwrap(), "n".parse().unwrap());
        let usage = state.usage(&scope);
        apply(&mut state, &decoded);
        check(&state);
        check_bounds(&used, usage, &state, commit);
    }
    state
}

fn snapshot_of(state: &State) -> State {
    let mut bytes = Vec::new();
    let written = Image::capture(state).write(&mut bytes).unwrap();
    assert_eq!(written, bytes.len() as u64);
    snapshot::read(&mut bytes.as_slice()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn the_log_gives_every_decision_and_the_state_again(acts in proptest::collection::vec(act(), 1..60)) {
        let mut store = Store::default();
        store.must(pulsar("main"));
        for act in &acts {
            run(&mut store, act);
            check(&store.state);
        }
        let replayed = replay(&store.log);
        prop_assert_eq!(dump(&replayed), dump(&store.state));
    }

    #[test]
    fn a_snapshot_and_the_rest_of_the_log_give_the_same_state(
        acts in proptest::collection::vec(act(), 1..60), cut in 0usize..60
    ) {
        let mut store = Store::default();
        store.must(pulsar("main"));
        run_all(&mut store, &acts);
        let cut = cut % (store.log.len() + 1);
        let mut state = State::default();
        apply_all(&mut state, &store.log[..cut]);
        let mut restored = snapshot_of(&state);
        prop_assert_eq!(dump(&restored), dump(&state));
        apply_all(&mut restored, &store.log[cut..]);
        prop_assert_eq!(dump(&restored), dump(&store.state));
        check(&restored);
    }

    #[test]
    fn planning_again_what_was_decided_changes_nothing(acts in proptest::collection::vec(act(), 1..60)) {
        let mut store = Store::default();
        store.must(pulsar("main"));
        run_all(&mut store, &acts);
        let mut uids: Vec<_> = store.state.components(None, None, None).map(|view| view.uid()).collect();
        uids.sort();
        // Once, since labels of clusters may have changed under what runs, which nobody is moved for until asked.
        for _ in 0..3 {
            store.must(Command::Replan { uids: uids.clone(), may_evict: true });
        }
        let again = Command::Replan { uids, may_evict: true };
        let verdict = decide(&store.state, UnixMillis(0), None, &again, &mut Cache::default()).unwrap();
        prop_assert!(matches!(verdict, Verdict::Nothing(_)), "{verdict:?}");
    }

    #[test]
    fn any_set_generation_leads_to_today_s_set(acts in proptest::collection::vec(act(), 1..60), cut in 0usize..60) {
        let mut store = Store::default();
        store.must(pulsar("main"));
        run_all(&mut store, &acts);
        let cut = cut % (store.log.len() + 1);
        let mut state = State::default();
        apply_all(&mut state, &store.log[..cut]);
        for view in state.clusters() {
            let name = &view.cluster().name;
            let (Some(then), Some(now)) = (state.desired(name), store.state.desired(name)) else { continue };
            if store.state.cluster(name).map(|view| view.id()) != Some(view.id()) {
                continue;
            }
            // What an agent holds that had the set of then, and is told the difference.
            let mut held: HashMap<_, _> = then.uids().map(|uid| (uid, then.item(uid).unwrap())).collect();
            for uid in now.changes_since(then.set_generation()).unwrap() {
                match now.item(uid) {
                    Some(item @ crate::store::state::Item::Assigned(_)) => held.insert(uid, item),
                    Some(crate::store::state::Item::Removed(_)) | None => held.remove(&uid),
                };
            }
            // Removed, stopped and gone: the agent said so itself, and needs no telling.
            held.retain(|uid, _| store.state.component_by_uid(*uid).is_some_and(|view| {
                view.assignments().any(|assignment| assignment.cluster() == name)
            }));
            let wanted: HashMap<_, _> = now.uids().map(|uid| (uid, now.item(uid).unwrap())).collect();
            prop_assert_eq!(held, wanted);
        }
    }
}

#[test]
fn an_empty_state_has_an_empty_snapshot() {
    let restored = snapshot_of(&State::default());
    assert_eq!((restored.applied(), restored.component_count()), (LogIndex(0), 0));
}
