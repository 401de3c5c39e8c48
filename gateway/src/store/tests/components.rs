//! Components are written, placed, moved and deleted.

use isthmus_model::access::Scope;
use isthmus_model::assignment::Removal;
use isthmus_model::component::ComponentKind;
use isthmus_model::name::Digest;
use isthmus_model::order::{Generation, Revision, UnixMillis};
use isthmus_model::policy::{Mode, Spread};
use isthmus_model::reason::Reason;

use super::fixture::*;
use crate::store::command::{Command, Package, RequestId, ResourceChange, WriteMode};
use crate::store::commit::Change;
use crate::store::quota::Quota;
use crate::store::state::Item;

fn reason(answer: Result<impl std::fmt::Debug, crate::store::Rejection>) -> Reason {
    answer.unwrap_err().reason
}

#[test]
fn a_created_component_is_placed_and_assigned_in_the_same_commit() {
    let mut store = Store::with_clusters(&["a", "b"], 10);
    let before = store.state.applied();
    let outcome = store.must(function("f").replicas(2).create());
    assert_eq!(outcome.index, before.next());
    assert_eq!(store.places("f"), "a=2");
    let desired = store.state.desired(&"a".parse().unwrap()).unwrap();
    let Some(Item::Assigned(assignment)) = desired.item(function("f").write.uid) else { panic!() };
    assert_eq!(assignment.generation, Generation::from(outcome.index));
    assert_eq!(assignment.spec.as_ref(), b"spec of f");
    assert_eq!(assignment.pulsar.service_url, "pulsar://localhost:6650");
    assert_eq!(desired.set_generation().0, 1);
}

#[test]
fn names_are_unique_over_the_three_kinds() {
    let mut store = Store::with_clusters(&["a"], 10);
    store.must(function("f").create());
    assert_eq!(reason(store.submit(function("f").create())), Reason::AlreadyExists);
    let sink = function("f").with(|write| {
        write.kind = ComponentKind::Sink;
        write.uid = uid(99);
    });
    assert_eq!(reason(store.submit(sink.apply())), Reason::NameTaken);
    assert_eq!(reason(store.submit(function("g").update())), Reason::NotFound);
}

#[test]
fn an_update_keeps_its_cluster_and_gets_a_new_generation() {
    let mut store = Store::with_clusters(&["a", "b"], 10);
    store.must(function("f").create());
    // Now `b` is the better place, and it stays all the same.
    store.must(function("g").replicas(5).on(&["a"]).create());
    let updated = store.must(function("f").spec("new").update());
    assert_eq!(updated.change, Change::Updated { uid: function("f").write.uid, revision: Revision(2) });
    assert_eq!(store.places("f"), "a=1");
    let desired = store.state.desired(&"a".parse().unwrap()).unwrap();
    let Some(Item::Assigned(assignment)) = desired.item(function("f").write.uid) else { panic!() };
    assert_eq!((assignment.generation.0, assignment.revision), (updated.index.0, Revision(2)));
    assert_eq!(assignment.spec.as_ref(), b"new");
}

#[test]
fn an_apply_that_changes_nothing_writes_nothing() {
    let mut store = Store::with_clusters(&["a"], 10);
    store.must(function("f").apply());
    let before = store.state.applied();
    let again = store.must(function("f").with(|write| write.uid = uid(5)).apply());
    let unchanged = Change::Unchanged { uid: function("f").write.uid, revision: Revision(1) };
    assert_eq!((again.change, store.state.applied()), (unchanged, before));
    store.must(function("f").replicas(2).apply());
    assert_eq!(store.places("f"), "a=2");
}

#[test]
fn a_stale_revision_is_refused() {
    let mut store = Store::with_clusters(&["a"], 10);
    store.must(function("f").create());
    store.must(function("f").spec("2").update());
    let stale = function("f").spec("3").command(WriteMode::Update(Some(Revision(1))));
    assert_eq!(reason(store.submit(stale)), Reason::StaleRevision);
    store.must(function("f").spec("3").command(WriteMode::Apply(Some(Revision(2)))));
}

#[test]
fn a_deleted_component_terminates_until_every_cluster_reported_that_it_stopped() {
    let mut store = Store::with_clusters(&["a", "b"], 10);
    store.must(function("f").mode(Mode::Replicated).create());
    let deleted = store.must(delete("f"));
    assert_eq!(store.places("f"), "-a -b");
    assert_eq!(reason(store.submit(function("f").create())), Reason::Terminating);
    let uid = function("f").write.uid;
    let stopped = |cluster: &str, generation: u64| Command::Stopped {
        cluster: cluster.parse().unwrap(),
        stopped: vec![Removal { uid, generation: Generation(generation) }],
    };
    let older = store.must(stopped("a", deleted.index.0 - 1));
    assert_eq!(older.change, Change::Nothing, "an older generation proves nothing");
    store.must(stopped("a", deleted.index.0));
    assert_eq!(store.places("f"), "-b");
    store.must(stopped("b", deleted.index.0));
    assert_eq!(store.places("f"), "none");
    store.must(function("f").create());
}

#[test]
fn room_of_what_has_not_stopped_yet_is_still_taken() {
    let mut store = Store::with_clusters(&["a"], 3);
    store.must(function("f").replicas(2).create());
    store.must(delete("f"));
    store.must(function("g").replicas(2).create());
    assert_eq!(store.places("g"), "InsufficientCapacity");
    store.stop_all();
    assert_eq!(store.places("g"), "a=2");
}

#[test]
fn an_autoscaler_s_upper_bound_is_reserved() {
    let mut store = Store::with_clusters(&["a"], 5);
    store.must(function("f").replicas(1).reserving(4).create());
    assert_eq!(store.places("f"), "a=1");
    store.must(function("g").replicas(2).create());
    assert_eq!(store.places("g"), "InsufficientCapacity");
}

#[test]
fn a_component_that_fits_nowhere_is_parked_and_placed_when_a_cluster_appears() {
    let mut store = Store::default();
    store.must(pulsar("main"));
    store.must(function("f").create());
    assert_eq!(store.places("f"), "NoClusters");
    store.join("a", &[], 1);
    assert_eq!(store.places("f"), "a=1");
}

#[test]
fn an_update_that_fits_nowhere_leaves_the_older_revision_running() {
    let mut store = Store::with_clusters(&["a"], 2);
    store.must(function("f").create());
    store.must(function("f").replicas(3).update());
    assert_eq!(store.places("f"), "a=1 InsufficientCapacity");
    store.must(cluster("a", capacity(3)));
    assert_eq!(store.places("f"), "a=3");
}

#[test]
fn an_update_that_names_other_clusters_moves() {
    let mut store = Store::with_clusters(&["a", "b"], 2);
    store.must(function("f").create());
    store.must(function("f").on(&["b"]).update());
    assert_eq!(store.places("f"), "-a b=1");
    store.stop_all();
    assert_eq!(store.places("f"), "b=1");
    // Ruled out by the policy's own words: it must not go on there, even with no other place.
    store.must(function("f").on(&["c"]).update());
    assert_eq!(store.places("f"), "-b SelectorMismatch");
}

#[test]
fn replicated_components_follow_new_clusters_up_to_their_bound() {
    let mut store = Store::with_clusters(&["a"], 5);
    store.must(function("all").mode(Mode::Replicated).create());
    store.must(function("two").mode(Mode::Replicated).policy(|policy| policy.max_clusters = 2).create());
    for name in ["b", "c"] {
        store.join(name, &[], 5);
    }
    assert_eq!(store.places("all"), "a=1 b=1 c=1");
    assert_eq!(store.places("two"), "a=1 b=1");
}

#[test]
fn divided_replicas_are_shared_out_and_stay_where_they_are() {
    let mut store = Store::with_clusters(&["a", "b", "c"], 4);
    store.must(function("f").replicas(7).mode(Mode::Divided).create());
    assert_eq!(store.places("f"), "a=3 b=2 c=2");
    store.must(function("f").replicas(8).mode(Mode::Divided).update());
    assert_eq!(store.places("f"), "a=3 b=3 c=2");
    store.must(function("f").replicas(13).mode(Mode::Divided).update());
    assert_eq!(store.places("f"), "a=3 b=3 c=2 InsufficientCapacity");
}

#[test]
fn replicas_are_spread_over_the_groups_of_a_label() {
    let mut store = Store::with_clusters(&[], 0);
    for (name, zone) in [("a", "1"), ("b", "1"), ("c", "2")] {
        store.join(name, &[("zone", zone)], 9);
    }
    let spread = |change: fn(&mut Spread)| {
        let mut spread =
            Spread { key: "zone".parse().unwrap(), min_groups: 0, max_groups: 0, max_skew: 0, soft: false };
        change(&mut spread);
        function("f").mode(Mode::Replicated).policy(|policy| {
            policy.spread = vec![spread];
            policy.max_clusters = 2;
        })
    };
    let mut place = |name: &str, change: fn(&mut Spread)| {
        let function = spread(change).with(|write| {
            write.name = format!("t/n/{name}").parse().unwrap();
            write.uid = function(name).write.uid;
        });
        store.must(function.create());
        store.places(name)
    };
    assert_eq!(place("two-zones", |spread| spread.min_groups = 2), "a=1 c=1");
    assert_eq!(
        place("one-zone", |spread| spread.max_groups = 1),
        "b=1 a=1".split(' ').rev().collect::<Vec<_>>().join(" ")
    );
    assert_eq!(place("even", |spread| spread.max_skew = 1), "b=1 c=1");
    assert_eq!(place("three-zones", |spread| spread.min_groups = 3), "SpreadUnsatisfied");
    let soft = place("soft", |spread| {
        spread.min_groups = 3;
        spread.soft = true;
    });
    assert!(soft.contains("c=1"), "{soft}");
}

#[test]
fn a_quota_holds_for_each_submission_and_wakes_who_waited_for_it() {
    let mut store = Store::with_clusters(&["a"], 50);
    let quota = |instances| {
        let quota = Quota { instances: Some(instances), ..Quota::default() };
        let scope = Scope::Namespace("t".parse().unwrap(), "n".parse().unwrap());
        Command::Resource(ResourceChange::PutQuota { scope, quota })
    };
    store.must(quota(3));
    store.must(function("f").replicas(2).create());
    assert_eq!(reason(store.submit(function("g").replicas(2).create())), Reason::QuotaExceeded);
    store.must(function("g").create());
    assert_eq!(reason(store.submit(function("f").replicas(3).update())), Reason::QuotaExceeded);
    store.must(function("r").mode(Mode::Replicated).replicas(0).create());
    store.must(delete("g"));
    store.must(function("s").mode(Mode::Replicated).create());
    store.join("b", &[], 5);
    assert_eq!(store.places("s"), "a=1 QuotaExceeded");
    store.must(quota(4));
    assert_eq!(store.places("s"), "a=1 b=1");
}

#[test]
fn a_request_that_comes_again_gets_its_answer_again() {
    let mut store = Store::with_clusters(&["a"], 5);
    let id = Some(RequestId::new(&principal(), "one"));
    let first = store.submit_as(id, function("f").create()).unwrap();
    let before = store.state.applied();
    // A retry draws another UID.
    let again = function("f").with(|write| write.uid = uid(4)).create();
    assert_eq!(store.submit_as(id, again).unwrap(), first);
    assert_eq!(reason(store.submit_as(id, function("g").create())), Reason::RequestIdReused);
    assert_eq!(store.state.applied(), before);
}

#[test]
fn a_package_must_be_stored_and_stays_while_a_kept_revision_needs_it() {
    let mut store = Store::with_clusters(&["a"], 5);
    let digest = Digest([7; 32]);
    let needs = function("f").with(|write| write.packages = vec![digest]);
    let refused = store.submit(needs.create()).unwrap_err();
    assert_eq!((refused.reason, refused.violations.len()), (Reason::PackageMissing, 1));
    store.must(Command::Resource(ResourceChange::PutPackage(Package {
        digest,
        size: 1,
        name: "f.jar".to_owned(),
        uploader: principal(),
        uploaded_at: UnixMillis(1),
    })));
    store.must(needs.create());
    let needed = |store: &Store| store.state.needs_package(&"a".parse().unwrap(), &digest);
    assert!(needed(&store), "the cluster may fetch what it shall run");
    let drop_package = || Command::Resource(ResourceChange::DeletePackage(digest));
    for revision in 2..11 {
        store.must(function("f").spec(&revision.to_string()).update());
        assert_eq!(reason(store.submit(drop_package())), Reason::InUse, "revision {revision}");
        assert!(!needed(&store), "and nothing else");
    }
    store.must(needs.clone().spec("again").update());
    assert!(needed(&store));
    store.must(delete("f"));
    assert!(!needed(&store), "what shall stop needs nothing more");
    store.stop_all();
    store.must(drop_package());
}

#[test]
fn an_explanation_names_every_cluster_and_what_would_have_to_change() {
    let mut store = Store::with_clusters(&["a", "b"], 2);
    store.join("c", &[], 1);
    store.must(cluster("b", crate::store::command::ClusterChange::Cordon));
    let outcome = store.must(function("f").replicas(2).create());
    let Change::Created { uid } = outcome.change else { panic!() };
    let report = store.state.component_by_uid(uid).unwrap().explain(&store.state);
    insta::assert_yaml_snapshot!(report);
    let parked = function("g").replicas(9).create();
    let Command::Write(write) = parked else { panic!() };
    let preview = store.state.preview(UnixMillis(1), &write).unwrap();
    insta::assert_yaml_snapshot!(preview.report);
}

#[test]
fn a_component_remembers_when_it_was_placed_lost_its_place_and_was_to_be_deleted() {
    let mut store = Store::default();
    store.must(pulsar("main"));
    let turns = |store: &Store| {
        let view = store.state.component(&"t/n/f".parse().unwrap()).unwrap();
        (view.created_at().0, view.placement_turned_at().0, view.deleted_at().map(|at| at.0))
    };
    store.time = 99;
    store.must(function("f").create());
    assert_eq!(turns(&store), (100, 100, None));
    store.time = 199;
    store.join("a", &[], 5);
    let (_, placed, _) = turns(&store);
    assert!(placed > 200, "it was placed by the planner's own command, after the cluster could take it");
    store.time = 299;
    store.must(function("f").replicas(2).apply());
    assert_eq!(turns(&store), (100, placed, None), "it is placed as before");
    store.time = 399;
    store.must(delete("f"));
    assert_eq!(turns(&store), (100, placed, Some(400)));
    store.time = 499;
    store.must(delete("f"));
    assert_eq!(turns(&store), (100, placed, Some(400)), "asked for once");
}
