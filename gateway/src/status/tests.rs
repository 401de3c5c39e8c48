use isthmus_model::name::Uid;
use isthmus_model::observation::Observation;
use proptest::prelude::*;

use super::*;
use crate::placement::ClusterId;

fn uid() -> Uid {
    Uid::from_slice(&[1; 16]).unwrap()
}

fn seen(generation: u64, phase: Phase, ready: u32) -> Seen {
    let observation = observation(generation, phase, ready);
    Seen { cluster: ClusterId(1), since: observation.observed_at, observation }
}

fn observation(generation: u64, phase: Phase, ready: u32) -> Observation {
    Observation {
        uid: uid(),
        generation: Generation(generation),
        phase,
        desired: 2,
        ready,
        restarts: 1,
        reason: if phase == Phase::Ready { Reason::Ready } else { Reason::Starting },
        last_error: String::new(),
        messages: Messages { received: 10, processed: 9, user_exceptions: 1, system_exceptions: 0 },
        observed_at: UnixMillis(5),
    }
}

fn share<'a>(cluster: &'a ClusterName, seen: Option<&'a Seen>) -> Share<'a> {
    Share {
        cluster,
        pulsar: "p",
        generation: Generation(5),
        replicas: 2,
        told: UnixMillis(3),
        removed: false,
        seen,
        away: None,
    }
}

fn name(text: &str) -> ClusterName {
    ClusterName::new(text).unwrap()
}

#[test]
fn words_follow_from_what_was_told_and_what_was_seen() {
    let east = name("east");
    let (old, progressing, ready, degraded) = (
        seen(4, Phase::Ready, 2),
        seen(5, Phase::Progressing, 1),
        seen(5, Phase::Ready, 2),
        seen(6, Phase::Degraded, 1),
    );
    let removed = Share { removed: true, ..share(&east, Some(&progressing)) };
    let away = Share { away: Some(UnixMillis(9)), ..share(&east, Some(&ready)) };
    for (what, terminating, shares, summary, standing, reason) in [
        ("nowhere", false, vec![], Summary::Parked, "", None),
        (
            "not heard of",
            false,
            vec![share(&east, None)],
            Summary::Progressing,
            "Pending",
            Some(Reason::Pending),
        ),
        (
            "older",
            false,
            vec![share(&east, Some(&old))],
            Summary::Progressing,
            "Outdated",
            Some(Reason::Outdated),
        ),
        (
            "starting",
            false,
            vec![share(&east, Some(&progressing))],
            Summary::Progressing,
            "Progressing",
            Some(Reason::Starting),
        ),
        ("ready", false, vec![share(&east, Some(&ready))], Summary::Ready, "Ready", Some(Reason::Ready)),
        (
            "degraded",
            false,
            vec![share(&east, Some(&degraded))],
            Summary::Degraded,
            "Degraded",
            Some(Reason::Starting),
        ),
        ("away", false, vec![away], Summary::Progressing, "Ready", Some(Reason::Ready)),
        ("being deleted", true, vec![removed], Summary::Terminating, "Progressing", Some(Reason::Starting)),
    ] {
        let status = fold(terminating, shares);
        assert_eq!(status.summary, summary, "{what}");
        assert_eq!(status.clusters.first().map_or("", |c| c.standing.as_str()), standing, "{what}");
        assert_eq!(status.clusters.first().map(|c| c.reason), reason, "{what}");
    }
}

#[test]
fn figures_are_summed_over_clusters_and_what_shall_go_is_not_wanted() {
    let (east, west, ready) = (name("east"), name("west"), seen(5, Phase::Ready, 2));
    let going = Share { removed: true, ..share(&west, Some(&ready)) };
    let status = fold(false, [share(&east, Some(&ready)), going]);
    assert_eq!((status.desired, status.ready, status.restarts), (2, 4, 2));
    assert_eq!((status.messages.received, status.messages.failed()), (20, 2));
}

proptest! {
    #[test]
    fn the_order_of_shares_does_not_matter(order in Just(vec![0_usize, 1, 2, 3]).prop_shuffle()) {
        let names = ["a", "b", "c", "d"].map(name);
        let seen = [seen(4, Phase::Ready, 2), seen(5, Phase::Ready, 1), seen(6, Phase::Degraded, 0)];
        let shares = |at: &usize| share(&names[*at], seen.get(*at));
        prop_assert_eq!(fold(false, order.iter().map(shares)), fold(false, [0, 1, 2, 3].iter().map(shares)));
    }

    #[test]
    fn an_older_generation_never_wins_whatever_the_order(generations in proptest::collection::vec(1_u64..6, 1..20)) {
        let observed = Observed::default();
        for generation in &generations {
            observed.observe(ClusterId(1), [observation(*generation, Phase::Ready, 1)]);
        }
        let newest = observed.of(uid(), |seen| seen[0].observation.generation.0);
        prop_assert_eq!(Some(newest), generations.into_iter().max());
    }
}

#[test]
fn who_is_behind_learns_of_each_component_once() {
    let observed = Observed::default();
    observed.observe(ClusterId(1), [observation(1, Phase::Progressing, 0)]);
    observed.observe(ClusterId(1), [observation(1, Phase::Ready, 1)]);
    let (uids, version) = observed.changed_since(0, 10);
    assert_eq!(uids, [uid()]);
    observed.observe(ClusterId(1), [observation(1, Phase::Ready, 1)]);
    assert_eq!(observed.changed_since(version, 10), (vec![], version));
    observed.forget(ClusterId(1), [uid()]);
    assert_eq!(observed.of(uid(), <[_]>::len), 0);
}

#[test]
fn ready_since_the_last_cluster_and_not_ready_since_the_first() {
    let (east, west) = (name("east"), name("west"));
    let since = |at, seen| Seen { since: UnixMillis(at), ..seen };
    let (early, late) = (since(10, seen(5, Phase::Ready, 2)), since(20, seen(5, Phase::Ready, 2)));
    let (failing, failed) = (since(30, seen(5, Phase::Degraded, 1)), since(40, seen(5, Phase::Degraded, 1)));
    let old = since(10, seen(4, Phase::Ready, 2));
    let away = Share { away: Some(UnixMillis(50)), ..share(&west, Some(&late)) };
    for (what, shares, expected) in [
        ("nowhere", vec![], None),
        ("ready", vec![share(&east, Some(&early)), share(&west, Some(&late))], Some(20)),
        ("one fails", vec![share(&east, Some(&early)), share(&west, Some(&failing))], Some(30)),
        ("both fail", vec![share(&east, Some(&failed)), share(&west, Some(&failing))], Some(30)),
        ("told anew", vec![share(&east, Some(&old)), share(&west, Some(&late))], Some(3)),
        ("not heard of", vec![share(&east, None)], Some(3)),
        ("gone silent", vec![share(&east, Some(&early)), away], Some(50)),
    ] {
        assert_eq!(fold(false, shares).since, expected.map(UnixMillis), "{what}");
    }
}

#[test]
fn a_phase_holds_since_it_was_first_seen_of_its_generation() {
    let observed = Observed::default();
    let mut at = 0;
    let mut since = |generation, phase, ready| {
        at += 10;
        let seen = Observation { observed_at: UnixMillis(at), ..observation(generation, phase, ready) };
        observed.observe(ClusterId(1), [seen]);
        observed.of(uid(), |seen| seen[0].since.0)
    };
    assert_eq!(since(1, Phase::Progressing, 0), 10);
    assert_eq!(since(1, Phase::Progressing, 1), 10);
    assert_eq!(since(1, Phase::Ready, 2), 30);
    assert_eq!(since(2, Phase::Ready, 2), 40);
    assert_eq!(since(2, Phase::Ready, 1), 40);
}
