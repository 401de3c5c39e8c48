use isthmus_model::component::{
    ComponentKind, Draft, LogTopicAgent, ProcessingGuarantee, PulsarAuth, SubscriptionPosition,
};
use isthmus_model::policy::Mode;
use isthmus_model::reason::Reason;

use crate::{Options, Problem, UnknownFields, Written};

/// A resource of which only the interesting part is written.
fn resource(kind: &str, spec: &str) -> String {
    let config = match kind {
        "Source" => "sourceConfig: {}",
        "Sink" => "sinkConfig: {}",
        _ => "cleanupImage: ''",
    };
    format!(
        "
apiVersion: compute.functionmesh.io/v1alpha1
kind: {kind}
metadata: {{name: greet, namespace: k8s, labels: {{team: a}}, annotations: {{note: b}}}}
spec:
  className: org.example.Greet
  java: {{jar: /pulsar/greet.jar}}
  pulsar: {{pulsarConfig: main}}
  resources: {{requests: {{cpu: 0.5, memory: 1G}}, limits: {{memory: 1Gi}}}}
  {config}
{spec}"
    )
}

fn written(text: &str) -> Written {
    crate::read(text.as_bytes(), &Options::default()).unwrap().drafts.remove(0)
}

fn draft(kind: &str, spec: &str) -> Draft {
    written(&resource(kind, spec)).into_draft().unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn problems(text: &str) -> Vec<Problem> {
    crate::read(text.as_bytes(), &Options::default()).unwrap().drafts.remove(0).into_draft().unwrap_err()
}

#[test]
fn what_a_function_does_not_say_is_as_function_mesh_has_it() {
    let draft = draft("Function", "");
    assert_eq!((&*draft.tenant, &*draft.namespace, &*draft.name), ("public", "default", "greet"));
    assert_eq!((draft.labels["team"].as_str(), draft.annotations["note"].as_str()), ("a", "b"));
    let spec = &draft.spec;
    let input = spec.input.as_ref().unwrap();
    assert_eq!(input.subscription_position, SubscriptionPosition::Earliest);
    assert_eq!((&*input.type_class_name, &*spec.output.as_ref().unwrap().type_class_name), ("[B", "[B"));
    assert!(!input.cleanup_subscription && spec.auto_ack && spec.forward_source_message_property);
    assert!(!spec.show_precise_parallelism);
    assert_eq!((spec.replicas, spec.min_replicas, spec.max_pending_async_requests), (1, None, Some(1_000)));
    assert_eq!(spec.processing_guarantee, ProcessingGuarantee::AtLeastOnce);
    assert_eq!(spec.kubernetes.cluster_name, "kubernetes");
    let resources = &spec.resources;
    assert_eq!(
        (resources.requests.cpu_millis, resources.requests.memory_bytes),
        (Some(500), Some(1_000_000_000))
    );
    assert_eq!(resources.limits.memory_bytes, Some(1_073_741_824));
}

#[test]
fn a_source_is_bounded_and_its_logs_go_through_a_sidecar() {
    let draft = draft("Source", "  logTopic: log\n  output: {topic: out}\n");
    assert_eq!(draft.kind, ComponentKind::Source);
    assert!(draft.spec.input.is_none());
    let producer = draft.spec.output.as_ref().unwrap().producer.as_ref().unwrap();
    assert_eq!(producer.max_pending_messages, Some(1_000));
    assert!(producer.use_thread_local_producers);
    assert_eq!(draft.spec.log_topic_agent, Some(LogTopicAgent::Sidecar));
    assert_eq!(
        self::draft("Function", "  logTopic: log\n").spec.log_topic_agent,
        Some(LogTopicAgent::Runtime)
    );
}

#[test]
fn fewest_replicas_are_the_replicas_when_those_are_not_given() {
    assert_eq!(draft("Function", "  minReplicas: 3\n").spec.replicas, 3);
    assert_eq!(draft("Function", "  minReplicas: 3\n  replicas: 4\n").spec.replicas, 4);
}

#[test]
fn retries_bring_a_dead_letter_topic_unless_the_subscription_has_a_name() {
    let retry = |spec: &str| draft("Function", spec).spec.retry;
    assert_eq!(retry("  maxMessageRetry: 2\n").dead_letter_topic, "public-default-greet-DLQ");
    assert_eq!(retry("  maxMessageRetry: 2\n  subscriptionName: s\n").dead_letter_topic, "");
    assert_eq!(retry("  maxMessageRetry: 2\n  deadLetterTopic: d\n").dead_letter_topic, "d");
    assert_eq!(retry("  maxMessageRetry: 0\n").max_message_retries, None);
}

#[test]
fn later_ways_to_name_a_topic_win_whole_and_each_is_called_as_it_was_written() {
    let spec = "
  input:
    topics: [one, two]
    topicPattern: p-.*
    customSerdeSources: {three: org.example.S}
    customSchemaSources: {four: AVRO, two: JSON}
    sourceSpecs: {two: {receiverQueueSize: 5}}
";
    let written = written(&resource("Function", spec));
    let topics = &written.draft().spec.input.as_ref().unwrap().topics;
    assert_eq!(topics.keys().collect::<Vec<_>>(), ["four", "one", "p-.*", "three", "two"]);
    assert_eq!((topics["two"].receiver_queue_size, topics["two"].schema_type.as_str()), (Some(5), ""));
    for (model, own) in [
        ("spec.input.topics[one]", "spec.input.topics[0]"),
        ("spec.input.topics[p-.*]", "spec.input.topicPattern"),
        ("spec.input.topics[two].serdeClassName", "spec.input.sourceSpecs[two].serdeClassname"),
        (
            "spec.input.topics[two].crypto.keyReaderClassName",
            "spec.input.sourceSpecs[two].cryptoConfig.cryptoKeyReaderClassName",
        ),
        ("spec.input.subscriptionName", "spec.subscriptionName"),
        ("spec.runtime.package.location", "spec.java.jarLocation"),
        (
            "spec.output.producer.crypto.encryptionKeys",
            "spec.output.producerConf.cryptoConfig.encryptionKeys",
        ),
        ("spec.output.producer.compression", "spec.output.producerConf.compressionType"),
        ("spec.resources.requests.memoryBytes", "spec.resources.requests.memory"),
        ("spec.window.lengthCount", "spec.windowConfig.windowLengthCount"),
        ("spec.kubernetes.pod.env[0].name", "spec.pod.env[0].name"),
        ("spec.kubernetes.imagePullPolicy", "spec.imagePullPolicy"),
        ("spec.secrets[a].key", "spec.secretsMap[a].key"),
        ("metadata.tenant", "spec.tenant"),
        ("metadata.name", "metadata.name"),
        ("metadata.labels[x]", "metadata.labels[x]"),
        ("placement.spread[0].minGroups", "metadata.annotations[isthmus.io/placement].spread[0].minGroups"),
    ] {
        assert_eq!(written.origin().dialect_path(model), own);
    }
}

#[test]
fn a_placement_is_read_from_its_annotation_and_taken_out_of_the_others() {
    let text = resource("Function", "").replace(
        "note: b",
        "isthmus.io/placement: '{mode: Divided, clusters: [{key: region, operator: In, values: [eu]}]}'",
    );
    let draft = written(&text).into_draft().unwrap();
    assert_eq!((draft.placement.mode, draft.placement.clusters.0.len()), (Mode::Divided, 1));
    assert!(draft.annotations.is_empty());
    let bad = text.replace("mode: Divided", "mode: Everywhere, colour: 1");
    let fields: Vec<_> = problems(&bad).into_iter().map(|problem| problem.violation.field).collect();
    assert_eq!(
        fields,
        [
            "metadata.annotations[isthmus.io/placement].mode",
            "metadata.annotations[isthmus.io/placement].colour"
        ]
    );
}

#[test]
fn a_mesh_becomes_its_components_with_paths_of_the_mesh() {
    let text = "
apiVersion: compute.functionmesh.io/v1alpha1
kind: FunctionMesh
metadata: {name: flow}
spec:
  functions:
  - {name: a, className: A, java: {jar: a.jar}, pulsar: {pulsarConfig: p}, resources: {requests: {memory: 1}, limits: {memory: 1}}, input: {topics: [in]}}
  sinks:
  - {name: b, className: B, java: {jar: b.nar}, sinkConfig: {}, pulsar: {pulsarConfig: p}, resources: {requests: {memory: x}, limits: {memory: 1}}}
  colours: []
";
    let read = crate::read(text.as_bytes(), &Options::default()).unwrap();
    let names: Vec<_> = read.drafts.iter().map(|w| (w.draft().kind, w.draft().name.as_str())).collect();
    assert_eq!(names, [(ComponentKind::Function, "a"), (ComponentKind::Sink, "b")]);
    assert_eq!(read.drafts[0].origin().dialect_path("spec.replicas"), "spec.functions[0].replicas");
    let fields: Vec<_> = read
        .drafts
        .into_iter()
        .flat_map(|written| written.into_draft().err().unwrap_or_default())
        .map(|problem| problem.violation.field)
        .collect();
    assert_eq!(fields, ["spec.colours", "spec.sinks[0].resources.requests.memory"]);
}

#[test]
fn fields_of_another_kind_and_fields_of_nobody_are_not_known() {
    let text = resource(
        "Sink",
        "  windowConfig: {}\n  skipToLatest: true\n  reolicas: 1\n  pod: {tolerations: [{ky: a}]}\n",
    );
    let fields: Vec<_> = problems(&text).into_iter().map(|problem| problem.violation.field).collect();
    assert_eq!(
        fields,
        ["spec.skipToLatest", "spec.windowConfig", "spec.reolicas", "spec.pod.tolerations[0].ky"]
    );
    let options = Options { unknown_fields: UnknownFields::Ignore, ..Options::default() };
    let draft = crate::read(text.as_bytes(), &options).unwrap().drafts.remove(0).into_draft().unwrap();
    assert_eq!(draft.spec.kubernetes.pod["tolerations"], serde_json::json!([{}]));
}

#[test]
fn every_value_of_the_wrong_type_is_named_and_no_credential_is_shown() {
    let spec = "
  replicas: many
  autoAck: maybe
  subscriptionPosition: middle
  retainOrdering: [true]
  input: {sourceSpecs: {in: {receiverQueueSize: -1}}}
";
    let text = resource("Function", spec).replace(
        "pulsarConfig: main",
        "pulsarConfig: main, authConfig: {genericAuth: {clientAuthenticationPlugin: p, clientAuthenticationParameters: [token-x]}}",
    );
    let mut seen: Vec<_> = problems(&text)
        .into_iter()
        .map(|p| (p.violation.field, p.violation.reason, p.violation.value))
        .collect();
    seen.sort();
    let expected = [
        ("spec.autoAck", "\"maybe\""),
        ("spec.input.sourceSpecs[in].receiverQueueSize", "-1"),
        ("spec.pulsar.authConfig.genericAuth.clientAuthenticationParameters", ""),
        ("spec.replicas", "\"many\""),
        ("spec.retainOrdering", "[true]"),
        ("spec.subscriptionPosition", "\"middle\""),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(f, v)| ((*f).to_owned(), Reason::InvalidField, (*v).to_owned())).collect();
    assert_eq!(seen, expected);
    assert!(!format!("{:?}", problems(&text)).contains("token-x"));
}

#[test]
fn every_problem_says_its_line() {
    let text = resource("Function", "  replicas: many\n  resolution: 3\n");
    let lines: Vec<_> = problems(&text).into_iter().map(|problem| problem.to_string()).collect();
    assert_eq!(
        lines,
        [
            "document 1, line 11: spec.replicas: invalid type: string \"many\"; it must be a whole number of 0 or more",
            "document 1, line 12: spec.resolution: this field is not known here; check its spelling and its place",
        ]
    );
}

#[test]
fn an_auth_config_hides_the_secret() {
    let text = resource("Function", "").replace(
        "pulsarConfig: main",
        "pulsarConfig: main, authSecret: s, authConfig: {oauth2Config: {audience: a, issuerUrl: i, keySecretName: n, keySecretKey: k}}",
    );
    let access = written(&text).into_draft().unwrap().spec.pulsar;
    assert_eq!(access.auth_secret, "");
    assert!(matches!(access.auth, Some(PulsarAuth::OAuth2 { .. })));
}

#[test]
fn kinds_that_cannot_be_submitted_are_refused() {
    for (kind, hint) in [("BackendConfig", "apply it there with kubectl"), ("Gadget", "FunctionMesh")] {
        let text = format!("apiVersion: compute.functionmesh.io/v1alpha1\nkind: {kind}\n");
        let refused = crate::read(text.as_bytes(), &Options::default()).unwrap_err();
        assert_eq!(refused[0].violation.field, "kind");
        assert!(refused[0].violation.message.contains(hint), "{refused:?}");
    }
}

#[test]
fn a_mesh_without_components_is_refused_as_a_whole() {
    for (spec, field) in [("{}", "spec"), ("{functions: 5}", "spec.functions")] {
        let text = format!(
            "apiVersion: compute.functionmesh.io/v1alpha1\nkind: FunctionMesh\nmetadata: {{name: m}}\nspec: {spec}\n"
        );
        let refused = crate::read(text.as_bytes(), &Options::default()).unwrap_err();
        assert_eq!((refused.len(), refused[0].violation.field.as_str()), (1, field));
    }
}
