use isthmus_model::order::Generation;
use serde_json::json;

use super::*;
use crate::custom_resources::marks::tests::{share, uid};

const KIND: ComponentKind = ComponentKind::Function;

fn mark(generation: u64) -> Mark {
    Mark { uid: uid(7), generation: Generation(generation) }
}

fn body(mark: Mark, replicas: u32) -> Object {
    let mut annotations = share().annotations();
    annotations.extend(mark.annotations());
    let body = json!({
        "apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "Function",
        "metadata": {"name": "greet", "namespace": "n", "labels": {LABEL: "true"}, "annotations": annotations},
        "spec": {"replicas": replicas, "pulsar": {"pulsarConfig": "c"}},
    });
    body.as_object().cloned().unwrap()
}

/// The body as an API server has it.
fn live(body: &Object, version: u64, generation: i64) -> DynamicObject {
    let mut body = Value::Object(body.clone());
    body["metadata"]["uid"] = json!("object");
    body["metadata"]["resourceVersion"] = json!(version.to_string());
    body["metadata"]["generation"] = json!(generation);
    serde_json::from_value(body).unwrap()
}

fn wanted(at: Mark, replicas: u32) -> impl FnMut(Mark) -> Option<(Box<str>, Object)> {
    move |mark| (mark == at).then(|| ("digest".into(), body(at, replicas)))
}

fn key() -> Key {
    Key { kind: KIND, namespace: "n".into(), name: "greet".into() }
}

fn seen() -> Seen {
    let mut seen = Seen::new(share());
    assert!(seen.see(KIND, "n", &live(&body(mark(3), 1), 10, 1), wanted(mark(3), 1)));
    seen
}

#[test]
fn a_resource_is_compared_with_what_it_shall_be_when_it_is_seen() {
    let first = seen();
    let found = &first.found()[&key()];
    assert_eq!((found.mark, found.is.as_deref(), &*found.connection), (Some(mark(3)), Some("digest"), "c"));
    let mut seen = seen();
    seen.see(KIND, "n", &live(&body(mark(3), 2), 11, 2), wanted(mark(3), 1));
    assert_eq!(seen.found()[&key()].is, None);
}

#[test]
fn a_change_of_the_status_is_no_news_and_what_is_older_is_not_taken_in() {
    let mut seen = seen();
    assert!(!seen.see(KIND, "n", &live(&body(mark(3), 1), 12, 1), |_| panic!("rendered again")));
    assert_eq!(&*seen.found()[&key()].version, "12");
    assert!(!seen.see(KIND, "n", &live(&body(mark(2), 9), 11, 2), |_| None));
    assert_eq!(seen.found()[&key()].mark, Some(mark(3)));
}

#[test]
fn who_takes_our_annotations_away_has_not_made_it_theirs() {
    let mut seen = seen();
    let mut stripped = live(&body(mark(3), 1), 11, 1);
    stripped.metadata.annotations = None;
    assert!(seen.see(KIND, "n", &stripped, wanted(mark(3), 1)));
    let found = &seen.found()[&key()];
    assert_eq!((found.mark, &found.is), (Some(mark(3)), &None));
    stripped.metadata.uid = Some("another object".to_owned());
    seen.see(KIND, "n", &stripped, wanted(mark(3), 1));
    assert_eq!(seen.found()[&key()].mark, None);
}

#[test]
fn what_lost_label_and_annotations_at_once_is_still_ours() {
    let mut seen = seen();
    let mut stripped = live(&body(mark(3), 1), 11, 1);
    assert!(seen.on_resource(KIND, "n", Event::Delete(stripped.clone()), |_| None));
    stripped.metadata.labels = None;
    stripped.metadata.annotations = None;
    seen.see(KIND, "n", &stripped, |_| None);
    assert_eq!(seen.found()[&key()].mark, Some(mark(3)));
}

#[test]
fn what_a_listing_does_not_show_is_gone_and_what_no_watch_shows_is_asked_for_again() {
    let mut seen = seen();
    let list = |seen: &mut Seen, events: Vec<Event<DynamicObject>>| {
        events.into_iter().fold(false, |news, event| seen.on_resource(KIND, "n", event, |_| None) | news)
    };
    let shown = live(&body(mark(3), 1), 10, 1);
    assert!(!list(&mut seen, vec![Event::Init, Event::InitApply(shown.clone()), Event::InitDone]));
    assert!(seen.found().contains_key(&key()));
    assert!(list(&mut seen, vec![Event::Init, Event::InitDone]));
    assert!(seen.found().is_empty());

    let mut foreign = shown;
    foreign.metadata.labels = None;
    foreign.metadata.annotations = None;
    seen.see(KIND, "n", &foreign, |_| None);
    assert!(!list(&mut seen, vec![Event::Init, Event::InitDone]) && seen.has_foreign());
    seen.forget_foreign();
    assert!(seen.found().is_empty() && !seen.has_foreign());
}

#[test]
fn a_deletion_that_comes_late_does_not_take_the_next_one_away() {
    let mut seen = seen();
    let mut next = live(&body(mark(3), 1), 20, 1);
    next.metadata.uid = Some("next".to_owned());
    seen.see(KIND, "n", &next, |_| None);
    let deleted = live(&body(mark(3), 1), 15, 1);
    assert!(!seen.on_resource(KIND, "n", Event::Delete(deleted), |_| None));
    assert_eq!(&*seen.found()[&key()].object, "next");
}
