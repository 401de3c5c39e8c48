use isthmus_model::component::{ComponentKind, Draft, ProcessingGuarantee, Runtime, SubscriptionPosition};
use isthmus_model::reason::Reason::{self, ConflictingFields, InvalidField};

use crate::{Options, UnknownFields, Written};

fn written(text: &str) -> Written {
    crate::read(text.as_bytes(), &Options::default()).unwrap().drafts.remove(0)
}

fn draft(text: &str) -> Draft {
    written(text).into_draft().unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn refusals(text: &str) -> Vec<(String, Reason, String)> {
    let problems = written(text).into_draft().unwrap_err();
    problems.into_iter().map(|p| (p.violation.field, p.violation.reason, p.violation.value)).collect()
}

const FUNCTION: &str = r#"{"className": "org.example.Greet", "jar": "function://t/n/greet@1", "inputs": ["in"], "output": "out"}"#;

#[test]
fn what_a_function_does_not_say_is_as_pulsar_has_it() {
    let draft = draft(FUNCTION);
    assert_eq!(
        (draft.kind, &*draft.tenant, &*draft.namespace, &*draft.name),
        (ComponentKind::Function, "public", "default", "Greet")
    );
    let spec = &draft.spec;
    let input = spec.input.as_ref().unwrap();
    assert_eq!(input.subscription_position, SubscriptionPosition::Latest);
    assert!(input.cleanup_subscription && spec.auto_ack && spec.forward_source_message_property);
    assert!(spec.show_precise_parallelism);
    assert_eq!((spec.replicas, spec.max_pending_async_requests), (1, Some(1_000)));
    assert_eq!(spec.processing_guarantee, ProcessingGuarantee::AtLeastOnce);
    let requests = &spec.resources.requests;
    assert_eq!(
        (requests.cpu_millis, requests.memory_bytes, requests.storage_bytes),
        (Some(1_000), Some(1_073_741_824), Some(10_737_418_240))
    );
    let package = spec.runtime.as_ref().unwrap().package();
    assert_eq!((&*package.file, &*package.location), ("greet", "function://t/n/greet@1"));
}

#[test]
fn the_kind_is_told_by_the_fields_unless_the_caller_says_it() {
    for (text, kind) in [
        (r#"{"py": "a.py", "className": "a.A", "inputs": ["in"]}"#, ComponentKind::Function),
        (r#"{"className": "A", "inputs": ["in"]}"#, ComponentKind::Function),
        (r#"{"archive": "builtin://data-generator", "topicName": "out"}"#, ComponentKind::Source),
        (r#"{"archive": "builtin://jdbc", "inputs": ["in"]}"#, ComponentKind::Sink),
        (r#"{"sinkType": "jdbc", "inputs": ["in"]}"#, ComponentKind::Sink),
    ] {
        assert_eq!(written(text).draft().kind, kind, "{text}");
    }
    let options = Options { kind: Some(ComponentKind::Source), ..Options::default() };
    let read = crate::read(br#"{"archive": "builtin://x"}"#, &options).unwrap();
    assert_eq!(read.drafts[0].draft().kind, ComponentKind::Source);
    let refused = crate::read(b"{\"colour\": 1}", &Options::default()).unwrap_err();
    assert_eq!(refused[0].violation.reason, Reason::MalformedDocument);
}

#[test]
fn both_spellings_of_the_pattern_flag_and_numbers_as_text_are_taken() {
    let draft = draft(
        r#"{"className": "A", "jar": "a.jar", "name": "a", "timeoutMs": "5000", "processingGuarantees": "", "parallelism": "2",
            "inputSpecs": {"a-.*": {"isRegexPattern": true}, "b-.*": {"regexPattern": true, "receiverQueueSize": "7"}}}"#,
    );
    let topics = &draft.spec.input.as_ref().unwrap().topics;
    assert!(topics.values().all(|consumer| consumer.is_regex_pattern));
    assert_eq!(topics["b-.*"].receiver_queue_size, Some(7));
    assert_eq!((draft.spec.timeout_ms, draft.spec.replicas), (Some(5_000), 2));
}

#[test]
fn every_way_to_name_inputs_ends_in_one_map_and_each_is_called_as_it_was_written() {
    let written = written(
        r#"{"className": "A", "jar": "a.jar", "inputs": ["one", "two"], "topicsPattern": "p-.*",
            "customSerdeInputs": {"three": "org.example.S"},
            "customSchemaInputs": {"four": "{\"schemaType\": \"AVRO\"}"},
            "inputSpecs": {"two": {"schemaType": "JSON"}}}"#,
    );
    let topics = &written.draft().spec.input.as_ref().unwrap().topics;
    assert_eq!(topics.keys().collect::<Vec<_>>(), ["four", "one", "p-.*", "three", "two"]);
    assert_eq!((&*topics["two"].schema_type, &*topics["four"].schema_type), ("JSON", "AVRO"));
    for (model, own) in [
        ("spec.input.topics[one]", "inputs[0]"),
        ("spec.input.topics[p-.*]", "topicsPattern"),
        ("spec.input.topics[three].serdeClassName", "customSerdeInputs[three].serdeClassName"),
        (
            "spec.input.topics[two].crypto.keyReaderClassName",
            "inputSpecs[two].cryptoConfig.cryptoKeyReaderClassName",
        ),
        ("spec.replicas", "parallelism"),
        ("spec.runtime.package.location", "jar"),
        ("spec.output.topic", "output"),
        ("spec.retry.maxMessageRetries", "maxMessageRetries"),
        ("spec.resources.requests.memoryBytes", "resources.ram"),
        ("metadata.tenant", "tenant"),
    ] {
        assert_eq!(written.origin().dialect_path(model), own);
    }
}

#[test]
fn what_pulsars_worker_refuses_is_refused_with_its_field() {
    let cases: &[(&str, &str, Reason)] = &[
        (r#"{"className": "A", "jar": "a", "py": "b", "inputs": ["in"]}"#, "py", ConflictingFields),
        (r#"{"className": "A", "jar": "a", "runtime": "PYTHON"}"#, "runtime", ConflictingFields),
        (r#"{"className": "A", "jar": "a", "fqfn": "a/b"}"#, "fqfn", InvalidField),
        (
            r#"{"className": "A", "py": "a", "processingGuarantees": "EFFECTIVELY_ONCE"}"#,
            "processingGuarantees",
            ConflictingFields,
        ),
        (r#"{"className": "A", "py": "a", "maxMessageRetries": 1}"#, "maxMessageRetries", ConflictingFields),
        (r#"{"go": "a", "windowConfig": {"windowLengthCount": 1}}"#, "windowConfig", ConflictingFields),
        (r#"{"go": "a", "retainKeyOrdering": true}"#, "retainKeyOrdering", ConflictingFields),
        (
            r#"{"className": "A", "jar": "a", "autoAck": true, "windowConfig": {"windowLengthCount": 1}}"#,
            "autoAck",
            ConflictingFields,
        ),
        (
            r#"{"className": "A", "jar": "a", "autoAck": false, "processingGuarantees": "ATMOST_ONCE"}"#,
            "autoAck",
            ConflictingFields,
        ),
        (
            r#"{"className": "A", "jar": "a", "timeoutMs": 5000, "processingGuarantees": "ATMOST_ONCE"}"#,
            "timeoutMs",
            ConflictingFields,
        ),
        (
            r#"{"className": "A", "jar": "a", "outputSchemaType": "x", "outputSerdeClassName": "y"}"#,
            "outputSerdeClassName",
            ConflictingFields,
        ),
        (
            r#"{"className": "A", "jar": "a", "inputSpecs": {"in": {"schemaType": "x", "serdeClassName": "y"}}}"#,
            "inputSpecs[in].serdeClassName",
            ConflictingFields,
        ),
        (
            r#"{"className": "A", "jar": "a", "customSchemaInputs": {"in": "{"}}"#,
            "customSchemaInputs[in]",
            InvalidField,
        ),
        (
            r#"{"className": "A", "jar": "a", "customSchemaOutputs": {"o": "["}}"#,
            "customSchemaOutputs[o]",
            InvalidField,
        ),
        (r#"{"className": "A", "jar": "a", "secrets": {"pw": "hunter2"}}"#, "secrets[pw]", InvalidField),
        (r#"{"className": "A", "jar": "a", "resources": {"cpu": -1}}"#, "resources.cpu", InvalidField),
        (r#"{"className": "A", "jar": "a", "resources": {"ram": 0}}"#, "resources.ram", InvalidField),
        (r#"{"className": "A", "jar": "a", "parallelism": -1}"#, "parallelism", InvalidField),
        (r#"{"className": "A", "jar": "a", "parallelism": "many"}"#, "parallelism", InvalidField),
        (
            r#"{"className": "A", "jar": "a", "subscriptionPosition": "middle"}"#,
            "subscriptionPosition",
            InvalidField,
        ),
        (
            r#"{"topicName": "t", "archive": "a.nar", "schemaType": "x", "serdeClassName": "y"}"#,
            "serdeClassName",
            ConflictingFields,
        ),
        (
            r#"{"archive": "a.nar", "inputs": ["in"], "topicToSchemaProperties": {"in": "x"}}"#,
            "topicToSchemaProperties[in]",
            InvalidField,
        ),
    ];
    for (text, field, reason) in cases {
        let refusals = refusals(text);
        let seen: Vec<_> = refusals.iter().map(|(f, r, _)| (f.as_str(), *r)).collect();
        assert_eq!(seen, [(*field, *reason)], "{text}");
        assert!(!format!("{refusals:?}").contains("hunter2"));
    }
}

#[test]
fn an_unknown_field_is_an_error_only_to_who_wants_it() {
    let text = r#"{"className": "A", "jar": "a.jar", "inputs": ["in"], "colour": 1, "windowConfig": {"length": 3, "windowLengthCount": 3}}"#;
    let fields: Vec<_> = refusals(text).into_iter().map(|(field, ..)| field).collect();
    assert_eq!(fields, ["colour", "windowConfig.length"]);
    let options = Options { unknown_fields: UnknownFields::Ignore, ..Options::default() };
    let read = crate::read(text.as_bytes(), &options).unwrap();
    assert!(read.warnings.is_empty() && read.drafts[0].clone().into_draft().is_ok());
}

#[test]
fn connectors_of_the_platform_are_named_by_archive_or_type() {
    for text in [
        r#"{"topicName": "out", "archive": "builtin://data-generator", "configs": {"sleepBetweenMessages": 100}}"#,
        r#"{"topicName": "out", "sourceType": "data-generator", "configs": {"sleepBetweenMessages": 100}}"#,
    ] {
        let draft = draft(text);
        let connector = draft.spec.source_connector.as_ref().unwrap();
        assert_eq!(connector.builtin, "data-generator");
        assert_eq!(connector.config["sleepBetweenMessages"], 100);
        let Some(Runtime::Java { package, .. }) = &draft.spec.runtime else { panic!() };
        assert_eq!(package.location, "builtin://data-generator");
        assert_eq!(draft.spec.output.as_ref().unwrap().topic, "out");
    }
}

#[test]
fn a_sink_may_transform_before_it_writes() {
    let draft = draft(
        r#"{"archive": "builtin://jdbc", "inputs": ["in"], "name": "s", "sourceSubscriptionName": "sub", "negativeAckRedeliveryDelayMs": "9",
            "transformFunction": "function://t/n/f@2", "transformFunctionClassName": "F", "transformFunctionConfig": "{}"}"#,
    );
    assert_eq!(draft.spec.transform.as_ref().unwrap().package.location, "function://t/n/f@2");
    assert_eq!(draft.spec.input.as_ref().unwrap().subscription_name, "sub");
    assert_eq!(draft.spec.negative_ack_redelivery_delay_ms, Some(9));
}
