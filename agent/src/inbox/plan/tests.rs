//! The rules one by one, then properties over any history.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_model::component::ComponentKind;
use isthmus_model::name::{FullName, PulsarClusterName};
use isthmus_model::order::Revision;
use isthmus_model::pulsar_cluster::PulsarCluster;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn uid(n: u8) -> Uid {
    Uid(Uuid::from_u128(n.into()))
}

fn assignment(n: u8, generation: u64) -> Arc<Assignment> {
    Arc::new(Assignment {
        sealed: None,
        uid: uid(n),
        name: FullName::new("public", "default", &format!("f{n}")).unwrap(),
        kind: ComponentKind::Function,
        generation: Generation(generation),
        revision: Revision(1),
        replicas: 1,
        pulsar: Arc::new(PulsarCluster {
            name: PulsarClusterName::new("main").unwrap(),
            service_url: "pulsar://localhost:6650".into(),
            admin_url: "http://localhost:8080".into(),
            pulsar_name: String::new(),
            state_service_url: String::new(),
            peers: Vec::new(),
        }),
        spec: Arc::from([]),
    })
}

fn upsert(n: u8, generation: u64) -> Upsert {
    let content = Ok(assignment(n, generation));
    Upsert { uid: uid(n), generation: Generation(generation), bytes: vec![n], content }
}

fn unreadable(n: u8, generation: u64) -> Upsert {
    let refusal = Refusal { reason: Reason::MalformedDocument, message: "not readable".into() };
    Upsert { content: Err(refusal), ..upsert(n, generation) }
}

fn removal(n: u8, generation: u64) -> Removal {
    Removal { uid: uid(n), generation: Generation(generation) }
}

/// A change at the commit that is the highest generation within it.
fn change(scope: Scope, to: u64, removals: Vec<Removal>, upserts: Vec<Upsert>) -> Change {
    let generations = removals.iter().map(|r| r.generation.0).chain(upserts.iter().map(|u| u.generation.0));
    let log_index = LogIndex(generations.max().unwrap_or(to).max(to));
    Change { scope, to: SetGeneration(to), removals, upserts, epoch: Epoch(1), log_index }
}

const FREE: Budget = Budget { percent: 100, at_least: u32::MAX };

/// What is held after the change.
fn after(mut holdings: Holdings, change: Change) -> Holdings {
    plan(&holdings, change, FREE).unwrap().apply_to(&mut holdings);
    holdings
}

fn holding(numbers: std::ops::Range<u8>, generation: u64) -> Holdings {
    let upserts = numbers.map(|n| upsert(n, generation)).collect();
    after(Holdings::default(), change(Scope::Whole, 1, vec![], upserts))
}

fn since(set: u64) -> Scope {
    Scope::Differences(SetGeneration(set))
}

#[test]
fn an_older_generation_is_refused_by_name_and_blocks_no_other() {
    let holdings = holding(0..1, 9);
    let plan = plan(&holdings, change(since(1), 2, vec![], vec![upsert(0, 5), upsert(1, 10)]), FREE).unwrap();
    assert_eq!(plan.refused.iter().map(|item| item.uid).collect::<Vec<_>>(), [uid(0)]);
    assert_eq!(plan.refused[0].refusal.reason, Reason::Outdated);
    assert!(matches!(&plan.steps[..], [Step::Run { assignment, .. }] if assignment.uid == uid(1)));
}

#[test]
fn a_removal_that_is_older_than_what_runs_is_not_carried_out() {
    let holdings = holding(0..1, 9);
    let plan = plan(&holdings, change(since(1), 10, vec![removal(0, 8)], vec![]), FREE).unwrap();
    assert_eq!(plan.steps, []);
}

#[test]
fn removals_come_first() {
    let holdings = holding(0..1, 1);
    let plan = plan(&holdings, change(since(1), 2, vec![removal(0, 5)], vec![upsert(1, 4)]), FREE).unwrap();
    assert!(matches!(&plan.steps[..], [Step::Stop(_), Step::Run { .. }]));
}

#[test]
fn the_removal_of_something_unknown_is_carried_out_so_that_its_stop_can_be_proved() {
    let plan = plan(&holding(0..1, 1), change(since(1), 2, vec![removal(7, 5)], vec![]), FREE).unwrap();
    assert_eq!(plan.steps, [Step::Stop(removal(7, 5))]);
}

#[test]
fn what_is_held_already_is_not_written_again() {
    let holdings = after(holding(0..3, 1), change(since(1), 2, vec![removal(2, 3)], vec![]));
    let again = change(since(2), 2, vec![removal(2, 3)], vec![upsert(0, 1), upsert(1, 1)]);
    let plan = plan(&holdings, again, FREE).unwrap();
    assert!(plan.is_empty() && plan.refused.is_empty(), "{plan:?}");
}

#[test]
fn a_change_from_another_set_or_of_an_older_gateway_is_not_taken_at_all() {
    let holdings = holding(0..1, 9);
    let gap = plan(&holdings, change(since(7), 10, vec![], vec![]), FREE);
    assert_eq!(gap, Err(Error::Gap { from: SetGeneration(7), holds: SetGeneration(1) }));
    let older = Change { epoch: Epoch(0), ..change(Scope::Whole, 8, vec![], vec![]) };
    assert!(matches!(plan(&holdings, older, FREE), Err(Error::Regressed { .. })));
}

#[test]
fn an_unreadable_assignment_is_kept_named_and_leaves_what_runs_alone() {
    let holdings = holding(0..1, 1);
    let mut result = plan(&holdings, change(since(1), 2, vec![], vec![unreadable(0, 4)]), FREE).unwrap();
    assert!(matches!(result.steps[..], [Step::Refuse { runs: true, .. }]));
    assert_eq!(result.refused.pop().map(|item| item.generation), Some(Generation(4)));
    let mut holdings = holdings;
    result.apply_to(&mut holdings);
    let sent: SetDigest = [(uid(0), Generation(4))].into_iter().collect();
    assert_eq!((holdings.digest(), holdings.running()), (sent, 1));
}

#[test]
fn what_a_whole_set_does_not_name_goes_and_counts_as_taken_away_by_its_commit() {
    let holdings = holding(0..3, 1);
    let plan = plan(&holdings, change(Scope::Whole, 7, vec![], vec![upsert(1, 1)]), FREE).unwrap();
    assert_eq!(plan.steps, [Step::Stop(removal(0, 7)), Step::Stop(removal(2, 7))]);
}

#[test]
fn what_a_bucket_does_not_name_goes_and_the_other_buckets_stay() {
    let holdings = holding(0..20, 1);
    let bucket = SetDigest::bucket(uid(3));
    let scope = Scope::Buckets(BTreeSet::from([bucket]));
    let holdings = after(holdings, change(scope, 7, vec![], vec![]));
    for n in 0..20 {
        let wanted = matches!(holdings.get(uid(n)), Some(Entry::Wanted { .. }));
        assert_eq!(wanted, SetDigest::bucket(uid(n)) != bucket, "{n}");
    }
}

#[test]
fn removals_beyond_the_budget_are_held_until_exactly_they_are_confirmed() {
    let budget = Budget { percent: 30, at_least: 2 };
    let mut holdings = holding(0..10, 1);
    let removals = (0..4).map(|n| removal(n, 5)).collect();
    let plan = plan(&holdings, change(since(1), 2, removals, vec![upsert(20, 5)]), budget).unwrap();
    plan.apply_to(&mut holdings);
    let HeldRemovals { count, total, digest } = holdings.held();
    assert_eq!((count, total), (4, 11));
    let wanted: SetDigest =
        (4..10).map(|n| (uid(n), Generation(1))).chain([(uid(20), Generation(5))]).collect();
    assert_eq!(holdings.digest(), wanted, "what is held counts as removed for the gateway");

    assert!(matches!(confirm(&holdings, SetDigest::default()), Err(Error::OtherRemovals { .. })));
    let confirmed = confirm(&holdings, digest).unwrap();
    confirmed.apply_to(&mut holdings);
    assert_eq!(holdings.held(), HeldRemovals { count: 0, total: 7, digest: SetDigest::default() });
    assert!((0..4).all(|n| holdings.get(uid(n)) == Some(Entry::Stopping { removal: Generation(5) })));
}

#[test]
fn a_held_removal_is_let_go_by_a_newer_assignment() {
    let budget = Budget { percent: 0, at_least: 0 };
    let mut holdings = holding(0..1, 1);
    for (to, removals, upserts) in [(2, vec![removal(0, 5)], vec![]), (3, vec![], vec![upsert(0, 6)])] {
        plan(&holdings, change(since(to - 1), to, removals, upserts), budget)
            .unwrap()
            .apply_to(&mut holdings);
    }
    assert_eq!(holdings.get(uid(0)), Some(Entry::Wanted { generation: Generation(6), runs: true }));
    assert_eq!(holdings.held().count, 0);
}

#[test]
fn a_new_leader_that_lost_commits_removes_nothing_unasked() {
    let mut holdings = holding(0..10, 50);
    let restored =
        Change { epoch: Epoch(2), log_index: LogIndex(20), ..change(Scope::Whole, 3, vec![], vec![]) };
    plan(&holdings, restored, FREE).unwrap().apply_to(&mut holdings);
    assert_eq!(holdings.held().count, 10);
}

/// What the gateway does to its set, one commit each.
#[derive(Debug, Clone)]
enum Act {
    Assign(u8),
    Remove(u8),
    /// Send what changed since the agent's set.
    Sync {
        whole: bool,
    },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0..12_u8).prop_map(Act::Assign),
        2 => (0..12_u8).prop_map(Act::Remove),
        2 => any::<bool>().prop_map(|whole| Act::Sync { whole }),
    ]
}

proptest! {
    /// Whatever was committed in between, an agent that takes a change holds exactly the gateway's set, and planning the
    /// same change again changes nothing.
    #[test]
    fn every_change_leads_to_exactly_the_gateways_set(acts in prop::collection::vec(act(), 1..60)) {
        let (mut set, mut removed, mut index) = (BTreeMap::new(), BTreeMap::new(), 0_u64);
        let mut holdings = Holdings::default();
        for act in acts.into_iter().chain([Act::Sync { whole: false }]) {
            match act {
                Act::Assign(n) => {
                    index += 1;
                    removed.remove(&n);
                    set.insert(n, index);
                }
                Act::Remove(n) => {
                    if set.remove(&n).is_some() {
                        index += 1;
                        removed.insert(n, index);
                    }
                }
                Act::Sync { whole } => {
                    let held = holdings.head().set_generation;
                    let scope = if whole || held.0 == 0 { Scope::Whole } else { Scope::Differences(held) };
                    let all = |map: &BTreeMap<u8, u64>| map.iter().map(|(n, g)| (*n, *g)).collect::<Vec<_>>();
                    let removals = all(&removed).into_iter().map(|(n, g)| removal(n, g)).collect();
                    let upserts = all(&set).into_iter().map(|(n, g)| upsert(n, g)).collect();
                    let change = change(scope, index + 1, removals, upserts);
                    let before = holdings.clone();
                    plan(&holdings, change.clone(), FREE).unwrap().apply_to(&mut holdings);
                    let wanted: SetDigest = all(&set).iter().map(|(n, g)| (uid(*n), Generation(*g))).collect();
                    prop_assert_eq!(holdings.digest(), wanted);
                    for (id, entry) in before.entries() {
                        prop_assert!(newest(holdings.get(id)) >= newest(Some(entry)), "{} went back", id);
                    }
                    let again = Change { scope: Scope::Whole, ..change };
                    prop_assert!(plan(&holdings, again, FREE).unwrap().is_empty());
                }
            }
        }
    }
}

fn newest(entry: Option<Entry>) -> Option<Generation> {
    entry.map(|entry| match entry {
        Entry::Wanted { generation, .. } => generation,
        Entry::Held { removal, .. } | Entry::Stopping { removal } => removal,
    })
}
