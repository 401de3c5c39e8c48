//! Resources with one thing wrong, and the field that is named for it.

use isthmus_model::component::ComponentKind;
use serde_json::json;

use super::*;

/// What is right: a test changes one thing.
fn resource(kind: ComponentKind) -> Value {
    let common = json!({
        "className": "org.example.Code",
        "java": {"jar": "code.jar"},
        "pulsar": {"pulsarConfig": "main"},
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
    });
    let own = match kind {
        ComponentKind::Function => json!({"input": {"topics": ["in"]}, "output": {"topic": "out"}}),
        ComponentKind::Source => json!({"sourceConfig": {}, "output": {"topic": "out"}}),
        ComponentKind::Sink => json!({"sinkConfig": {}, "input": {"topics": ["in"]}}),
    };
    let mut spec = common;
    spec.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    json!({
        "apiVersion": "compute.functionmesh.io/v1alpha1",
        "kind": kind.as_str(),
        "metadata": {"name": "a", "namespace": "n"},
        "spec": spec,
    })
}

/// Puts `value` at a path of members; null takes away what is there.
fn put(object: &mut Value, path: &str, value: Value) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let members = object.as_object_mut().unwrap();
    match rest {
        Some(rest) => put(members.entry(first).or_insert_with(|| json!({})), rest, value),
        None if value.is_null() => drop(members.shift_remove(first)),
        None => drop(members.insert(first.to_owned(), value)),
    }
}

/// Fields that are named of a new resource with these changes.
fn wrong(kind: ComponentKind, changes: &[(&str, Value)]) -> Vec<String> {
    let mut resource = resource(kind);
    for (path, value) in changes {
        put(&mut resource["spec"], path, value.clone());
    }
    let owner = Owner { kind, namespace: "n".to_owned(), name: "a".to_owned(), uid: "u".to_owned() };
    let refused = validate_new(owner, resource, &Pods::default()).err();
    refused.into_iter().flat_map(|error| error.violations).map(|violation| violation.field).collect()
}

/// A kind, what is changed of it, and the field that is named for it.
type Row = (ComponentKind, Vec<(&'static str, Value)>, &'static str);

#[test]
fn what_is_right_is_not_refused() {
    for kind in ComponentKind::ALL {
        assert_eq!(wrong(kind, &[]), [""; 0], "{kind}");
    }
}

#[test]
fn what_is_wrong_is_refused_by_its_field() {
    use ComponentKind::{Function, Sink, Source};
    let crypto = json!({"encryptionKeys": ["k"]});
    let table: Vec<Row> = vec![
        // Code.
        (Function, vec![("java", json!(null))], "spec.java"),
        (Source, vec![("java", json!(null))], "spec.java"),
        (Sink, vec![("java", json!(null))], "spec.java"),
        (Function, vec![("python", json!({"py": "a.py"}))], "spec.python"),
        (Function, vec![("golang", json!({"go": "a"}))], "spec.golang"),
        (
            Function,
            vec![("genericRuntime", json!({"functionFile": "a", "language": "wasm"}))],
            "spec.genericRuntime",
        ),
        (
            Function,
            vec![
                ("java", json!(null)),
                ("genericRuntime", json!({"functionFile": "a", "language": "cobol"})),
            ],
            "spec.genericRuntime.language",
        ),
        (
            Function,
            vec![("java", json!(null)), ("genericRuntime", json!({"functionFile": "a"}))],
            "spec.genericRuntime.language",
        ),
        (Function, vec![("className", json!(null))], "spec.className"),
        (Sink, vec![("className", json!(null))], "spec.className"),
        (Function, vec![("className", json!("not a class"))], "spec.className"),
        (
            Function,
            vec![("java", json!(null)), ("className", json!(null)), ("python", json!({"py": "a.py"}))],
            "spec.className",
        ),
        (Function, vec![("java.jarLocation", json!("ftp://a/b.jar"))], "spec.java.jarLocation"),
        (Function, vec![("java.jarLocation", json!("function://only/two"))], "spec.java.jarLocation"),
        (
            Function,
            vec![("java.jarLocation", json!(format!("sha256:{}", "5".repeat(64))))],
            "spec.java.jarLocation",
        ),
        (Function, vec![("java.entryClass", json!("a b"))], "spec.java.entryClass"),
        (Function, vec![("java.log.level", json!("loud"))], "spec.java.log.level"),
        (Function, vec![("java.log.rotatePolicy", json!("Hourly"))], "spec.java.log.rotatePolicy"),
        (Function, vec![("java.log.format", json!("xml"))], "spec.java.log.format"),
        (
            Function,
            vec![("java.log.javaLog4JConfigFileType", json!("toml"))],
            "spec.java.log.javaLog4JConfigFileType",
        ),
        // Input.
        (Function, vec![("input", json!(null))], "spec.input"),
        (Sink, vec![("input", json!({}))], "spec.input"),
        (Function, vec![("input.topics", json!(["persistent://only/two"]))], "spec.input.topics[0]"),
        (Function, vec![("input.topicPattern", json!("queue://a/b/c"))], "spec.input.topicPattern"),
        (
            Function,
            vec![("input.sourceSpecs", json!({"x": {"receiverQueueSize": -1}}))],
            "spec.input.sourceSpecs[x].receiverQueueSize",
        ),
        (
            Sink,
            vec![("input.sourceSpecs", json!({"x": {"cryptoConfig": {}}}))],
            "spec.input.sourceSpecs[x].cryptoConfig.cryptoKeyReaderClassName",
        ),
        (Function, vec![("subscriptionPosition", json!("middle"))], "spec.subscriptionPosition"),
        (
            Function,
            vec![("retainOrdering", json!(true)), ("retainKeyOrdering", json!(true))],
            "spec.retainOrdering",
        ),
        (
            Function,
            vec![("retainKeyOrdering", json!(true)), ("processingGuarantee", json!("effectively_once"))],
            "spec.retainKeyOrdering",
        ),
        // Output.
        (Function, vec![("output.topic", json!("queue://a/b/c"))], "spec.output.topic"),
        (Function, vec![("output.topic", json!("in"))], "spec.output.topic"),
        (Source, vec![("output.topic", json!("persistent://only/two"))], "spec.output.topic"),
        (
            Source,
            vec![("output.producerConf.cryptoConfig", crypto.clone())],
            "spec.output.producerConf.cryptoConfig.cryptoKeyReaderClassName",
        ),
        (
            Function,
            vec![("output.producerConf.cryptoConfig", json!({"cryptoKeyReaderClassName": "a.B"}))],
            "spec.output.producerConf.cryptoConfig.encryptionKeys",
        ),
        (
            Function,
            vec![("output.producerConf.compressionType", json!("RAR"))],
            "spec.output.producerConf.compressionType",
        ),
        (
            Function,
            vec![("output.producerConf.batchBuilder", json!("RANDOM"))],
            "spec.output.producerConf.batchBuilder",
        ),
        (
            Function,
            vec![("output.customSchemaSinks", json!({"out": "no json"}))],
            "spec.output.customSchemaSinks[out]",
        ),
        // Delivery.
        (Function, vec![("processingGuarantee", json!("exactly_once"))], "spec.processingGuarantee"),
        (
            Sink,
            vec![("timeout", json!(2000)), ("processingGuarantee", json!("effectively_once"))],
            "spec.timeout",
        ),
        (
            Function,
            vec![("maxMessageRetry", json!(3)), ("processingGuarantee", json!("effectively_once"))],
            "spec.maxMessageRetry",
        ),
        (Function, vec![("deadLetterTopic", json!("dead"))], "spec.maxMessageRetry"),
        (
            Function,
            vec![("maxMessageRetry", json!(3)), ("deadLetterTopic", json!("queue://a/b/c"))],
            "spec.deadLetterTopic",
        ),
        (Function, vec![("logTopic", json!("queue://a/b/c"))], "spec.logTopic"),
        (Function, vec![("logTopicAgent", json!("pigeon"))], "spec.logTopicAgent"),
        (Function, vec![("windowConfig", json!({}))], "spec.windowConfig"),
        (
            Function,
            vec![("windowConfig", json!({"windowLengthCount": 1, "windowLengthDurationMs": 1}))],
            "spec.windowConfig.windowLengthCount",
        ),
        (
            Function,
            vec![("windowConfig", json!({"windowLengthCount": 0}))],
            "spec.windowConfig.windowLengthCount",
        ),
        // Scale.
        (Function, vec![("replicas", json!(0))], "spec.replicas"),
        (Source, vec![("replicas", json!(-1))], "spec.replicas"),
        (Sink, vec![("replicas", json!(9)), ("maxReplicas", json!(3))], "spec.maxReplicas"),
        (Function, vec![("minReplicas", json!(0))], "spec.minReplicas"),
        (Function, vec![("minReplicas", json!(3)), ("replicas", json!(2))], "spec.minReplicas"),
        (Function, vec![("resources", json!(null))], "spec.resources.limits.memory"),
        (Function, vec![("resources.requests", json!({"memory": "0"}))], "spec.resources.requests.memory"),
        (Function, vec![("resources.requests", json!({"memory": "lots"}))], "spec.resources.requests.memory"),
        (Function, vec![("resources.requests", json!({"memory": "1Gi"}))], "spec.resources.requests.memory"),
        (
            Function,
            vec![("resources.requests", json!({"memory": "1Mi", "cpu": "2"}))],
            "spec.resources.requests.cpu",
        ),
        // Access.
        (Function, vec![("pulsar", json!(null))], "spec.pulsar.pulsarConfig"),
        (Source, vec![("pulsar", json!({"authSecret": "a"}))], "spec.pulsar.pulsarConfig"),
        (Function, vec![("pulsarPackageService", json!({}))], "spec.pulsarPackageService.pulsarConfig"),
        (
            Function,
            vec![("statefulConfig", json!({"pulsar": {"serviceUrl": ""}}))],
            "spec.statefulConfig.pulsar.serviceUrl",
        ),
        // Connectors.
        (Source, vec![("sourceConfig", json!(null))], "spec.sourceConfig"),
        (Sink, vec![("sinkConfig", json!(null))], "spec.sinkConfig"),
        (
            Source,
            vec![("batchSourceConfig", json!({}))],
            "spec.batchSourceConfig.discoveryTriggererClassName",
        ),
        // Pods.
        (Function, vec![("imagePullPolicy", json!("Sometimes"))], "spec.imagePullPolicy"),
        (Function, vec![("volumeMounts", json!([{"name": "v"}]))], "spec.volumeMounts[0].mountPath"),
        (Function, vec![("pod.labels", json!({"a b": "c"}))], "spec.pod.labels[a b]"),
        (
            Function,
            vec![("pod.terminationGracePeriodSeconds", json!(-1))],
            "spec.pod.terminationGracePeriodSeconds",
        ),
        (
            Function,
            vec![("pod.tolerations", json!([{"operator": "Maybe"}]))],
            "spec.pod.tolerations[0].operator",
        ),
        (Function, vec![("pod.sidecars", json!([{"image": "i"}]))], "spec.pod.sidecars[0].name"),
        (Function, vec![("pod.volumes", json!([{}]))], "spec.pod.volumes[0].name"),
        (Function, vec![("pod.env", json!([{"value": "x"}]))], "spec.pod.env[0].name"),
        (
            Function,
            vec![("pod.builtinAutoscaler", json!(["AverageUtilizationCPUPercent99"]))],
            "spec.pod.builtinAutoscaler[0]",
        ),
        (Sink, vec![("maxReplicas", json!(3)), ("pod.vpa", json!({}))], "spec.pod.vpa"),
        (
            Source,
            vec![("pod.vpa", json!({"resourcePolicy": {"containerPolicies": [{}]}}))],
            "spec.pod.vpa.resourcePolicy.containerPolicies[0].containerName",
        ),
    ];
    assert!(table.len() >= 60, "{}", table.len());
    let mut missed = Vec::new();
    for (kind, changes, field) in &table {
        let named = wrong(*kind, changes);
        if !named.iter().any(|name| name == field) {
            missed.push(format!("{kind} {changes:?}: {field} is not among {named:?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
