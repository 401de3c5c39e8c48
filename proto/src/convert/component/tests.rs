use std::collections::BTreeMap;

use isthmus_model::component::{
    BatchSource, Compression, Connector, ConsumerConfig, Crypto, CryptoSecret, Input, KeyRef, Kubernetes,
    LogConfig, LogTopicAgent, Object, Output, ProcessingGuarantee, ProducerConfig, PulsarAccess, PulsarAuth,
    PulsarTls, Redacted, Retry, Runtime, SecretRef, Spec, State, SubscriptionPosition, Transform, Window,
};
use isthmus_model::name::Digest;
use isthmus_model::package::PackageRef;
use isthmus_model::policy::{
    Mode, Operator, Placement, Requirement, Selector, Spread, TaintEffect, Toleration,
};
use isthmus_model::reason::Violation;
use isthmus_model::resources::{Amounts, Resources};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Draws a component from bytes: what has no byte left is as if not given, so that a failing case shrinks to little.
struct Draw(std::vec::IntoIter<u8>);

impl Draw {
    fn byte(&mut self) -> u8 {
        self.0.next().unwrap_or(0)
    }
    fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }
    fn number(&mut self) -> u32 {
        [0, 1, 7, u32::MAX][usize::from(self.byte() % 4)]
    }
    fn long(&mut self) -> u64 {
        [0, 1, 1 << 40, u64::MAX][usize::from(self.byte() % 4)]
    }
    fn text(&mut self) -> String {
        ["", "a", "persistent://public/default/in", "größer", "{}"][usize::from(self.byte() % 5)].to_owned()
    }
    fn maybe<T>(&mut self, draw: impl Fn(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| draw(self))
    }
    fn list<T>(&mut self, draw: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.byte() % 3).map(|_| draw(self)).collect()
    }
    fn map<T>(&mut self, draw: impl Fn(&mut Self) -> T) -> BTreeMap<String, T> {
        (0..self.byte() % 3).map(|_| (self.text(), draw(self))).collect()
    }
    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::from(self.byte()) % of.len()].clone()
    }
    fn object(&mut self) -> Object {
        let values = [
            json!({}),
            json!({"z": 1, "a": [true, null, {"y": 2, "b": 3}]}),
            json!({"exact": i64::MAX, "more": u64::MAX, "half": 0.5}),
        ];
        self.one(&values).as_object().unwrap().clone()
    }
    fn value(&mut self) -> Value {
        Value::Object(self.object())
    }

    fn component(&mut self) -> Component {
        let label = |draw: &mut Self| (draw.one(&["a", "x.example/b"]), draw.one(&["", "v", "w"]));
        let labels = self.list(label);
        Component {
            kind: self.one(&ComponentKind::ALL),
            name: self.one(&["public/default/greet", "a=b/c:d/E.f"]).parse().unwrap(),
            labels: labels.into_iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect(),
            annotations: self.map(Self::text),
            placement: self.placement(),
            spec: Box::new(self.spec()),
        }
    }

    fn placement(&mut self) -> Placement {
        let operators = [Operator::In, Operator::NotIn, Operator::Exists, Operator::DoesNotExist];
        let effects = [TaintEffect::NoPlace, TaintEffect::PreferNoPlace, TaintEffect::Evict];
        Placement {
            clusters: Selector(self.list(|draw| Requirement {
                key: "metadata.name".parse().unwrap(),
                operator: draw.one(&operators),
                values: draw.list(Self::text),
            })),
            mode: self.one(&[Mode::Singleton, Mode::Divided, Mode::Replicated]),
            tolerations: self.list(|draw| Toleration {
                key: draw.maybe(|_| "k".parse().unwrap()),
                value: draw.maybe(Self::text),
                effect: draw.maybe(|draw| draw.one(&effects)),
            }),
            spread: self.list(|draw| Spread {
                key: "zone".parse().unwrap(),
                min_groups: draw.number(),
                max_groups: draw.number(),
                max_skew: draw.number(),
                soft: draw.flag(),
            }),
            min_clusters: self.number(),
            max_clusters: self.number(),
        }
    }

    fn spec(&mut self) -> Spec {
        Spec {
            class_name: self.text(),
            runtime: self.maybe(Self::runtime),
            replicas: self.number(),
            min_replicas: self.maybe(Self::number),
            max_replicas: self.maybe(Self::number),
            show_precise_parallelism: self.flag(),
            processing_guarantee: self.one(&[
                ProcessingGuarantee::AtLeastOnce,
                ProcessingGuarantee::AtMostOnce,
                ProcessingGuarantee::EffectivelyOnce,
                ProcessingGuarantee::Manual,
            ]),
            auto_ack: self.flag(),
            input: self.maybe(Self::input),
            output: self.maybe(Self::output),
            source_connector: self.maybe(Self::connector),
            sink_connector: self.maybe(Self::connector),
            user_config: self.object(),
            secrets: self.map(|draw| SecretRef { path: draw.text(), key: draw.text() }),
            retry: Retry { max_message_retries: self.maybe(Self::number), dead_letter_topic: self.text() },
            timeout_ms: self.maybe(Self::long),
            negative_ack_redelivery_delay_ms: self.maybe(Self::long),
            forward_source_message_property: self.flag(),
            max_pending_async_requests: self.maybe(Self::number),
            window: self.maybe(Self::window),
            batch_source: self.maybe(|draw| BatchSource {
                discovery_triggerer_class_name: draw.text(),
                discovery_triggerer_config: draw.object(),
            }),
            transform: self.maybe(|draw| Transform {
                package: draw.package(),
                class_name: draw.text(),
                config: draw.text(),
            }),
            log_topic: self.text(),
            log_topic_agent: self.maybe(|draw| draw.one(&[LogTopicAgent::Runtime, LogTopicAgent::Sidecar])),
            resources: Resources { requests: self.amounts(), limits: self.amounts() },
            runtime_flags: self.text(),
            custom_runtime_options: self.text(),
            expose_pulsar_admin_client: self.flag(),
            state: self.maybe(|draw| State {
                service_url: draw.text(),
                java_provider_class_name: draw.text(),
                java_provider_config: draw.object(),
            }),
            pulsar: self.access(),
            package_service: self.maybe(Self::access),
            kubernetes: self.kubernetes(),
        }
    }

    fn package(&mut self) -> PackageRef {
        let digest = self.maybe(|draw| Digest([draw.byte(); 32]));
        PackageRef { file: self.text(), location: self.text(), digest }
    }

    fn runtime(&mut self) -> Runtime {
        match self.byte() % 4 {
            0 => Runtime::Java {
                package: self.package(),
                extra_dependencies_dir: self.text(),
                java_opts: self.list(Self::text),
                instance_path: self.text(),
                entry_class: self.text(),
                log: self.maybe(Self::log),
            },
            1 => Runtime::Python { package: self.package(), log: self.maybe(Self::log) },
            2 => Runtime::Go { package: self.package(), log: self.maybe(Self::log) },
            _ => Runtime::Generic { package: self.package(), language: self.text() },
        }
    }

    fn log(&mut self) -> LogConfig {
        LogConfig {
            level: self.text(),
            rotate_policy: self.text(),
            format: self.text(),
            config_map: self.maybe(Self::key),
            java_config_file_type: self.text(),
        }
    }

    fn key(&mut self) -> KeyRef {
        KeyRef { name: self.text(), key: self.text() }
    }

    fn input(&mut self) -> Input {
        Input {
            topics: self.map(|draw| ConsumerConfig {
                schema_type: draw.text(),
                serde_class_name: draw.text(),
                is_regex_pattern: draw.flag(),
                schema_properties: draw.map(Self::text),
                consumer_properties: draw.map(Self::text),
                receiver_queue_size: draw.maybe(Self::number),
                crypto: draw.maybe(Self::crypto),
                pool_messages: draw.flag(),
            }),
            type_class_name: self.text(),
            subscription_name: self.text(),
            subscription_position: self.one(&[SubscriptionPosition::Latest, SubscriptionPosition::Earliest]),
            skip_to_latest: self.flag(),
            cleanup_subscription: self.flag(),
            retain_ordering: self.flag(),
            retain_key_ordering: self.flag(),
        }
    }

    fn output(&mut self) -> Output {
        let compressions =
            [Compression::Lz4, Compression::None, Compression::Zlib, Compression::Zstd, Compression::Snappy];
        Output {
            topic: self.text(),
            type_class_name: self.text(),
            schema_type: self.text(),
            serde_class_name: self.text(),
            schema_properties: self.map(Self::text),
            consumer_properties: self.map(Self::text),
            producer: self.maybe(|draw| ProducerConfig {
                max_pending_messages: draw.maybe(Self::number),
                max_pending_messages_across_partitions: draw.maybe(Self::number),
                use_thread_local_producers: draw.flag(),
                crypto: draw.maybe(Self::crypto),
                batch_builder: draw.text(),
                compression: draw.one(&compressions),
            }),
        }
    }

    fn crypto(&mut self) -> Crypto {
        Crypto {
            key_reader_class_name: self.text(),
            key_reader_config: self.object(),
            encryption_keys: self.list(Self::text),
            producer_failure_action: self.text(),
            consumer_failure_action: self.text(),
            secrets: self.list(|draw| CryptoSecret {
                secret_name: draw.text(),
                secret_key: draw.text(),
                as_volume: draw.text(),
            }),
        }
    }

    fn connector(&mut self) -> Connector {
        Connector {
            builtin: self.text(),
            class_name: self.text(),
            type_class_name: self.text(),
            config: self.object(),
        }
    }

    fn window(&mut self) -> Window {
        Window {
            length_count: self.maybe(Self::number),
            length_duration_ms: self.maybe(Self::long),
            sliding_interval_count: self.maybe(Self::number),
            sliding_interval_duration_ms: self.maybe(Self::long),
            late_data_topic: self.text(),
            max_lag_ms: self.maybe(Self::long),
            watermark_emit_interval_ms: self.maybe(Self::long),
            timestamp_extractor_class_name: self.text(),
            processing_guarantee: self.text(),
        }
    }

    fn amounts(&mut self) -> Amounts {
        Amounts {
            cpu_millis: self.maybe(Self::long),
            memory_bytes: self.maybe(Self::long),
            storage_bytes: self.maybe(Self::long),
            other: self.map(Self::text),
        }
    }

    fn access(&mut self) -> PulsarAccess {
        PulsarAccess {
            config: self.text(),
            auth_secret: self.text(),
            tls_secret: self.text(),
            tls: self.maybe(|draw| PulsarTls {
                enabled: draw.flag(),
                allow_insecure: draw.flag(),
                hostname_verification: draw.flag(),
                cert_secret: draw.maybe(Self::key),
            }),
            auth: self.maybe(Self::auth),
            cleanup_auth: self.maybe(Self::auth),
        }
    }

    fn auth(&mut self) -> PulsarAuth {
        if self.flag() {
            PulsarAuth::Generic { plugin: self.text(), parameters: Redacted(self.text()) }
        } else {
            PulsarAuth::OAuth2 {
                audience: self.text(),
                issuer_url: self.text(),
                scope: self.text(),
                key_secret: self.key(),
            }
        }
    }

    fn kubernetes(&mut self) -> Kubernetes {
        Kubernetes {
            cluster_name: self.text(),
            image: self.text(),
            image_pull_policy: self.text(),
            image_has_pulsarctl: self.flag(),
            image_has_wget: self.flag(),
            downloader_image: self.text(),
            cleanup_image: self.text(),
            filebeat_image: self.text(),
            pod: self.object(),
            volume_mounts: self.list(Self::value),
            volume_claim_templates: self.list(Self::value),
            volume_claim_retention_policy: self.maybe(Self::value),
        }
    }
}

fn component() -> impl Strategy<Value = Component> {
    prop::collection::vec(any::<u8>(), 0..600).prop_map(|bytes| Draw(bytes.into_iter()).component())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_component_comes_back_from_its_bytes_unchanged(component in component()) {
        prop_assert_eq!(decode(&encode(&component)).unwrap(), component);
    }

    #[test]
    fn equal_components_have_equal_bytes(component in component()) {
        let mut reordered = component.clone();
        reordered.spec.user_config = component.spec.user_config.clone().into_iter().rev().collect();
        prop_assert_eq!(&reordered, &component);
        prop_assert_eq!(encode(&reordered), encode(&component));
    }

    #[test]
    fn no_parameters_of_a_plugin_are_shown(component in component()) {
        let accesses = |component: &wire::Component| {
            let spec = component.spec.clone().unwrap();
            [spec.pulsar, spec.package_service].into_iter().flatten().flat_map(|a| [a.auth, a.cleanup_auth]).flatten()
                .filter_map(|auth| match auth.auth {
                    Some(wire::pulsar_auth::Auth::Generic(generic)) => Some(generic.parameters),
                    _ => None,
                }).collect::<Vec<_>>()
        };
        let kept = accesses(&wire::Component::from(&component));
        let seen = accesses(&shown(component));
        prop_assert_eq!(kept.len(), seen.len());
        for (kept, seen) in kept.iter().zip(&seen) {
            prop_assert_eq!(seen.as_str(), if kept.is_empty() { "" } else { "(redacted)" });
        }
    }

    #[test]
    fn bytes_of_anything_are_refused_or_read_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
        if let Ok(component) = wire::Component::decode(bytes.as_slice()) {
            let _ = draft(component, Some(ComponentKind::Function));
        }
    }
}

fn named(name: &str) -> wire::Component {
    let metadata = Metadata { name: name.into(), ..Metadata::default() };
    wire::Component { metadata: Some(metadata), ..wire::Component::default() }
}

#[test]
fn what_a_caller_leaves_out_has_this_dialects_defaults() {
    let draft = draft(named("greet"), Some(ComponentKind::Sink)).unwrap();
    assert_eq!((draft.tenant.as_str(), draft.namespace.as_str()), ("public", "default"));
    assert_eq!(draft.kind, ComponentKind::Sink);
    assert_eq!(draft.spec.replicas, 1);
    assert!(draft.spec.auto_ack && draft.spec.forward_source_message_property);
    assert_eq!(draft.spec.runtime, None);
}

#[test]
fn everything_that_is_wrong_is_named_at_once_with_its_path() {
    let topics = [(
        "in".to_owned(),
        wire::ConsumerConfig {
            crypto: Some(wire::Crypto { key_reader_config_json: "[]".into(), ..Default::default() }),
            ..Default::default()
        },
    )];
    let runtime = wire::JavaRuntime {
        package: Some(wire::Package { digest: vec![1, 2], ..Default::default() }),
        ..Default::default()
    };
    let access = wire::PulsarAccess {
        auth: Some(wire::PulsarAuth::default()),
        cleanup_auth: Some(wire::PulsarAuth {
            auth: Some(wire::pulsar_auth::Auth::Generic(wire::GenericAuth {
                plugin: "p".into(),
                parameters: "(redacted)".into(),
            })),
        }),
        ..Default::default()
    };
    let component = wire::Component {
        kind: wire::Kind::Source.into(),
        placement: Some(wire::Placement {
            clusters: vec![wire::Requirement { key: "-".into(), ..Default::default() }],
            mode: 77,
            ..Default::default()
        }),
        spec: Some(Box::new(wire::Spec {
            user_config_json: "{\"password\": \"hunter2\"".into(),
            input: Some(wire::Input { topics: topics.into(), ..Default::default() }),
            runtime: Some(wire::spec::Runtime::Java(runtime)),
            pulsar: Some(access),
            kubernetes: Some(wire::Kubernetes {
                volume_mounts_json: vec![String::new()],
                ..Default::default()
            }),
            ..Default::default()
        })),
        ..named("greet")
    };
    let Invalid(violations) = draft(component, Some(ComponentKind::Function)).unwrap_err();
    let told = |v: &Violation| format!("{} {} {}", v.field, v.reason, v.value).trim().to_owned();
    assert_eq!(
        violations.iter().map(told).collect::<Vec<_>>(),
        [
            "kind ConflictingFields \"Source\"",
            "placement.mode InvalidField 77",
            "placement.clusters[0].key InvalidField \"-\"",
            "placement.clusters[0].operator MissingField",
            "spec.java.package.digest InvalidField 2",
            "spec.input.topics[in].crypto.keyReaderConfigJson InvalidField",
            "spec.userConfigJson MalformedDocument",
            "spec.pulsar.auth MissingField",
            "spec.kubernetes.volumeMountsJson[0] MissingField",
            "spec.pulsar.cleanupAuth.generic.parameters InvalidField",
        ]
    );
    assert!(!format!("{violations:?}").contains("hunter2"));
}

#[test]
fn fields_of_a_newer_version_are_passed_over() {
    let mut bytes = encode(&Draw(Vec::new().into_iter()).component()).to_vec();
    bytes.extend([0xfa, 0x7f, 1, 9]); // field 2047, one byte
    assert!(decode(&bytes).is_ok());
}
