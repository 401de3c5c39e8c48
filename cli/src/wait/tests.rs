use isthmus_proto::common::v1::{Condition, Metadata};
use isthmus_proto::component::v1::{ClusterStatus, Kind};

use super::*;

fn target() -> Target {
    let name = FullName { tenant: "public".into(), namespace: "default".into(), name: "greet".into() };
    Target { kind: ComponentKind::Function, name, uid: "u1".into(), revision: 2 }
}

fn share(phase: &str, observed: u64) -> ClusterStatus {
    ClusterStatus {
        cluster: "east".into(),
        generation: 9,
        observed_generation: observed,
        desired: 1,
        ready: u32::from(phase == "Ready"),
        phase: phase.into(),
        ..ClusterStatus::default()
    }
}

fn component(revision: u64, phase: &str, shares: Vec<ClusterStatus>) -> Component {
    let ready = shares.iter().map(|share| share.ready).sum();
    Component {
        kind: Kind::Function.into(),
        metadata: Some(Metadata { name: "greet".into(), uid: "u1".into(), revision, ..Metadata::default() }),
        status: Some(Status {
            phase: phase.into(),
            desired: 1,
            ready,
            clusters: shares,
            ..Status::default()
        }),
        ..Component::default()
    }
}

fn verdict(goal: Goal, event: Event) -> Verdict {
    judge(goal, &target(), &WatchResponse { event: Some(event), log_index: 1 }, &mut false)
}

#[test]
fn ready_means_this_revision_at_the_generation_that_was_assigned() {
    let ready = |revision, observed| {
        verdict(Goal::Ready, Event::Status(component(revision, "Ready", vec![share("Ready", observed)])))
    };
    assert_eq!(ready(2, 9), Verdict::Reached);
    assert_eq!(ready(3, 10), Verdict::Reached);
    assert_eq!(ready(1, 9), Verdict::Not(None));
    assert!(matches!(ready(2, 8), Verdict::Not(Some(_))));
}

#[test]
fn a_cluster_that_has_given_up_its_share_is_not_waited_for() {
    let gone = ClusterStatus { cluster: "west".into(), desired: 0, ..share("Stopped", 1) };
    let event = Event::Status(component(2, "Ready", vec![share("Ready", 9), gone]));
    assert_eq!(verdict(Goal::Ready, event), Verdict::Reached);
}

#[test]
fn trouble_is_told_while_waiting() {
    let failing = ClusterStatus { last_error: "exit code 1".into(), ..share("Degraded", 9) };
    let event = Event::Status(component(2, "Degraded", vec![failing]));
    assert_eq!(verdict(Goal::Ready, event), Verdict::Not(Some("Degraded 0/1: on east: exit code 1".into())));
    let mut parked = component(2, "Parked", Vec::new());
    let placed = Condition {
        r#type: "Placed".into(),
        status: "False".into(),
        message: "no cluster has joined".into(),
        ..Condition::default()
    };
    parked.status.as_mut().unwrap().conditions.push(placed);
    let told = Verdict::Not(Some("Parked 0/1: no cluster has joined".into()));
    assert_eq!(verdict(Goal::Ready, Event::Added(parked)), told);
}

#[test]
fn what_cannot_become_ready_ends_the_wait_at_once() {
    let refused = ClusterStatus { last_error: "no Java here".into(), ..share("Refused", 9) };
    let event = Event::Status(component(2, "Degraded", vec![refused.clone()]));
    assert_eq!(verdict(Goal::Ready, event), Verdict::Impossible("east refuses it: no Java here".into()));
    let older = ClusterStatus { observed_generation: 8, ..refused };
    let event = Event::Status(component(2, "Progressing", vec![older]));
    assert!(matches!(verdict(Goal::Ready, event), Verdict::Not(_)), "the refusal is of an older generation");
    let event = Event::Deleted(Component::default());
    assert!(matches!(verdict(Goal::Ready, event), Verdict::Impossible(_)));
}

#[test]
fn gone_means_deleted_or_never_there_or_created_anew() {
    assert_eq!(verdict(Goal::Gone, Event::Deleted(Component::default())), Verdict::Reached);
    assert_eq!(verdict(Goal::Gone, Event::Bookmark(7)), Verdict::Reached);
    let mut anew = component(1, "Progressing", Vec::new());
    anew.metadata.as_mut().unwrap().uid = "u2".into();
    assert_eq!(verdict(Goal::Gone, Event::Added(anew)), Verdict::Reached);
    let running = Event::Added(component(2, "Terminating", vec![share("Stopping", 9)]));
    assert_eq!(verdict(Goal::Gone, running), Verdict::Not(Some("still runs on east".into())));
    let mut seen = true;
    let bookmark = WatchResponse { event: Some(Event::Bookmark(7)), log_index: 7 };
    assert_eq!(judge(Goal::Gone, &target(), &bookmark, &mut seen), Verdict::Not(None));
}
