use serde_json::{Value, json};

use super::*;
use crate::custom_resources::marks::tests::{share, uid};

fn watched(generation: u64, form: i64, status: Option<&Value>) -> Watched {
    let mut annotations = share().annotations();
    annotations.extend(Mark { uid: uid(7), generation: Generation(generation) }.annotations());
    serde_json::from_value(json!({
        "metadata": {"name": "a", "namespace": "n", "generation": form, "annotations": annotations},
        "spec": {"replicas": 9},
        "status": status,
    }))
    .unwrap()
}

fn status(form: i64, ready: &Value) -> Value {
    json!({"replicas": 2, "observedGeneration": form, "conditions": {"Ready": ready, "Service": {"status": "True"}}})
}

fn read(watched: &Watched, before: Option<&Resource>) -> Resource {
    Resource::read(&share(), watched, before).unwrap()
}

#[test]
fn nothing_is_settled_before_the_operator_has_seen_it() {
    assert_eq!(read(&watched(5, 1, None), None).settled, None);
    assert_eq!(read(&watched(5, 1, Some(&json!({}))), None).settled, None);
}

#[test]
fn the_generation_is_that_of_the_assignment_once_the_operator_is_done_with_it() {
    let done = read(&watched(5, 1, Some(&status(1, &json!({"status": "True"})))), None);
    let settled = Settled { generation: Generation(5), desired: 2, outlook: Outlook::Ready };
    assert_eq!(done.settled, Some(settled.clone()));
    let changed = watched(6, 2, Some(&status(1, &json!({"status": "True"}))));
    assert_eq!(read(&changed, Some(&done)).settled, Some(settled), "it is still the older one");
    assert_eq!(read(&changed, None).settled, None, "nobody knows which one it is");
    let caught_up = watched(6, 2, Some(&status(2, &json!({"status": "True"}))));
    assert_eq!(read(&caught_up, Some(&done)).settled.unwrap().generation, Generation(6));
}

#[test]
fn a_newer_assignment_that_changes_nothing_is_settled_at_once() {
    let same = watched(6, 1, Some(&status(1, &json!({"status": "True"}))));
    assert_eq!(read(&same, None).settled.unwrap().generation, Generation(6));
}

#[test]
fn what_is_in_the_way_is_told_and_what_merely_starts_is_not() {
    let outlook =
        |ready: Value| read(&watched(5, 1, Some(&status(1, &ready))), None).settled.unwrap().outlook;
    let missing = json!({"status": "False", "reason": "MissingReference", "message": "no such ConfigMap"});
    let hindered =
        Outlook::Hindered { reason: Reason::MissingReference, message: "no such ConfigMap".into() };
    assert_eq!(outlook(missing), hindered);
    assert_eq!(outlook(json!({"status": "False", "reason": "Starting"})), Outlook::OnTheWay);
    assert_eq!(outlook(json!({"status": "False", "reason": "SomeOperatorsOwnWord"})), Outlook::OnTheWay);
    assert_eq!(outlook(json!({})), Outlook::OnTheWay);
}

#[test]
fn a_resource_without_our_marks_is_not_ours() {
    let foreign: Watched = serde_json::from_value(json!({"metadata": {"name": "a"}})).unwrap();
    assert_eq!(Resource::read(&share(), &foreign, None), None);
}
