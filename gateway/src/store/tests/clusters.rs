//! Clusters join, change, fall ill and are forgotten.

use isthmus_model::cluster::{Health, Link};
use isthmus_model::order::{SetGeneration, UnixMillis};
use isthmus_model::policy::{Mode, Taint, TaintEffect, Toleration};
use isthmus_model::reason::Reason;

use super::fixture::*;
use crate::store::command::{Certificate, ClusterChange, Command, JoinToken, ResourceChange, SecretHash};
use crate::store::commit::Change;

fn taint(effect: TaintEffect) -> ClusterChange {
    let taints = vec![Taint { key: "busy".parse().unwrap(), value: String::new(), effect }];
    ClusterChange::Update { labels: labels(&[]), taints }
}

#[test]
fn a_join_token_is_good_once_for_its_cluster_and_until_it_expires() {
    let mut store = Store::default();
    let token = |name: &str, secret: &[u8], expires_at| {
        Command::Resource(ResourceChange::CreateJoinToken(JoinToken {
            hash: SecretHash::of(secret),
            cluster: name.parse().unwrap(),
            labels: labels(&[("region", "eu")]),
            expires_at: UnixMillis(expires_at),
            used_at: None,
        }))
    };
    let join = |store: &mut Store, name: &str, secret: &[u8]| {
        store.submit(cluster(name, join(SecretHash::of(secret)))).map_err(|rejection| rejection.reason)
    };
    store.must(token("a", b"1", 1000));
    assert_eq!(join(&mut store, "a", b"?"), Err(Reason::TokenInvalid));
    assert_eq!(join(&mut store, "b", b"1"), Err(Reason::WrongCluster));
    join(&mut store, "a", b"1").unwrap();
    assert_eq!(join(&mut store, "a", b"1"), Err(Reason::TokenUsed));
    store.must(token("a", b"2", 1000));
    store.time = 999;
    assert_eq!(join(&mut store, "a", b"2"), Err(Reason::TokenExpired));
    let view = store.state.cluster(&"a".parse().unwrap()).unwrap();
    assert_eq!((&view.cluster().labels, view.health()), (&labels(&[("region", "eu")]), Health::Disconnected));
}

#[test]
fn a_revoked_cluster_gets_a_certificate_by_joining_again_and_not_by_renewal() {
    let mut store = Store::with_clusters(&["a"], 10);
    let renew = || {
        let certificate = Certificate { serial: "02".to_owned(), not_after: UnixMillis(u64::MAX) };
        cluster("a", ClusterChange::Renew { certificate, renewal: Some(SecretHash::of(b"next")) })
    };
    store.must(Command::Resource(ResourceChange::RevokeCertificate { serial: "01".to_owned() }));
    assert_eq!(store.submit(renew()).unwrap_err().reason, Reason::CertificateRevoked);
}

#[test]
fn nothing_new_is_placed_on_a_cluster_that_is_not_well_and_nothing_leaves_it() {
    for health in [Health::Suspect, Health::Disconnected] {
        let mut store = Store::with_clusters(&["a"], 5);
        store.must(function("f").create());
        store.must(cluster("a", ClusterChange::Health(health)));
        assert_eq!(store.places("f"), "a=1");
        store.must(function("f").replicas(2).update());
        assert_eq!(store.places("f"), "a=2", "an update stays");
        store.must(function("g").create());
        assert_eq!(store.places("g"), "Disconnected");
        store.must(cluster("a", ClusterChange::Health(Health::Healthy)));
        assert_eq!(store.places("g"), "a=1");
    }
}

#[test]
fn taints_keep_out_drive_out_or_only_advise() {
    let mut store = Store::with_clusters(&["a", "b"], 9);
    store.must(cluster("a", taint(TaintEffect::PreferNoPlace)));
    store.must(function("f").create());
    assert_eq!(store.places("f"), "b=1");
    store.must(cluster("b", taint(TaintEffect::NoPlace)));
    store.must(function("g").create());
    assert_eq!((store.places("f"), store.places("g")), ("b=1".to_owned(), "a=1".to_owned()));
    let tolerant = function("t").policy(|policy| policy.tolerations = vec![Toleration::default()]);
    store
        .must(tolerant.on(&["b"]).policy(|policy| policy.tolerations = vec![Toleration::default()]).create());
    store.must(cluster("b", taint(TaintEffect::Evict)));
    assert_eq!(store.places("f"), "-b a=1");
    assert_eq!(store.places("t"), "b=1");
}

#[test]
fn what_is_driven_out_and_has_no_other_place_stays_and_is_reported() {
    let mut store = Store::with_clusters(&["a"], 9);
    store.must(function("f").create());
    store.must(cluster("a", taint(TaintEffect::Evict)));
    assert_eq!(store.places("f"), "a=1 UntoleratedTaint");
    store.join("b", &[], 1);
    assert_eq!(store.places("f"), "-a b=1");
}

#[test]
fn a_cordon_keeps_out_what_is_new() {
    let mut store = Store::with_clusters(&["a"], 9);
    store.must(function("f").create());
    store.must(cluster("a", ClusterChange::Cordon));
    store.must(function("g").create());
    assert_eq!((store.places("f"), store.places("g")), ("a=1".to_owned(), "Cordoned".to_owned()));
    store.must(cluster("a", ClusterChange::Uncordon));
    assert_eq!(store.places("g"), "a=1");
    assert_eq!(store.must(cluster("a", ClusterChange::Uncordon)).change, Change::Nothing);
}

#[test]
fn a_forgotten_cluster_counts_as_stopped_and_its_components_go_elsewhere() {
    let mut store = Store::with_clusters(&["a", "b"], 9);
    store.must(function("f").create());
    store.must(function("g").mode(Mode::Replicated).create());
    store.must(function("d").on(&["a"]).create());
    store.must(delete("d"));
    assert_eq!(store.places("d"), "-a");
    store.must(cluster("a", ClusterChange::Forget));
    assert_eq!(store.places("f"), "b=1");
    assert_eq!(store.places("g"), "b=1");
    assert_eq!(store.places("d"), "none");
    assert_eq!(store.submit(cluster("a", ClusterChange::Cordon)).unwrap_err().reason, Reason::NotFound);
    // One of the same name is another cluster.
    store.join("a", &[], 9);
    assert_eq!(store.state.desired(&"a".parse().unwrap()).unwrap().set_generation(), SetGeneration(1));
    assert_eq!(store.places("g"), "a=1 b=1");
}

#[test]
fn a_pulsar_cluster_that_moves_gives_its_assignments_a_new_generation() {
    let mut store = Store::with_clusters(&["a", "b"], 9);
    store.must(function("f").on(&["a"]).create());
    let a = "a".parse().unwrap();
    let before = store.state.desired(&a).unwrap().set_generation();
    let link = |service_url: Option<&str>| {
        let link = Link { service_url: service_url.map(ToOwned::to_owned), admin_url: None };
        ClusterChange::Link { pulsar: "main".parse().unwrap(), link, default: false }
    };
    store.must(cluster("b", link(Some("pulsar://elsewhere:6650"))));
    assert_eq!(store.state.desired(&a).unwrap().set_generation(), before);
    let moved = pulsar_cluster("main", "pulsar://new:6650");
    let outcome = store.must(Command::Resource(ResourceChange::PutPulsarCluster(moved)));
    let desired = store.state.desired(&a).unwrap();
    assert_eq!(desired.set_generation(), before.next());
    let Some(crate::store::state::Item::Assigned(assignment)) = desired.item(function("f").write.uid) else {
        panic!()
    };
    assert_eq!(assignment.generation.0, outcome.index.0);
    assert_eq!(assignment.pulsar.service_url, "pulsar://new:6650");
}

#[test]
fn what_is_in_use_is_neither_unlinked_nor_deleted() {
    let mut store = Store::with_clusters(&["a"], 9);
    store.must(function("f").create());
    let unlink = || cluster("a", ClusterChange::Unlink { pulsar: "main".parse().unwrap() });
    let drop_pulsar = || Command::Resource(ResourceChange::DeletePulsarCluster("main".parse().unwrap()));
    assert_eq!(store.submit(unlink()).unwrap_err().reason, Reason::InUse);
    assert_eq!(store.submit(drop_pulsar()).unwrap_err().reason, Reason::InUse);
    store.must(delete("f"));
    store.stop_all();
    store.must(unlink());
    store.must(drop_pulsar());
}

#[test]
fn many_who_wait_are_planned_again_in_portions() {
    let mut store = Store::with_clusters(&["a"], 0);
    for n in 0..40 {
        store.must(function(&format!("f{n}")).create());
    }
    store.lazy = true;
    store.must(cluster("a", capacity(35)));
    assert_eq!(store.state.next_woken(100, true).len(), 40);
    store.lazy = false;
    let before = store.state.applied();
    store.must(cluster("a", ClusterChange::Cordon));
    store.must(cluster("a", ClusterChange::Uncordon));
    assert_eq!(store.state.waiting_count(), 5);
    assert!(store.state.applied().0 - before.0 >= 4, "several commits");
    // Who waited longest went first.
    assert_eq!(
        (store.places("f0"), store.places("f39")),
        ("a=1".to_owned(), "InsufficientCapacity".to_owned())
    );
}

#[test]
fn labels_and_taints_change_in_one_commit_and_wake_whom_either_helps() {
    let mut store = Store::with_clusters(&["a"], 5);
    store.must(cluster("a", taint(TaintEffect::NoPlace)));
    store.must(function("zoned").policy(|policy| policy.clusters = requires("zone", &["1"])).create());
    assert_eq!(store.places("zoned"), "SelectorMismatch");
    store.must(function("plain").create());
    assert_eq!(store.places("plain"), "UntoleratedTaint");
    let before = store.log.len();
    store.lazy = true;
    let both = ClusterChange::Update { labels: labels(&[("zone", "1")]), taints: Vec::new() };
    store.must(cluster("a", both.clone()));
    assert_eq!(store.log.len(), before + 1);
    let view = store.state.cluster(&"a".parse().unwrap()).unwrap().cluster().clone();
    assert_eq!((view.labels.clone(), view.taints.len()), (labels(&[("zone", "1")]), 0));
    store.must(cluster("a", both));
    assert_eq!(store.log.len(), before + 1, "what is so already is not written");
    store.lazy = false;
    store.must(function("last").create());
    assert_eq!((store.places("zoned").as_str(), store.places("plain").as_str()), ("a=1", "a=1"));
}

#[test]
fn a_clusters_health_has_the_time_of_its_command() {
    let mut store = Store::with_clusters(&["a"], 5);
    store.time = 5_000;
    store.must(cluster("a", ClusterChange::Health(Health::Suspect)));
    store.must(cluster("a", ClusterChange::Cordon));
    let view = store.state.cluster(&"a".parse().unwrap()).unwrap();
    assert_eq!(view.health_since(), UnixMillis(5_001));
}
