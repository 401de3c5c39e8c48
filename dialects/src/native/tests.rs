use super::*;
use crate::read::{Options, UnknownFields};

fn read(text: &str) -> crate::Read {
    crate::read(text.as_bytes(), &Options::default()).unwrap()
}

#[test]
fn what_is_not_written_has_its_default() {
    let read = read("apiVersion: isthmus.io/v1\nkind: Sink\nmetadata: {name: x}\n");
    let draft = read.drafts[0].draft();
    assert_eq!(
        (draft.kind, draft.tenant.as_str(), draft.namespace.as_str()),
        (ComponentKind::Sink, "public", "default")
    );
    let spec = &draft.spec;
    assert!(spec.auto_ack && spec.forward_source_message_property && spec.replicas == 1);
}

#[test]
fn a_field_that_is_not_known_is_named_even_inside_an_enum() {
    let text = "apiVersion: isthmus.io/v1\nkind: Function\nmetadata: {name: x, uid: u}\nstatus: {ready: 1}\nspec:\n  runtime: {type: java, package: {file: a, jar: b}}\n  replica: 2\n";
    let fields = |read: &crate::Read| -> Vec<String> {
        read.drafts[0].clone().into_draft().unwrap_err().into_iter().map(|p| p.violation.field).collect()
    };
    assert_eq!(fields(&read(text)), ["spec.runtime.package.jar", "spec.replica"]);
    let options = Options { unknown_fields: UnknownFields::Warn, ..Options::default() };
    let warned = crate::read(text.as_bytes(), &options).unwrap();
    let lines: Vec<_> = warned.warnings.iter().map(|warning| warning.position.line).collect();
    assert_eq!(lines, [6, 7]);
    assert!(warned.drafts[0].clone().into_draft().is_ok());
}

/// A resource in which no field of the model is as if it were not written.
fn full() -> Value {
    let crypto = json!({
        "keyReaderClassName": "K", "keyReaderConfig": {"a": 1, "empty": ""}, "encryptionKeys": ["k"],
        "producerFailureAction": "SEND", "consumerFailureAction": "DISCARD",
        "secrets": [{"secretName": "s", "secretKey": "k", "asVolume": "/v"}],
    });
    let package = json!({"file": "a.jar", "location": "function://a/b/c", "digest": "ab".repeat(32)});
    let connector = json!({"builtin": "b", "className": "C", "typeClassName": "T", "config": {"n": 9_007_199_254_740_993_u64, "none": null}});
    let amounts = json!({"cpuMillis": 1, "memoryBytes": 2, "storageBytes": 3, "other": {"gpu": "1"}});
    let key = json!({"name": "n", "key": "k"});
    let access = json!({
        "config": "c", "authSecret": "a", "tlsSecret": "t",
        "tls": {"enabled": true, "allowInsecure": true, "hostnameVerification": true, "certSecret": key},
        "auth": {"type": "oAuth2", "audience": "a", "issuerUrl": "i", "scope": "s", "keySecret": key},
        "cleanupAuth": {"type": "generic", "plugin": "p", "parameters": "q"},
    });
    let window = json!({
        "lengthCount": 1, "lengthDurationMs": 2, "slidingIntervalCount": 3, "slidingIntervalDurationMs": 4, "lateDataTopic": "l",
        "maxLagMs": 5, "watermarkEmitIntervalMs": 6, "timestampExtractorClassName": "T", "processingGuarantee": "ATMOST_ONCE",
    });
    let kubernetes = json!({
        "clusterName": "c", "image": "i", "imagePullPolicy": "Always", "imageHasPulsarctl": true, "imageHasWget": true,
        "downloaderImage": "d", "cleanupImage": "l", "filebeatImage": "f", "pod": {"volumes": [{"name": "v", "emptyDir": {}}]},
        "volumeMounts": [{"name": "v"}], "volumeClaimTemplates": [{"metadata": {}}], "volumeClaimRetentionPolicy": {"whenScaled": "Delete"},
    });
    let input = json!({
        "topics": {"a.b/c": {
            "schemaType": "s", "serdeClassName": "c", "isRegexPattern": true, "schemaProperties": {"a": ""},
            "consumerProperties": {"b": "c"}, "receiverQueueSize": 0, "crypto": crypto, "poolMessages": true,
        }},
        "typeClassName": "T", "subscriptionName": "s", "subscriptionPosition": "Earliest", "skipToLatest": true,
        "cleanupSubscription": true, "retainOrdering": true, "retainKeyOrdering": true,
    });
    let output = json!({
        "topic": "o", "typeClassName": "T", "schemaType": "s", "serdeClassName": "c", "schemaProperties": {"a": "b"},
        "consumerProperties": {"a": "b"},
        "producer": {
            "maxPendingMessages": 1, "maxPendingMessagesAcrossPartitions": 2, "useThreadLocalProducers": true,
            "crypto": crypto, "batchBuilder": "KEY_BASED", "compression": "ZSTD",
        },
    });
    let runtime = json!({
        "type": "java", "package": package, "extraDependenciesDir": "d", "javaOpts": ["-a"], "instancePath": "i", "entryClass": "E",
        "log": {"level": "info", "rotatePolicy": "r", "format": "json", "configMap": key, "javaConfigFileType": "xml"},
    });
    json!({
        "apiVersion": "isthmus.io/v1",
        "kind": "Function",
        "metadata": {"tenant": "t", "namespace": "n", "name": "x", "labels": {"a": "", "b/c": "v"}, "annotations": {"n": "line\nline"}},
        "placement": {
            "clusters": [{"key": "region", "operator": "In", "values": ["eu"]}],
            "mode": "Divided",
            "tolerations": [{"key": "k", "value": "v", "effect": "NoPlace"}],
            "spread": [{"key": "zone", "minGroups": 1, "maxGroups": 2, "maxSkew": 3, "soft": true}],
            "minClusters": 1,
            "maxClusters": 2,
        },
        "spec": {
            "className": "C",
            "runtime": runtime,
            "replicas": 3, "minReplicas": 1, "maxReplicas": 5, "showPreciseParallelism": true,
            "processingGuarantee": "Manual", "autoAck": false,
            "input": input,
            "output": output,
            "sourceConnector": connector, "sinkConnector": connector,
            "userConfig": {"empty": "", "no": null, "list": [], "yes": {"deep": [1, 2.5, true]}},
            "secrets": {"S": {"path": "p", "key": "k"}, "SEALED": {}},
            "retry": {"maxMessageRetries": 1, "deadLetterTopic": "d"},
            "timeoutMs": 1, "negativeAckRedeliveryDelayMs": 2, "forwardSourceMessageProperty": false, "maxPendingAsyncRequests": 4,
            "window": window,
            "batchSource": {"discoveryTriggererClassName": "D", "discoveryTriggererConfig": {"a": "b"}},
            "transform": {"package": package, "className": "T", "config": "{}"},
            "logTopic": "l", "logTopicAgent": "sidecar",
            "resources": {"requests": amounts, "limits": amounts},
            "runtimeFlags": "-f", "customRuntimeOptions": "o", "exposePulsarAdminClient": true,
            "state": {"serviceUrl": "bk://h:1", "javaProviderClassName": "P", "javaProviderConfig": {"a": 1}},
            "pulsar": access, "packageService": access,
            "kubernetes": kubernetes,
        },
    })
}

fn draft(resource: &Value) -> Draft {
    let text = resource.to_string();
    read(&text).drafts.remove(0).into_draft().unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn yaml(draft: &Draft) -> String {
    serde_saphyr::to_string(&draft_to_value(draft)).unwrap()
}

#[test]
fn the_full_resource_has_every_field_of_the_model() {
    let empty = json!({"apiVersion": API_VERSION, "kind": "Function"});
    let [full, empty] = [full(), empty].map(|resource| serde_json::to_value(draft(&resource)).unwrap());
    for part in ["spec", "placement"] {
        for (field, value) in empty[part].as_object().unwrap() {
            assert_ne!(full[part][field], *value, "{part}.{field}");
        }
    }
}

#[test]
fn what_is_as_if_not_written_is_not_printed() {
    let text = "apiVersion: isthmus.io/v1\nkind: Function\nmetadata: {name: x}\nspec: {className: C, input: {topics: {in: {}}}}\n";
    let printed = yaml(&read(text).drafts.remove(0).into_draft().unwrap());
    assert_eq!(
        printed,
        "apiVersion: isthmus.io/v1\nkind: Function\nmetadata:\n  tenant: public\n  namespace: default\n  name: x\nspec:\n  className: C\n  replicas: 1\n  autoAck: true\n  input:\n    topics:\n      in: {}\n  forwardSourceMessageProperty: true\n"
    );
}

#[test]
fn a_component_is_printed_without_its_credentials() {
    let Draft { kind, placement, spec, annotations, .. } = draft(&full());
    let name = isthmus_model::name::FullName::new("t", "n", "x").unwrap();
    let component = Component { kind, name, labels: BTreeMap::new(), annotations, placement, spec };
    let printed = to_value(&component);
    for access in ["pulsar", "packageService"] {
        assert_eq!(printed["spec"][access]["cleanupAuth"]["parameters"], REDACTED);
        assert_eq!(printed["spec"][access]["cleanupAuth"]["plugin"], "p");
    }
    assert_eq!(printed["spec"]["pulsar"]["auth"].get("parameters"), None);
}

/// The paths of all members that may be left out, and of all texts that may be anything.
fn members(value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(fields) = value.as_object() else { return };
    for (name, value) in fields {
        let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        members(value, &at, found);
        found.push(at);
    }
}

/// Members without which there is no resource, or an enum is another one.
fn needed(pointer: &str) -> bool {
    [
        "/apiVersion",
        "/kind",
        "/type",
        "/package",
        "/keySecret",
        "/audience",
        "/issuerUrl",
        "/scope",
        "/plugin",
        "/parameters",
    ]
    .iter()
    .any(|end| pointer.ends_with(end))
}

/// Texts that mean something by themselves.
const WORDS: &[&str] =
    &["/mode", "/processingGuarantee", "/subscriptionPosition", "/compression", "/logTopicAgent", "/digest"];

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("yes".to_owned()),
            Just("null".to_owned()),
            Just("~".to_owned()),
            Just("1e3".to_owned()),
            Just("0x10".to_owned()),
            Just("- a: b #c".to_owned()),
            Just("  blanks  ".to_owned()),
            Just("two\nlines\n".to_owned()),
            Just("\ttab: \"'".to_owned()),
            "\\PC{0,20}",
            "[ -~\n]{0,40}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_printed_reads_back_as_it_was(
            left_out in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
            texts in proptest::collection::vec((any::<prop::sample::Index>(), text()), 0..20),
        ) {
            let mut resource = full();
            let mut pointers = Vec::new();
            members(&resource, "", &mut pointers);
            let free: Vec<String> = pointers
                .iter()
                .filter(|p| !needed(p) && !WORDS.iter().any(|w| p.ends_with(w)))
                .filter(|p| p.starts_with("/spec") || p.starts_with("/metadata/annotations"))
                .cloned()
                .collect();
            for (index, text) in texts {
                if let Some(slot) = resource.pointer_mut(index.get(free.as_slice()).as_str()).filter(|slot| slot.is_string()) {
                    *slot = Value::String(text);
                }
            }
            for index in left_out {
                let pointer = index.get(pointers.as_slice()).as_str();
                if needed(pointer) {
                    continue;
                }
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                if let Some(fields) = resource.pointer_mut(parent).and_then(Value::as_object_mut) {
                    fields.shift_remove(&name.replace("~1", "/").replace("~0", "~"));
                }
            }
            let written = draft(&resource);
            let printed = yaml(&written);
            let back = crate::read(printed.as_bytes(), &Options::default()).unwrap().drafts.remove(0).into_draft();
            prop_assert_eq!(back.map_err(|p| TestCaseError::fail(format!("{p:?}\n{printed}")))?, written);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            let _ = crate::read(text.as_bytes(), &Options::default());
        }

        #[test]
        fn no_resource_makes_it_panic(
            kind in prop_oneof![Just("Function"), Just("Sink"), Just("FunctionMesh")],
            index in any::<prop::sample::Index>(),
            value in prop_oneof![Just(json!(null)), Just(json!(-1)), Just(json!([[]])), Just(json!({"a": {}})), Just(json!("x"))],
        ) {
            for version in [API_VERSION, crate::function_mesh::API_VERSION] {
                let mut resource = full();
                resource["apiVersion"] = json!(version);
                resource["kind"] = json!(kind);
                let mut pointers = Vec::new();
                members(&resource, "", &mut pointers);
                *resource.pointer_mut(index.get(pointers.as_slice()).as_str()).unwrap() = value.clone();
                let _ = crate::read(resource.to_string().as_bytes(), &Options::default());
            }
        }
    }
}
