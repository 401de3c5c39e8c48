//! What is said of a mesh and its members.

use serde_json::{Value, json};

use super::super::validate::Topics;
use super::*;

use ComponentKind::{Function, Sink};

fn mesh(status: &Value) -> Mesh {
    let owner = Owner { namespace: "shop".to_owned(), name: "pipe".to_owned(), uid: "u".to_owned() };
    let resource = json!({ "status": status }).as_object().cloned().unwrap();
    Mesh { owner, resource, generation: 7, paused: false }
}

fn member(kind: ComponentKind, name: &str) -> Member {
    Member { kind, name: name.to_owned(), spec: Object::new(), verdict: Ok(Topics::default()) }
}

fn key(kind: ComponentKind, name: &str) -> Key {
    (kind, format!("pipe-{name}"))
}

fn known(standing: Standing) -> Known {
    let mut known = Known::of("m", "u", None);
    known.standing = standing;
    known
}

fn of(members: Vec<Member>, applied: &Applied, known: &BTreeMap<Key, Known>) -> MeshStatus {
    let validated = Validated { members, violations: Vec::new() };
    status(&mesh(&Value::Null), &validated, applied, known)
}

#[test]
fn a_mesh_is_ready_when_each_member_is() {
    let there = BTreeMap::from([(key(Function, "a"), known(Standing::Ready))]);
    let status = of(vec![member(Function, "a")], &Applied::default(), &there);
    assert_eq!(status.condition.unwrap().status, "True");
    assert_eq!(status.function_conditions["a"].condition, "FunctionReady");
    assert_eq!(status.observed_generation, Some(7));
}

#[test]
fn a_member_that_fails_is_named_with_its_reason_before_those_that_start() {
    let trouble = Standing::Trouble("CrashLoopBackOff".to_owned(), "exit 1".to_owned());
    let there = BTreeMap::from([
        (key(Function, "a"), known(Standing::Starting)),
        (key(Sink, "out"), known(trouble)),
        (key(Function, "c"), known(Standing::Ready)),
    ]);
    let members = vec![member(Function, "a"), member(Function, "c"), member(Sink, "out")];
    let status = of(members, &Applied::default(), &there);
    let whole = status.condition.unwrap();
    assert_eq!((whole.status.as_str(), whole.reason.as_str()), ("False", "CrashLoopBackOff"));
    assert_eq!(whole.message, "sink out is not ready (CrashLoopBackOff); function a is not ready (Starting)");
    assert_eq!(status.sink_conditions["out"].message, "exit 1");
}

#[test]
fn what_cannot_be_made_says_why_and_what_left_is_told_until_it_is_gone() {
    let bad = Member {
        verdict: Err(vec![Violation::new(
            "spec.functions[0].java.jar",
            Reason::MissingField,
            "it must be given",
        )]),
        ..member(Function, "bad")
    };
    let applied = Applied::of([
        (key(Sink, "theirs"), Outcome::Foreign(None)),
        (key(Sink, "refused"), Outcome::Refused("no".to_owned())),
    ]);
    let there = BTreeMap::from([(key(Sink, "old"), known(Standing::Ready))]);
    let members = vec![bad, member(Sink, "theirs"), member(Sink, "refused")];
    let status = of(members, &applied, &there);
    let bad = &status.function_conditions["bad"];
    assert_eq!(bad.reason, "MissingField");
    assert_eq!(bad.message, "spec.functions[0].java.jar: it must be given");
    assert_eq!(status.sink_conditions["theirs"].reason, "ForeignObject");
    assert_eq!(status.sink_conditions["refused"].reason, "ApiRefused");
    assert_eq!(status.sink_conditions["old"].condition, "Orphaned");
    let whole = status.condition.unwrap();
    assert_eq!(whole.status, "False");
    assert!(whole.message.contains("sink old is not ready (Terminating)"), "{}", whole.message);
}

#[test]
fn how_a_member_was_before_it_was_written_counts_for_nothing() {
    let there = BTreeMap::from([(key(Function, "a"), known(Standing::Ready))]);
    let applied = Applied::of([(key(Function, "a"), Outcome::Updated)]);
    let status = of(vec![member(Function, "a")], &applied, &there);
    assert_eq!(status.function_conditions["a"].reason, "Starting");
}

#[test]
fn of_a_mesh_that_cannot_be_read_what_is_known_of_members_stays() {
    let before = json!({"sinkConditions": {"out": {"condition": "SinkReady", "status": "True", "action": "NoAction"}}});
    let violations =
        vec![Violation::new("spec.sinks", Reason::InvalidField, "it must be a list of components")];
    let validated = Validated { members: Vec::new(), violations };
    let mesh = mesh(&before);
    let status = status(&mesh, &validated, &Applied::default(), &BTreeMap::new());
    assert_eq!(status.condition.unwrap().message, "spec.sinks: it must be a list of components");
    assert_eq!(status.sink_conditions["out"].status, "True");
    assert_eq!(named(&mesh.resource), BTreeSet::from([(Sink, "out".to_owned())]));
}
