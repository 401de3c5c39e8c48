use std::sync::Arc;

use isthmus_admission::{Offline, admit_written};
use isthmus_dialects::{Options, read};
use isthmus_model::assignment::Removal;
use isthmus_model::order::{Generation, Revision};
use isthmus_model::reason::Reason;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::custom_resources::connection::tests::pulsar;
use crate::custom_resources::marks::tests::{share, uid};

pub(crate) const FUNCTION: &str = "
apiVersion: compute.functionmesh.io/v1alpha1
kind: Function
metadata: {name: greet, labels: {team: a}, annotations: {note: b, isthmus.io/uid: mine}}
spec:
  className: org.example.Greet
  java: {jar: /pulsar/greet.jar}
  input: {topics: [in]}
  pulsar: {pulsarConfig: main}
  replicas: 6
  resources: {requests: {memory: 1Gi}, limits: {memory: 1Gi}}
";

pub(crate) fn assignment(text: &str, number: u128, generation: u64) -> Assignment {
    let written = read(text.as_bytes(), &Options::default()).unwrap().drafts.remove(0);
    let component = admit_written(written, &Offline).unwrap();
    Assignment {
        uid: uid(number),
        name: component.name.clone(),
        kind: component.kind,
        generation: Generation(generation),
        revision: Revision(1),
        replicas: 2,
        pulsar: Arc::new(pulsar("pulsar://pulsar:6650")),
        spec: isthmus_proto::convert::component::encode(&component).to_vec().into(),
        sealed: None,
    }
}

fn rendered_of(text: &str) -> Rendered {
    rendered(&share(), &Config::default(), &assignment(text, 7, 12)).unwrap_or_else(|why| panic!("{why:?}"))
}

#[test]
fn a_function_has_its_share_of_the_instances_its_marks_and_its_pulsar() {
    let Rendered { run, connection, body, scaled } = rendered_of(FUNCTION);
    assert_eq!(run.key.to_string(), "Function default/greet");
    assert_eq!((body["spec"]["replicas"].as_u64(), run.replicas, scaled), (Some(2), 2, false));
    assert_eq!(body["spec"]["pulsar"]["pulsarConfig"], *connection.key.name);
    let metadata = &body["metadata"];
    assert_eq!((&metadata["labels"]["team"], &metadata["annotations"]["note"]), (&"a".into(), &"b".into()));
    assert_eq!(metadata["labels"][LABEL], ASSIGNED);
    let annotations = serde_json::from_value(metadata["annotations"].clone()).unwrap();
    assert_eq!(share().mark(Some(&annotations)), Some(Mark { uid: uid(7), generation: Generation(12) }));
    assert_eq!(annotations[APPLIED], *run.digest);
}

#[test]
fn of_the_instances_that_an_autoscaler_has_nothing_is_said() {
    let scaled =
        rendered_of(&FUNCTION.replace("replicas: 6", "replicas: 6\n  minReplicas: 3\n  maxReplicas: 9"));
    let spec = &scaled.body["spec"];
    assert!(scaled.scaled && spec.get("replicas").is_none());
    assert_eq!((spec["minReplicas"].as_u64(), spec["maxReplicas"].as_u64()), (Some(3), Some(9)));
    let fixed = rendered_of(&FUNCTION.replace("replicas: 6", "replicas: 6\n  minReplicas: 3"));
    assert_eq!(
        (fixed.body["spec"]["replicas"].as_u64(), fixed.body["spec"].get("minReplicas")),
        (Some(2), None)
    );
}

#[test]
fn an_instance_has_the_memory_that_is_said_of_it_or_the_configured_one() {
    let text = "apiVersion: isthmus.io/v1\nkind: Function\nmetadata: {name: x}\nspec: {runtime: {type: go, package: {file: /pulsar/x}}, input: {topics: {in: {}}}";
    for (said, request, limit) in [
        ("", "1Gi", "1Gi"),
        (", resources: {requests: {memoryBytes: 1024}}", "1Ki", "1Ki"),
        (", resources: {limits: {memoryBytes: 2048}}", "2Ki", "2Ki"),
        (", resources: {requests: {memoryBytes: 1024}, limits: {memoryBytes: 2048}}", "1Ki", "2Ki"),
    ] {
        let resources = &rendered_of(&format!("{text}{said}}}\n")).body["spec"]["resources"];
        assert_eq!(
            (&resources["requests"]["memory"], &resources["limits"]["memory"]),
            (&request.into(), &limit.into())
        );
    }
}

#[test]
fn what_cannot_run_here_is_refused_by_a_word() {
    let sink = FUNCTION.replace("kind: Function", "kind: Sink").replace("replicas: 6", "sinkConfig: {}");
    let mut broken = assignment(FUNCTION, 7, 12);
    broken.spec = vec![0xff; 3].into();
    let unsupported = assignment(&sink, 7, 12);
    for (assignment, reason) in [
        (broken, Some(Reason::Refused)),
        (
            unsupported,
            (!KINDS.contains(&isthmus_model::component::ComponentKind::Sink))
                .then_some(Reason::MissingCapability),
        ),
    ] {
        let wanted = wanted(&share(), &Config::default(), &Desired::Run(Arc::new(assignment)));
        match (wanted, reason) {
            (Wanted::Refused { refusal, .. }, Some(reason)) => {
                assert_eq!(refusal.reason, reason, "{refusal:?}");
            }
            (Wanted::Run(_), None) => {}
            other => panic!("{other:?}"),
        }
    }
    let removal = Removal { uid: uid(1), generation: Generation(3) };
    let stop = wanted(&share(), &Config::default(), &Desired::Stop(removal));
    assert_eq!(stop, Wanted::Stop { generation: Generation(3) });
}

#[test]
fn what_was_rendered_is_a_valid_resource_for_the_operator() {
    let options = Options::default();
    let mut body = Value::Object(rendered_of(FUNCTION).body);
    let read = isthmus_dialects::read_resource(body.take(), &options).unwrap();
    assert!(admit_written(read, &Offline).is_ok());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut assignment = assignment(FUNCTION, 7, 12);
        assignment.spec = bytes.into();
        let _ = render(&share(), &Config::default(), &assignment);
    }
}
