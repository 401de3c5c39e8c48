//! Secrets that travel sealed: where they may go, who gets what of them, and what is told of them.

use std::sync::Arc;

use isthmus_model::assignment::Assignment;
use isthmus_model::cluster::Declared;
use isthmus_model::name::ClusterName;
use isthmus_model::policy::Mode;
use isthmus_model::reason::Reason;
use isthmus_model::sealed::{SealingKey, SealingKeyId};

use super::fixture::*;
use crate::store::command::{ClusterChange, Command};
use crate::store::commit::{Change, Commit};
use crate::store::state::Item;

fn key(n: u8) -> SealingKey {
    SealingKey([n; 32])
}

/// Clusters `a`, `b`, … with the keys 1, 2, …
fn store(names: &[&str]) -> Store {
    let mut store = Store::with_clusters(names, 9);
    for (n, name) in (1..).zip(names) {
        store.must(has_key(&store, name, n));
    }
    store
}

fn has_key(store: &Store, name: &str, n: u8) -> Command {
    let name: ClusterName = name.parse().unwrap();
    let declared = store.state.cluster(&name).unwrap().cluster().declared.clone();
    let change = ClusterChange::Declare(Declared { sealing_key: Some(key(n)), ..declared });
    Command::Cluster { name, change }
}

/// `f` with one secret, sealed for these keys.
fn sealed_for(keys: &[u8]) -> Function {
    function("f").sealed(0xee, keys)
}

fn assignment(store: &Store, cluster: &str) -> Assignment {
    let desired = store.state.desired(&cluster.parse().unwrap()).unwrap();
    match desired.item(function("f").write.uid) {
        Some(Item::Assigned(assignment)) => assignment,
        other => panic!("{other:?}"),
    }
}

fn keys(assignment: &Assignment) -> Vec<SealingKeyId> {
    assignment.sealed.as_ref().unwrap().keys.keys().copied().collect()
}

/// Why `f` may not run there: reason, sentence, and what would have to change.
fn refused(store: &Store, cluster: &str) -> (Reason, String, String) {
    let view = store.state.component(&function("f").write.name).unwrap();
    let report = view.explain(&store.state);
    let mut all = report.refused.into_iter();
    let found = all.find(|refused| refused.cluster.as_str() == cluster).unwrap();
    (found.reason, found.why, found.remedy)
}

#[test]
fn it_is_placed_only_where_it_is_sealed_for_and_explain_says_so_of_the_others() {
    let mut store = store(&["a", "b", "c"]);
    store.join("d", &[], 9);
    store.must(sealed_for(&[2, 3]).mode(Mode::Replicated).create());
    assert_eq!(store.places("f"), "b=1 c=1 NotSealed");
    let (reason, why, remedy) = refused(&store, "a");
    assert_eq!(reason, Reason::NotSealed);
    assert!(why.contains("not sealed for its key") && why.contains(&key(1).id().to_string()), "{why}");
    assert!(remedy.contains("apply the component again with the values of its secrets"), "{remedy}");
    assert!(refused(&store, "d").1.contains("has no key"));
    store.must(function("g").mode(Mode::Replicated).create());
    assert_eq!(store.places("g"), "a=1 b=1 c=1 d=1");
}

#[test]
fn a_cluster_gets_all_values_and_of_the_keys_its_own() {
    let mut store = store(&["a", "b"]);
    store.must(sealed_for(&[1, 2, 7]).mode(Mode::Replicated).create());
    let (a, b) = (assignment(&store, "a"), assignment(&store, "b"));
    assert_eq!((keys(&a), keys(&b)), (vec![key(1).id()], vec![key(2).id()]));
    let digest = |assignment: &Assignment| assignment.sealed.as_ref().unwrap().digest();
    assert_eq!(digest(&a), digest(&b));
    let spec = String::from_utf8_lossy(&a.spec).into_owned();
    assert_eq!(spec, "spec of f", "the spec knows nothing of them");
}

#[test]
fn sealing_again_is_a_new_revision_and_generation_and_sealing_nothing_new_is_neither() {
    let mut store = store(&["a"]);
    store.must(sealed_for(&[1]).create());
    let before = (assignment(&store, "a"), store.state.desired(&"a".parse().unwrap()).unwrap().digest());
    let same = store.must(sealed_for(&[1]).apply());
    assert!(matches!(same.change, Change::Unchanged { .. }));
    let again = store.must(function("f").sealed(0xdd, &[1]).apply());
    assert!(matches!(again.change, Change::Updated { .. }));
    let after = (assignment(&store, "a"), store.state.desired(&"a".parse().unwrap()).unwrap().digest());
    assert!(after.0.generation > before.0.generation && after.0.revision > before.0.revision);
    assert_ne!(after.1, before.1);
    assert_ne!(after.0.sealed.unwrap().digest(), before.0.sealed.unwrap().digest());
}

#[test]
fn a_cluster_that_joins_later_waits_until_the_client_seals_again() {
    let mut store = store(&["a"]);
    store.must(sealed_for(&[1]).mode(Mode::Replicated).create());
    store.join("b", &[], 9);
    store.must(has_key(&store, "b", 2));
    assert_eq!(store.places("f"), "a=1 NotSealed");
    store.must(sealed_for(&[1, 2]).mode(Mode::Replicated).apply());
    assert_eq!(store.places("f"), "a=1 b=1");
}

#[test]
fn a_cluster_with_a_new_key_gives_up_what_another_can_open() {
    let mut store = store(&["a", "b"]);
    store.must(sealed_for(&[1, 2]).create());
    store.must(function("other").create());
    assert_eq!(store.places("f"), "a=1");
    let others = store.places("other");
    store.must(has_key(&store, "a", 9));
    assert_eq!(store.places("f"), "-a b=1");
    assert_eq!(store.places("other"), others, "what has no sealed secrets stays");
}

#[test]
fn what_a_cluster_can_open_no_more_or_again_has_a_new_generation() {
    let mut store = store(&["a"]);
    store.must(sealed_for(&[1, 2]).create());
    let before = assignment(&store, "a");
    store.must(has_key(&store, "a", 2));
    let after = assignment(&store, "a");
    assert_ne!(keys(&before), keys(&after));
    assert!(after.generation > before.generation, "an agent takes nothing else for a change");
    store.must(has_key(&store, "a", 3));
    let lost = assignment(&store, "a");
    assert_eq!(keys(&lost), []);
    assert!(lost.generation > after.generation);
}

#[test]
fn where_no_other_cluster_can_open_it_what_runs_stays_and_is_told_to_wait() {
    let mut store = store(&["a", "b"]);
    store.must(sealed_for(&[1]).create());
    store.must(has_key(&store, "a", 9));
    assert_eq!(store.places("f"), "a=1 NotSealed");
    assert_eq!(keys(&assignment(&store, "a")), [], "the key that it has now opens nothing of it");
    assert_eq!(refused(&store, "a").0, Reason::NotSealed);
    store.must(sealed_for(&[9]).apply());
    assert_eq!(store.places("f"), "a=1");
    assert_eq!(keys(&assignment(&store, "a")), [key(9).id()]);
}

#[test]
fn the_audit_trail_has_nothing_of_them() {
    let mut store = store(&["a"]);
    store.must(sealed_for(&[1]).create());
    store.must(function("f").sealed(0xdd, &[1]).apply());
    let trail: Vec<_> = store.log.iter().map(Commit::audit).collect();
    let text = format!("{} {trail:?}", serde_json::to_string(&trail).unwrap());
    for shown in ["238", "221", "eeee", "dddd", "SECRET"] {
        assert!(!text.contains(shown), "{shown} in {text}");
    }
    assert!(text.contains(&key(1).to_string()), "a public key may be seen");
}

#[test]
fn a_component_without_them_takes_no_more_room() {
    let mut store = store(&["a"]);
    store.must(function("f").create());
    store.must(function("g").create());
    let details = |name: &str| {
        let name = format!("t/n/{name}").parse().unwrap();
        store.state.component(&name).unwrap().current().details.clone()
    };
    // Whether there are any is said where components share what they have in common.
    assert!(Arc::ptr_eq(&details("f"), &details("g")) && details("f").sealed.is_none());
}
