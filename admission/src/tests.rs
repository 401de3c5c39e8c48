//! One row a rule: what is changed in a good draft, and the violation that this makes.

use std::collections::BTreeMap;

use isthmus_dialects::{Options, read};
use isthmus_model::component::{
    BatchSource, ComponentKind, Connector, ConsumerConfig, Crypto, CryptoSecret, Input, KeyRef, LogConfig,
    Output, ProcessingGuarantee, ProducerConfig, PulsarAccess, PulsarAuth, PulsarTls, Redacted, Runtime,
    SecretRef, State, Transform, Window,
};
use isthmus_model::package::PackageRef;
use isthmus_model::policy::{Mode, Operator, Requirement, Spread, Toleration};
use isthmus_model::reason::Reason::{
    ConflictingFields, InvalidField, MissingField, PackageMissing, UnknownField,
};
use serde_json::json;

use super::*;

/// A gateway that stores the package of one digest.
struct Stores(Digest);

impl Facts for Stores {
    fn stores(&self, package: &Digest) -> bool {
        *package == self.0
    }

    fn file(&self, _: &Digest) -> String {
        "uploaded.jar".to_owned()
    }
}

const STORED: Digest = Digest([7; 32]);

fn function() -> Draft {
    let yaml = format!(
        "
apiVersion: isthmus.io/v1
kind: Function
metadata: {{name: greet, labels: {{team: a}}}}
spec:
  className: org.example.Greet
  runtime: {{type: java, package: {{file: greet.jar, location: 'sha256:{STORED}'}}}}
  input: {{topics: {{in: {{}}}}}}
  output: {{topic: out}}
"
    );
    read(yaml.as_bytes(), &Options::default()).unwrap().drafts.remove(0).into_draft().unwrap()
}

fn source() -> Draft {
    let mut draft = function();
    draft.kind = ComponentKind::Source;
    draft.spec.input = None;
    draft.spec.source_connector = Some(Connector::default());
    draft
}

fn sink() -> Draft {
    let mut draft = function();
    draft.kind = ComponentKind::Sink;
    draft.spec.output = None;
    draft.spec.sink_connector = Some(Connector::default());
    draft
}

fn input(draft: &mut Draft) -> &mut Input {
    draft.spec.input.as_mut().unwrap()
}

fn consumer(draft: &mut Draft) -> &mut ConsumerConfig {
    input(draft).topics.get_mut("in").unwrap()
}

fn output(draft: &mut Draft) -> &mut Output {
    draft.spec.output.as_mut().unwrap()
}

fn package(draft: &mut Draft) -> &mut PackageRef {
    draft.spec.runtime.as_mut().unwrap().package_mut()
}

fn window(draft: &mut Draft) -> &mut Window {
    draft.spec.window.get_or_insert_with(|| Window { length_count: Some(5), ..Window::default() })
}

fn python() -> Runtime {
    Runtime::Python { package: PackageRef { file: "a.py".into(), ..PackageRef::default() }, log: None }
}

fn go() -> Runtime {
    Runtime::Go { package: PackageRef { file: "a".into(), ..PackageRef::default() }, log: None }
}

fn log(draft: &mut Draft, given: LogConfig) {
    if let Some(Runtime::Java { log, .. }) = &mut draft.spec.runtime {
        *log = Some(given);
    }
}

fn requirement(key: &str, operator: Operator, values: &[&str]) -> Requirement {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Requirement { key: key.parse().unwrap(), operator, values }
}

fn spread(min_groups: u32, max_groups: u32) -> Spread {
    Spread { key: "region".parse().unwrap(), min_groups, max_groups, max_skew: 0, soft: false }
}

fn topic(name: &str) -> BTreeMap<String, ConsumerConfig> {
    BTreeMap::from([(name.to_owned(), ConsumerConfig::default())])
}

fn seen(result: Result<Component, Rejection>) -> Vec<(String, Reason, String)> {
    let violations = result.err().map(|rejection| rejection.violations).unwrap_or_default();
    violations.into_iter().map(|v| (v.field, v.reason, v.value)).collect()
}

type Row = (fn() -> Draft, fn(&mut Draft), &'static [(&'static str, Reason, &'static str)]);

#[test]
fn good_drafts_are_admitted_and_their_package_pinned() {
    for draft in [function(), source(), sink()] {
        let component = admit(draft.clone(), &Stores(STORED)).unwrap();
        assert_eq!(component.spec.runtime.as_ref().unwrap().package().digest, Some(STORED));
        assert_eq!(component.name.to_string(), "public/default/greet");
    }
}

/// Checks every row of a table.
fn check(rows: &[Row]) {
    for (at, (draft, change, expected)) in rows.iter().enumerate() {
        let mut draft = draft();
        change(&mut draft);
        let violations = seen(admit(draft, &Stores(STORED)));
        let violations: Vec<_> = violations.iter().map(|(f, r, v)| (f.as_str(), *r, v.as_str())).collect();
        assert_eq!(violations, *expected, "row {at}");
    }
}

#[test]
fn names_labels_and_annotations_have_rules() {
    check(&[
        (function, |d| d.name.clear(), &[("metadata.name", MissingField, "")]),
        (function, |d| d.name = "a b".into(), &[("metadata.name", InvalidField, "\"a b\"")]),
        (function, |d| d.tenant = "a/b".into(), &[("metadata.tenant", InvalidField, "\"a/b\"")]),
        (function, |d| d.namespace.clear(), &[("metadata.namespace", MissingField, "")]),
        (
            function,
            |d| drop(d.labels.insert("-x".into(), "v".into())),
            &[("metadata.labels[-x]", InvalidField, "\"-x\"")],
        ),
        (
            function,
            |d| drop(d.labels.insert("x".into(), "v v".into())),
            &[("metadata.labels[x]", InvalidField, "\"v v\"")],
        ),
        (
            function,
            |d| d.labels.extend((0..64).map(|n| (format!("l{n}"), String::new()))),
            &[("metadata.labels", InvalidField, "65")],
        ),
        (
            function,
            |d| drop(d.annotations.insert("a".into(), "x".repeat(256 * 1024))),
            &[("metadata.annotations", InvalidField, "262145")],
        ),
        (
            function,
            |d| drop(d.annotations.insert("a b".into(), String::new())),
            &[("metadata.annotations[a b]", InvalidField, "\"a b\"")],
        ),
    ]);
}

#[test]
fn code_has_rules() {
    check(&[
        (function, |d| d.spec.runtime = None, &[("spec.runtime", MissingField, "")]),
        (source, |d| d.spec.runtime = Some(python()), &[("spec.runtime", InvalidField, "\"python\"")]),
        (sink, |d| d.spec.runtime = Some(go()), &[("spec.runtime", InvalidField, "\"go\"")]),
        (function, |d| d.spec.class_name.clear(), &[("spec.className", MissingField, "")]),
        (source, |d| d.spec.class_name.clear(), &[]),
        (function, |d| d.spec.class_name = "a..B".into(), &[("spec.className", InvalidField, "\"a..B\"")]),
        (function, |d| d.spec.class_name = "a B".into(), &[("spec.className", InvalidField, "\"a B\"")]),
        (
            function,
            |d| {
                d.spec.class_name.clear();
                d.spec.runtime = Some(go());
            },
            &[],
        ),
        (
            function,
            |d| *package(d) = PackageRef::default(),
            &[("spec.runtime.package.file", MissingField, "")],
        ),
        (
            function,
            |d| package(d).file = "../../etc/passwd".into(),
            &[("spec.runtime.package.file", InvalidField, "\"../../etc/passwd\"")],
        ),
        (
            function,
            |d| package(d).location = "ftp://a/b".into(),
            &[("spec.runtime.package.location", InvalidField, "\"ftp://a/b\"")],
        ),
        (
            function,
            |d| package(d).location = "function://a/b".into(),
            &[("spec.runtime.package.location", InvalidField, "\"function://a/b\"")],
        ),
        (function, |d| package(d).location = "FUNCTION://a/b/c@1".into(), &[]),
        (
            function,
            |d| package(d).location = "function://a/b/c@1@2".into(),
            &[("spec.runtime.package.location", InvalidField, "\"function://a/b/c@1@2\"")],
        ),
        (
            function,
            |d| package(d).location = "https:///x.jar".into(),
            &[("spec.runtime.package.location", InvalidField, "\"https:///x.jar\"")],
        ),
        (
            function,
            |d| package(d).location = "builtin://".into(),
            &[("spec.runtime.package.location", InvalidField, "\"builtin://\"")],
        ),
        (
            function,
            |d| package(d).location = "sha256:12".into(),
            &[("spec.runtime.package.location", InvalidField, "\"sha256:12\"")],
        ),
        (
            function,
            |d| package(d).location = "./greet.jar".into(),
            &[("spec.runtime.package.location", InvalidField, "\"./greet.jar\"")],
        ),
        (
            function,
            |d| package(d).location = format!("sha256:{}", Digest([8; 32])),
            &[(
                "spec.runtime.package.location",
                PackageMissing,
                "\"sha256:0808080808080808080808080808080808080808080808080808080808080808\"",
            )],
        ),
        (
            function,
            |d| d.spec.runtime_flags = "-a\n-b".into(),
            &[("spec.runtimeFlags", InvalidField, "\"-a\\n-b\"")],
        ),
        (
            function,
            |d| {
                if let Some(Runtime::Java { java_opts, entry_class, .. }) = &mut d.spec.runtime {
                    java_opts.push("-X\u{0}".into());
                    *entry_class = "a/b".into();
                }
            },
            &[
                ("spec.runtime.entryClass", InvalidField, "\"a/b\""),
                ("spec.runtime.javaOpts[0]", InvalidField, "\"-X\\u0000\""),
            ],
        ),
        (
            function,
            |d| log(d, LogConfig { level: "loud".into(), format: "xml".into(), ..LogConfig::default() }),
            &[
                ("spec.runtime.log.format", InvalidField, "\"xml\""),
                ("spec.runtime.log.level", InvalidField, "\"loud\""),
            ],
        ),
        (
            function,
            |d| {
                log(
                    d,
                    LogConfig {
                        rotate_policy: "x".into(),
                        java_config_file_type: "toml".into(),
                        config_map: Some(KeyRef { name: "n".into(), key: String::new() }),
                        ..LogConfig::default()
                    },
                );
            },
            &[
                ("spec.runtime.log.configMap.key", MissingField, ""),
                ("spec.runtime.log.javaConfigFileType", InvalidField, "\"toml\""),
                ("spec.runtime.log.rotatePolicy", InvalidField, "\"x\""),
            ],
        ),
        (
            function,
            |d| {
                let package = PackageRef { file: "a".into(), ..PackageRef::default() };
                d.spec.runtime = Some(Runtime::Generic { package, language: "cobol".into() });
            },
            &[("spec.runtime.language", InvalidField, "\"cobol\"")],
        ),
    ]);
}

#[test]
fn inputs_have_rules() {
    check(&[
        (function, |d| d.spec.input = None, &[("spec.input", MissingField, "")]),
        (sink, |d| input(d).topics.clear(), &[("spec.input", MissingField, "")]),
        (
            function,
            |d| {
                d.spec.input = None;
                d.spec.source_connector = Some(Connector::default());
            },
            &[],
        ),
        (source, |d| d.spec.input = Some(Input::default()), &[("spec.input", ConflictingFields, "")]),
        (
            sink,
            |d| d.spec.source_connector = Some(Connector::default()),
            &[("spec.sourceConnector", ConflictingFields, "")],
        ),
        (
            function,
            |d| input(d).topics = topic("persistent://only/two"),
            &[("spec.input.topics[persistent://only/two]", InvalidField, "\"persistent://only/two\"")],
        ),
        (
            function,
            |d| consumer(d).receiver_queue_size = Some(u32::MAX),
            &[("spec.input.topics[in].receiverQueueSize", InvalidField, "4294967295")],
        ),
        (
            function,
            |d| {
                consumer(d).crypto = Some(Crypto {
                    consumer_failure_action: "IGNORE".into(),
                    secrets: vec![CryptoSecret::default()],
                    ..Crypto::default()
                });
            },
            &[
                ("spec.input.topics[in].crypto.consumerFailureAction", InvalidField, "\"IGNORE\""),
                ("spec.input.topics[in].crypto.keyReaderClassName", MissingField, ""),
                ("spec.input.topics[in].crypto.secrets[0].secretKey", MissingField, ""),
                ("spec.input.topics[in].crypto.secrets[0].secretName", MissingField, ""),
            ],
        ),
        (
            function,
            |d| input(d).subscription_name = "a\tb".into(),
            &[("spec.input.subscriptionName", InvalidField, "\"a\\tb\"")],
        ),
        (
            sink,
            |d| {
                input(d).retain_ordering = true;
                input(d).retain_key_ordering = true;
            },
            &[
                ("spec.input.retainKeyOrdering", ConflictingFields, "true"),
                ("spec.input.retainOrdering", ConflictingFields, "true"),
            ],
        ),
        (
            function,
            |d| {
                input(d).retain_key_ordering = true;
                d.spec.processing_guarantee = ProcessingGuarantee::EffectivelyOnce;
            },
            &[("spec.input.retainKeyOrdering", ConflictingFields, "true")],
        ),
        (
            function,
            |d| d.spec.batch_source = Some(BatchSource::default()),
            &[("spec.batchSource", ConflictingFields, "")],
        ),
        (
            source,
            |d| d.spec.batch_source = Some(BatchSource::default()),
            &[("spec.batchSource.discoveryTriggererClassName", MissingField, "")],
        ),
    ]);
}

#[test]
fn outputs_have_rules() {
    check(&[
        (function, |d| output(d).topic.clear(), &[]),
        (source, |d| output(d).topic.clear(), &[("spec.output.topic", MissingField, "")]),
        (source, |d| d.spec.output = None, &[("spec.output.topic", MissingField, "")]),
        (sink, |d| d.spec.output = Some(Output::default()), &[("spec.output", ConflictingFields, "")]),
        (
            source,
            |d| d.spec.sink_connector = Some(Connector::default()),
            &[("spec.sinkConnector", ConflictingFields, "")],
        ),
        (function, |d| output(d).topic = "a/b".into(), &[("spec.output.topic", InvalidField, "\"a/b\"")]),
        (function, |d| output(d).topic = "in".into(), &[("spec.output.topic", ConflictingFields, "\"in\"")]),
        (
            function,
            |d| output(d).topic = "persistent://public/default/in".into(),
            &[("spec.output.topic", ConflictingFields, "\"persistent://public/default/in\"")],
        ),
        (
            function,
            |d| {
                output(d).producer =
                    Some(ProducerConfig { batch_builder: "X".into(), ..ProducerConfig::default() });
            },
            &[("spec.output.producer.batchBuilder", InvalidField, "\"X\"")],
        ),
        (
            function,
            |d| {
                output(d).producer = Some(ProducerConfig {
                    max_pending_messages: Some(u32::MAX),
                    ..ProducerConfig::default()
                });
            },
            &[("spec.output.producer.maxPendingMessages", InvalidField, "4294967295")],
        ),
        (
            function,
            |d| {
                output(d).producer =
                    Some(ProducerConfig { crypto: Some(Crypto::default()), ..ProducerConfig::default() });
            },
            &[
                ("spec.output.producer.crypto.encryptionKeys", MissingField, ""),
                ("spec.output.producer.crypto.keyReaderClassName", MissingField, ""),
            ],
        ),
        (
            function,
            |d| d.spec.transform = Some(Transform::default()),
            &[
                ("spec.transform", ConflictingFields, ""),
                ("spec.transform.className", MissingField, ""),
                ("spec.transform.package.file", MissingField, ""),
            ],
        ),
    ]);
}

#[test]
fn delivery_has_rules() {
    check(&[
        (function, |d| d.spec.timeout_ms = Some(999), &[("spec.timeoutMs", InvalidField, "999")]),
        (
            sink,
            |d| {
                d.spec.timeout_ms = Some(5_000);
                d.spec.processing_guarantee = ProcessingGuarantee::EffectivelyOnce;
            },
            &[("spec.timeoutMs", ConflictingFields, "5000")],
        ),
        (
            function,
            |d| d.spec.retry.max_message_retries = Some(0),
            &[("spec.retry.maxMessageRetries", InvalidField, "0")],
        ),
        (
            function,
            |d| {
                d.spec.retry.max_message_retries = Some(1);
                d.spec.processing_guarantee = ProcessingGuarantee::EffectivelyOnce;
            },
            &[("spec.retry.maxMessageRetries", ConflictingFields, "1")],
        ),
        (
            function,
            |d| d.spec.retry.dead_letter_topic = "dlq".into(),
            &[("spec.retry.maxMessageRetries", MissingField, "")],
        ),
        (
            function,
            |d| {
                d.spec.retry.max_message_retries = Some(1);
                d.spec.retry.dead_letter_topic = "in".into();
            },
            &[("spec.retry.deadLetterTopic", ConflictingFields, "\"in\"")],
        ),
        (function, |d| d.spec.log_topic = "a/b".into(), &[("spec.logTopic", InvalidField, "\"a/b\"")]),
        (function, |d| d.spec.log_topic = "in".into(), &[("spec.logTopic", ConflictingFields, "\"in\"")]),
        (
            function,
            |d| d.spec.max_pending_async_requests = Some(0),
            &[("spec.maxPendingAsyncRequests", InvalidField, "0")],
        ),
        (
            sink,
            |d| {
                d.spec.transform = Some(Transform {
                    package: PackageRef { file: "a.jar".into(), ..PackageRef::default() },
                    class_name: "A B".into(),
                    config: "[]".into(),
                });
            },
            &[
                ("spec.transform.className", InvalidField, "\"A B\""),
                ("spec.transform.config", InvalidField, ""),
            ],
        ),
    ]);
}

#[test]
fn windows_have_rules() {
    check(&[
        (function, |d| window(d).max_lag_ms = Some(0), &[]),
        (sink, |d| window(d).max_lag_ms = Some(0), &[("spec.window", ConflictingFields, "")]),
        (
            function,
            |d| {
                window(d);
                d.spec.runtime = Some(python());
            },
            &[("spec.window", ConflictingFields, "")],
        ),
        (
            function,
            |d| {
                window(d);
                d.spec.processing_guarantee = ProcessingGuarantee::EffectivelyOnce;
            },
            &[("spec.window", ConflictingFields, "")],
        ),
        (function, |d| window(d).length_count = None, &[("spec.window", MissingField, "")]),
        (function, |d| window(d).length_count = Some(0), &[("spec.window.lengthCount", InvalidField, "0")]),
        (
            function,
            |d| window(d).length_duration_ms = Some(1),
            &[("spec.window.lengthCount", ConflictingFields, "5")],
        ),
        (
            function,
            |d| {
                window(d).sliding_interval_count = Some(0);
                window(d).watermark_emit_interval_ms = Some(0);
            },
            &[
                ("spec.window.slidingIntervalCount", InvalidField, "0"),
                ("spec.window.watermarkEmitIntervalMs", InvalidField, "0"),
            ],
        ),
        (
            function,
            |d| window(d).processing_guarantee = "MANUAL".into(),
            &[("spec.window.processingGuarantee", InvalidField, "\"MANUAL\"")],
        ),
        (
            function,
            |d| window(d).timestamp_extractor_class_name = "a b".into(),
            &[("spec.window.timestampExtractorClassName", InvalidField, "\"a b\"")],
        ),
        (
            function,
            |d| window(d).late_data_topic = "late".into(),
            &[("spec.window.timestampExtractorClassName", MissingField, "")],
        ),
    ]);
}

#[test]
fn scale_and_resources_have_rules() {
    check(&[
        (function, |d| d.spec.replicas = 0, &[("spec.replicas", InvalidField, "0")]),
        (function, |d| d.spec.replicas = u32::MAX, &[("spec.replicas", InvalidField, "4294967295")]),
        (
            function,
            |d| {
                d.spec.replicas = 5;
                d.spec.max_replicas = Some(3);
            },
            &[("spec.maxReplicas", ConflictingFields, "3")],
        ),
        (function, |d| d.spec.min_replicas = Some(0), &[("spec.minReplicas", InvalidField, "0")]),
        (function, |d| d.spec.min_replicas = Some(2), &[("spec.minReplicas", ConflictingFields, "2")]),
        (function, |d| d.spec.max_replicas = Some(0), &[("spec.maxReplicas", InvalidField, "0")]),
        (
            function,
            |d| {
                d.spec.resources.requests.memory_bytes = Some(2);
                d.spec.resources.limits.memory_bytes = Some(1);
            },
            &[("spec.resources.requests.memoryBytes", ConflictingFields, "2")],
        ),
        (
            function,
            |d| {
                d.spec.resources.requests.cpu_millis = Some(2);
                d.spec.resources.limits.cpu_millis = Some(0);
            },
            &[],
        ),
        (
            function,
            |d| drop(d.spec.resources.limits.other.insert("gpu".into(), "many".into())),
            &[("spec.resources.limits.other[gpu]", InvalidField, "\"many\"")],
        ),
    ]);
}

#[test]
fn access_has_rules() {
    check(&[
        (
            function,
            |d| drop(d.spec.secrets.insert("1 a".into(), SecretRef { path: "p".into(), key: "k".into() })),
            &[("spec.secrets[1 a]", InvalidField, "\"1 a\"")],
        ),
        (
            function,
            |d| drop(d.spec.secrets.insert("a".into(), SecretRef::default())),
            &[("spec.secrets[a]", MissingField, "")],
        ),
        (
            function,
            |d| drop(d.spec.secrets.insert("a".into(), SecretRef { path: "p".into(), key: String::new() })),
            &[("spec.secrets[a].key", MissingField, "")],
        ),
        (
            function,
            |d| drop(d.spec.secrets.insert("a".into(), SecretRef { path: String::new(), key: "k".into() })),
            &[("spec.secrets[a].path", MissingField, "")],
        ),
        (
            function,
            |d| d.spec.pulsar.config = "Not A Name".into(),
            &[("spec.pulsar.config", InvalidField, "\"Not A Name\"")],
        ),
        (
            function,
            |d| {
                d.spec.pulsar.tls =
                    Some(PulsarTls { cert_secret: Some(KeyRef::default()), ..PulsarTls::default() });
            },
            &[
                ("spec.pulsar.tls.certSecret.key", MissingField, ""),
                ("spec.pulsar.tls.certSecret.name", MissingField, ""),
            ],
        ),
        (
            function,
            |d| {
                d.spec.pulsar.auth = Some(PulsarAuth::Generic {
                    plugin: String::new(),
                    parameters: Redacted("token:x".into()),
                });
            },
            &[("spec.pulsar.auth.plugin", MissingField, "")],
        ),
        (
            function,
            |d| {
                let parameters = Redacted(isthmus_dialects::native::REDACTED.into());
                d.spec.pulsar.auth = Some(PulsarAuth::Generic { plugin: "p".into(), parameters });
            },
            &[("spec.pulsar.auth.parameters", InvalidField, "")],
        ),
        (
            function,
            |d| {
                d.spec.pulsar.cleanup_auth = Some(PulsarAuth::OAuth2 {
                    audience: "a".into(),
                    issuer_url: String::new(),
                    scope: String::new(),
                    key_secret: KeyRef { name: "n".into(), key: String::new() },
                });
            },
            &[
                ("spec.pulsar.cleanupAuth.issuerUrl", MissingField, ""),
                ("spec.pulsar.cleanupAuth.keySecret.key", MissingField, ""),
            ],
        ),
        (
            function,
            |d| d.spec.package_service = Some(PulsarAccess::default()),
            &[("spec.packageService.config", MissingField, "")],
        ),
        (function, |d| d.spec.state = Some(State::default()), &[("spec.state.serviceUrl", MissingField, "")]),
        (
            function,
            |d| {
                d.spec.runtime = Some(go());
                d.spec.state = Some(State { service_url: "bk://h:1".into(), ..State::default() });
            },
            &[("spec.state", ConflictingFields, "")],
        ),
    ]);
}

#[test]
fn pods_have_rules() {
    fn pod(draft: &mut Draft, pod: &serde_json::Value) {
        draft.spec.kubernetes.pod = pod.as_object().unwrap().clone();
    }
    check(&[
        (
            function,
            |d| d.spec.kubernetes.image_pull_policy = "Sometimes".into(),
            &[("spec.kubernetes.imagePullPolicy", InvalidField, "\"Sometimes\"")],
        ),
        (
            function,
            |d| pod(d, &json!({"tolerations": [{"key": "a", "operator": "Is", "effct": "NoSchedule"}]})),
            &[("spec.kubernetes.pod.tolerations[0].effct", UnknownField, "")],
        ),
        (
            function,
            |d| pod(d, &json!({"tolerations": [{"operator": "Is", "effect": "Never"}]})),
            &[
                ("spec.kubernetes.pod.tolerations[0].effect", InvalidField, "\"Never\""),
                ("spec.kubernetes.pod.tolerations[0].operator", InvalidField, "\"Is\""),
            ],
        ),
        (
            function,
            |d| pod(d, &json!({"nodeSelector": {"a": 1}, "terminationGracePeriodSeconds": "x"})),
            &[
                ("spec.kubernetes.pod.nodeSelector.a", InvalidField, "1"),
                ("spec.kubernetes.pod.terminationGracePeriodSeconds", InvalidField, "\"x\""),
            ],
        ),
        (
            function,
            |d| {
                pod(
                    d,
                    &json!({"sidecars": [{"image": "i", "resources": {"limits": {"memory": "lots"}},
                        "ports": [{"containerPort": 0, "protocol": "ICMP"}], "volumeMounts": [{"name": "v"}]}]}),
                );
            },
            &[
                ("spec.kubernetes.pod.sidecars[0].name", MissingField, ""),
                ("spec.kubernetes.pod.sidecars[0].ports[0].containerPort", InvalidField, "0"),
                ("spec.kubernetes.pod.sidecars[0].ports[0].protocol", InvalidField, "\"ICMP\""),
                ("spec.kubernetes.pod.sidecars[0].resources.limits.memory", InvalidField, "\"lots\""),
                ("spec.kubernetes.pod.sidecars[0].volumeMounts[0].mountPath", MissingField, ""),
            ],
        ),
        (
            function,
            |d| {
                pod(
                    d,
                    &json!({"labels": {"a": "b c"}, "annotations": {"a b": ""}, "terminationGracePeriodSeconds": -1}),
                );
            },
            &[
                ("spec.kubernetes.pod.annotations[a b]", InvalidField, "\"a b\""),
                ("spec.kubernetes.pod.labels[a]", InvalidField, "\"b c\""),
                ("spec.kubernetes.pod.terminationGracePeriodSeconds", InvalidField, "-1"),
            ],
        ),
        (
            function,
            |d| pod(d, &json!({"volumes": [{"emptyDir": {}}], "env": [{"value": "x"}]})),
            &[
                ("spec.kubernetes.pod.env[0].name", MissingField, ""),
                ("spec.kubernetes.pod.volumes[0].name", MissingField, ""),
            ],
        ),
        (
            function,
            |d| {
                let rules = ["AverageUtilizationCPUPercent80", "AverageUtilizationCPUPercent20", "Magic"];
                pod(d, &json!({"builtinAutoscaler": rules}));
            },
            &[
                (
                    "spec.kubernetes.pod.builtinAutoscaler",
                    ConflictingFields,
                    "[\"AverageUtilizationCPUPercent80\",\"AverageUtilizationCPUPercent20\",\"Magic\"]",
                ),
                ("spec.kubernetes.pod.builtinAutoscaler[2]", InvalidField, "\"Magic\""),
            ],
        ),
        (
            function,
            |d| {
                d.spec.max_replicas = Some(2);
                pod(
                    d,
                    &json!({"vpa": {"updatePolicy": {"updateMode": "Now"},
                    "resourcePolicy": {"containerPolicies": [{"mode": "On", "minAllowed": {"cpu": "x"}}]}}}),
                );
            },
            &[
                (
                    "spec.kubernetes.pod.vpa",
                    ConflictingFields,
                    r#"{"updatePolicy":{"updateMode":"Now"},"resourcePolicy":{"containerPolicies":[{"mode":"On","minAllowed":{"cpu":"x"}}]}}"#,
                ),
                (
                    "spec.kubernetes.pod.vpa.resourcePolicy.containerPolicies[0].containerName",
                    MissingField,
                    "",
                ),
                (
                    "spec.kubernetes.pod.vpa.resourcePolicy.containerPolicies[0].minAllowed.cpu",
                    InvalidField,
                    "\"x\"",
                ),
                ("spec.kubernetes.pod.vpa.resourcePolicy.containerPolicies[0].mode", InvalidField, "\"On\""),
                ("spec.kubernetes.pod.vpa.updatePolicy.updateMode", InvalidField, "\"Now\""),
            ],
        ),
        (
            function,
            |d| {
                d.spec.kubernetes.volume_mounts = vec![json!({"name": "a", "mountPth": "/x"})];
                d.spec.kubernetes.volume_claim_retention_policy = Some(json!({"whenDeleted": "Burn"}));
                d.spec.kubernetes.volume_claim_templates = vec![
                    json!({"metadata": {"name": "c"}, "spec": {"accessModes": ["Any"], "resources": {"requests": {"storage": "-1"}}}}),
                    json!({}),
                ];
            },
            &[
                ("spec.kubernetes.volumeClaimRetentionPolicy.whenDeleted", InvalidField, "\"Burn\""),
                ("spec.kubernetes.volumeClaimTemplates[0].spec.accessModes[0]", InvalidField, "\"Any\""),
                (
                    "spec.kubernetes.volumeClaimTemplates[0].spec.resources.requests.storage",
                    InvalidField,
                    "\"-1\"",
                ),
                ("spec.kubernetes.volumeClaimTemplates[1].metadata.name", MissingField, ""),
                ("spec.kubernetes.volumeClaimTemplates[1].spec", MissingField, ""),
                ("spec.kubernetes.volumeMounts[0].mountPth", UnknownField, ""),
            ],
        ),
    ]);
}

#[test]
fn placements_have_rules() {
    check(&[
        (
            function,
            |d| d.placement.clusters.0.push(requirement("region", Operator::In, &[])),
            &[("placement.clusters[0].values", MissingField, "")],
        ),
        (
            function,
            |d| d.placement.clusters.0.push(requirement("region", Operator::Exists, &["eu"])),
            &[("placement.clusters[0].values", ConflictingFields, "[\"eu\"]")],
        ),
        (
            function,
            |d| {
                d.placement.clusters.0 = vec![
                    requirement("region", Operator::In, &["eu"]),
                    requirement("region", Operator::NotIn, &["eu", "us"]),
                ];
            },
            &[("placement.clusters[1]", ConflictingFields, "\"region notin (eu, us)\"")],
        ),
        (
            function,
            |d| {
                d.placement.clusters.0 = vec![
                    requirement("region", Operator::DoesNotExist, &[]),
                    requirement("region", Operator::In, &["eu"]),
                ];
            },
            &[("placement.clusters[1]", ConflictingFields, "\"region in (eu)\"")],
        ),
        (
            function,
            |d| {
                d.placement.clusters.0 =
                    vec![requirement("a", Operator::In, &["x"]), requirement("b", Operator::In, &["y"])];
            },
            &[],
        ),
        (
            function,
            |d| d.placement.tolerations.push(Toleration { value: Some("x".into()), ..Toleration::default() }),
            &[("placement.tolerations[0].value", ConflictingFields, "\"x\"")],
        ),
        (function, |d| d.placement.min_clusters = 2, &[("placement.minClusters", ConflictingFields, "2")]),
        (
            function,
            |d| {
                d.placement.mode = Mode::Replicated;
                d.placement.min_clusters = 3;
                d.placement.max_clusters = 2;
            },
            &[("placement.minClusters", ConflictingFields, "3")],
        ),
        (
            function,
            |d| {
                d.placement.mode = Mode::Divided;
                d.placement.min_clusters = 2;
            },
            &[("placement.minClusters", ConflictingFields, "2")],
        ),
        (
            function,
            |d| {
                d.placement.mode = Mode::Replicated;
                d.placement.spread = vec![spread(3, 2)];
            },
            &[("placement.spread[0].minGroups", ConflictingFields, "3")],
        ),
        (
            function,
            |d| d.placement.spread = vec![spread(2, 0)],
            &[("placement.spread[0].minGroups", ConflictingFields, "2")],
        ),
        (
            function,
            |d| d.placement.spread = vec![spread(0, 0), spread(0, 0)],
            &[("placement.spread[1].key", ConflictingFields, "\"region\"")],
        ),
    ]);
}

#[test]
fn all_problems_are_said_at_once_in_the_order_of_their_fields() {
    let mut draft = function();
    draft.tenant.clear();
    draft.spec.runtime = None;
    draft.spec.replicas = 0;
    draft.placement.min_clusters = 2;
    let rejection = admit(draft, &Offline).unwrap_err();
    let fields: Vec<_> = rejection.violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["metadata.tenant", "placement.minClusters", "spec.replicas", "spec.runtime"]);
    assert!(rejection.to_string().starts_with("metadata.tenant: it must be given; placement.minClusters: "));
}

#[test]
fn what_a_dialect_could_not_read_is_not_said_to_be_missing_as_well() {
    let text = "apiVersion: isthmus.io/v1\nkind: Function\nmetadata: {name: x, tenant: a b}\nspec: 5\n";
    let written = read(text.as_bytes(), &Options::default()).unwrap().drafts.remove(0);
    let violations = seen(admit_written(written, &Offline));
    let fields: Vec<_> = violations.iter().map(|(field, ..)| field.as_str()).collect();
    assert_eq!(fields, ["metadata.tenant", "spec"]);
}

fn texts(text: &str) -> Vec<Written> {
    read(text.as_bytes(), &Options::default()).unwrap().drafts
}

#[test]
fn a_text_is_admitted_as_a_whole_or_not_at_all() {
    let document = |name: &str, rest: &str| {
        let runtime = "runtime: {type: go, package: {file: greet}}, input: {topics: {in: {}}}";
        format!(
            "apiVersion: isthmus.io/v1\nkind: Function\nmetadata: {{name: {name}}}\nspec: {{{runtime}{rest}}}\n---\n"
        )
    };
    let good = document("one", "") + &document("two", "");
    let admitted = admit_all(texts(&good), &Offline).unwrap();
    let names: Vec<_> =
        admitted.iter().map(|(at, component)| (at.document, component.name.to_string())).collect();
    assert_eq!(names, [(1, "public/default/one".to_owned()), (2, "public/default/two".to_owned())]);

    let bad = document("one", "") + &document("two", ", replicas: 0") + &document("one", ", autoAck: false");
    let problems = admit_all(texts(&bad), &Offline).unwrap_err();
    let seen: Vec<_> = problems
        .iter()
        .map(|problem| (problem.position.document, &*problem.violation.field, problem.violation.reason))
        .collect();
    assert_eq!(seen, [(2, "spec.replicas", InvalidField), (3, "metadata.name", ConflictingFields)]);
}

#[test]
fn what_could_not_be_read_is_one_problem_and_not_also_what_stands_in_its_place() {
    let written = |spec: &str, kind: &str| {
        let text = format!(
            "apiVersion: {kind}\nkind: Function\nmetadata: {{name: greet, labels: {{tier: 1}}}}\nspec: {spec}"
        );
        let Err(problems) = admit_all(texts(&text), &Offline) else { panic!("{text} is admitted") };
        let seen = problems.into_iter().map(|problem| (problem.violation.field, problem.violation.value));
        seen.collect::<Vec<_>>()
    };
    let one = |field: &str, value: &str| (field.to_owned(), value.to_owned());
    let native = "{runtime: {type: go, package: {file: greet}}, input: {topics: {in: {}}}, replicas: 1.5}";
    assert_eq!(
        written(native, "isthmus.io/v1"),
        [one("metadata.labels[tier]", "1"), one("spec.replicas", "1.5")]
    );
    let ruby = "{runtime: {type: ruby, package: {file: greet}}, input: {topics: {in: {}}}}";
    assert_eq!(
        written(ruby, "isthmus.io/v1"),
        [one("metadata.labels[tier]", "1"), one("spec.runtime.type", "\"ruby\"")]
    );
    let mesh = "{className: {a: b}, java: {jar: greet}, input: {topics: [in]}, pulsar: {pulsarConfig: east}, \
                resources: {requests: {memory: 1Gi}, limits: {memory: 1Gi}}}";
    assert_eq!(
        written(mesh, "compute.functionmesh.io/v1alpha1"),
        [one("metadata.labels[tier]", "1"), one("spec.className", "{\"a\":\"b\"}")]
    );
}

#[test]
fn a_stored_package_without_a_file_has_the_name_that_it_was_uploaded_under() {
    let config =
        format!(r#"{{"name": "f", "className": "a.B", "inputs": ["in"], "jar": "sha256:{STORED}"}}"#);
    let read = |text: &str| read(text.as_bytes(), &Options::default()).unwrap().drafts.remove(0);
    let draft = read(&config).into_draft().unwrap();
    let admitted = admit(draft, &Stores(STORED)).unwrap();
    let package = admitted.spec.runtime.as_ref().unwrap().package();
    assert_eq!((&*package.file, package.digest), ("uploaded.jar", Some(STORED)));
    let named = admit(function(), &Stores(STORED)).unwrap();
    assert_eq!(named.spec.runtime.as_ref().unwrap().package().file, "greet.jar");
}
