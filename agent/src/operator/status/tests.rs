//! What people read of a resource.

use isthmus_model::component::ComponentKind;
use isthmus_model::reason::Violation;
use serde_json::json;

use super::super::apply::Outcome;
use super::*;

fn dereferenced(status: &Value) -> Dereferenced {
    let owner = Owner {
        kind: ComponentKind::Function,
        namespace: "n".to_owned(),
        name: "a".to_owned(),
        uid: "u".to_owned(),
    };
    let resource = json!({ "status": status });
    Dereferenced {
        owner,
        resource: resource.as_object().cloned().unwrap(),
        generation: 3,
        paused: false,
        missing: None,
    }
}

fn known(ready: i32, updated: i32, current: bool) -> Known {
    Known { uid: "s".to_owned(), owner: None, mark: 0, ready, updated, current }
}

fn applied(set: Outcome, service: Outcome) -> Applied {
    Applied::of(vec![
        (ChildKind::Service, "a-function-headless".to_owned(), service),
        (ChildKind::StatefulSet, "a-function".to_owned(), set),
    ])
}

fn of(dereferenced: &Dereferenced, applied: &Applied, known: &Known) -> Status {
    status(dereferenced, Outlook::Applied { applied, replicas: 2, stateful_set: Some(known) })
}

fn word<'s>(status: &'s Status, condition: &str) -> (&'s str, &'s str, &'s str) {
    let condition = &status.conditions[condition];
    (&condition.status, &condition.action, &condition.reason)
}

#[test]
fn it_is_ready_when_all_pods_are_ready_and_new() {
    let applied = applied(Outcome::Unchanged, Outcome::Unchanged);
    let status = of(&dereferenced(&json!({})), &applied, &known(2, 2, true));
    assert_eq!(word(&status, "Ready"), ("True", "NoAction", ""));
    assert_eq!(word(&status, "StatefulSet"), ("True", "NoAction", ""));
    assert_eq!(status.conditions["StatefulSet"].condition, "StatefulSetReady");
    assert_eq!((status.replicas, status.ready_replicas, status.observed_generation), (2, 2, Some(3)));
    assert!(status.selector.contains("compute.functionmesh.io/name=a,"), "{}", status.selector);
}

#[test]
fn it_waits_for_pods_that_are_old_or_not_ready() {
    let applied = applied(Outcome::Updated, Outcome::Unchanged);
    for known in [known(1, 2, true), known(2, 1, true), known(2, 2, false)] {
        let status = of(&dereferenced(&json!({})), &applied, &known);
        assert_eq!(word(&status, "StatefulSet"), ("False", "Wait", "Starting"), "{known:?}");
        assert_eq!(word(&status, "Ready"), ("False", "Wait", "Starting"));
        assert_eq!(word(&status, "Service"), ("True", "NoAction", ""));
    }
}

#[test]
fn a_config_map_that_is_not_there_is_why_pods_do_not_start() {
    let mut dereferenced = dereferenced(&json!({}));
    dereferenced.missing = Some("main".to_owned());
    let status = of(&dereferenced, &applied(Outcome::Created, Outcome::Created), &known(0, 0, true));
    assert_eq!(word(&status, "Ready").2, "MissingReference");
    assert!(status.conditions["Ready"].message.contains("ConfigMap main"));
}

#[test]
fn an_object_of_somebody_else_is_named_with_its_owner() {
    let applied = applied(Outcome::Unchanged, Outcome::Foreign(Some("theirs".to_owned())));
    let status = of(&dereferenced(&json!({})), &applied, &known(2, 2, true));
    assert_eq!(word(&status, "Service"), ("False", "Create", "ForeignObject"));
    assert_eq!(word(&status, "Ready"), ("False", "Create", "ForeignObject"));
    assert_eq!(
        status.conditions["Ready"].message,
        "Service a-function-headless belongs to theirs; delete it, or rename this resource"
    );
}

#[test]
fn a_resource_that_is_not_valid_says_all_that_is_wrong_and_what_runs_stays_told() {
    let before = json!({
        "replicas": 2,
        "conditions": {"StatefulSet": {"condition": "StatefulSetReady", "status": "True", "action": "NoAction"}},
    });
    let violations = vec![
        Violation::new("spec.java", Reason::MissingField, "there must be a runtime"),
        Violation::new("spec.input", Reason::MissingField, "there must be a topic"),
    ];
    let error = validate::Error { violations };
    let status = status(&dereferenced(&before), Outlook::Invalid(&error));
    assert_eq!(word(&status, "Ready"), ("False", "NoAction", "MissingField"));
    assert_eq!(
        status.conditions["Ready"].message,
        "spec.java: there must be a runtime; spec.input: there must be a topic"
    );
    assert_eq!(word(&status, "StatefulSet"), ("True", "NoAction", ""));
    assert_eq!(status.replicas, 2);
}

#[test]
fn the_status_of_function_mesh_itself_is_read() {
    let theirs = json!({
        "conditions": {"Service": {"condition": "ServiceReady", "status": "True", "action": "NoAction"}},
        "replicas": 1, "selector": "a=b", "observedGeneration": 2, "pendingChange": "x",
        "globalBackendConfigRevision": "5",
    });
    assert_eq!(observed_generation(&dereferenced(&theirs).resource), Some(2));
}
