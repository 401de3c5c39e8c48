//! The specs of Function, Source and Sink, field by field as they are written.

#![expect(clippy::struct_field_names, reason = "the fields are called as Function Mesh calls them")]

use std::collections::BTreeMap;
use std::fmt;

use isthmus_model::component::{ComponentKind, LogTopicAgent, Object, SecretRef};
use k8s_openapi::api::apps::v1::StatefulSetPersistentVolumeClaimRetentionPolicy;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, ResourceClaim, VolumeMount};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::definition::schema;
use super::pod::PodPolicy;
use crate::path;

macro_rules! written {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
            #[serde(rename_all = "camelCase", default)]
            pub(super) struct $name { $($(#[$attribute])* pub(super) $field: $type,)* }
        )*
    };
}

written! {
    /// All fields that any of the three kinds has.
    Spec {
        name: String,
        class_name: String,
        tenant: String,
        namespace: String,
        cluster_name: String,
        replicas: Option<u32>,
        min_replicas: Option<u32>,
        max_replicas: Option<u32>,
        show_precise_parallelism: bool,
        downloader_image: String,
        cleanup_image: String,
        log_topic: String,
        #[schemars(schema_with = "schema::log_topic_agent")]
        log_topic_agent: Option<LogTopicAgent>,
        filebeat_image: String,
        resources: ResourceRequirements,
        #[schemars(schema_with = "schema::secrets")]
        secrets_map: BTreeMap<String, SecretRef>,
        volume_mounts: Vec<VolumeMount>,
        processing_guarantee: Option<Guarantee>,
        runtime_flags: String,
        pod: PodPolicy,
        pulsar: Option<PulsarMessaging>,
        pulsar_package_service: Option<PulsarMessaging>,
        java: Option<Java>,
        python: Option<Python>,
        golang: Option<Golang>,
        generic_runtime: Option<GenericRuntime>,
        image: String,
        image_pull_policy: String,
        image_has_pulsarctl: bool,
        image_has_get: bool,
        stateful_config: Option<StatefulConfig>,
        input: InputConf,
        output: OutputConf,
        func_config: Object,
        // Of a source or sink the connector's own configuration, of a function a connector in place of topics.
        source_config: Option<Object>,
        sink_config: Option<Object>,
        source_type: String,
        sink_type: String,
        batch_source_config: Option<BatchSourceConfig>,
        timeout: Option<u64>,
        negative_ack_redelivery_delay_ms: Option<u64>,
        auto_ack: Option<bool>,
        max_message_retry: Option<u32>,
        dead_letter_topic: String,
        retain_ordering: bool,
        retain_key_ordering: bool,
        forward_source_message_property: Option<bool>,
        max_pending_async_requests: Option<u32>,
        subscription_name: String,
        subscription_position: Option<Position>,
        cleanup_subscription: bool,
        skip_to_latest: bool,
        window_config: Option<WindowConfig>,
        volume_claim_templates: Vec<PersistentVolumeClaim>,
        persistent_volume_claim_retention_policy: Option<StatefulSetPersistentVolumeClaimRetentionPolicy>,
    }

    /// Kubernetes' requirements, with quantities as text.
    ResourceRequirements {
        requests: BTreeMap<String, QuantityText>,
        limits: BTreeMap<String, QuantityText>,
        claims: Vec<ResourceClaim>,
    }

    PulsarMessaging {
        pulsar_config: String,
        auth_secret: String,
        tls_secret: String,
        tls_config: Option<TlsConfig>,
        auth_config: Option<AuthConfig>,
        cleanup_auth_config: Option<AuthConfig>,
    }

    TlsConfig {
        enabled: bool,
        allow_insecure: bool,
        hostname_verification: bool,
        cert_secret_name: String,
        cert_secret_key: String,
    }

    AuthConfig {
        #[serde(rename = "oauth2Config")]
        oauth2_config: Option<OAuth2Config>,
        generic_auth: Option<GenericAuth>,
    }

    OAuth2Config {
        audience: String,
        issuer_url: String,
        scope: String,
        key_secret_name: String,
        key_secret_key: String,
    }

    GenericAuth {
        client_authentication_plugin: String,
        #[schemars(with = "String")]
        client_authentication_parameters: isthmus_model::component::Redacted,
    }

    Java {
        jar: String,
        jar_location: String,
        extra_dependencies_dir: String,
        log: Option<Log>,
        java_opts: Vec<String>,
        instance_path: String,
        entry_class: String,
    }

    Python {
        py: String,
        py_location: String,
        log: Option<Log>,
    }

    Golang {
        go: String,
        go_location: String,
        log: Option<Log>,
    }

    GenericRuntime {
        function_file: String,
        function_file_location: String,
        language: String,
    }

    Log {
        level: String,
        rotate_policy: String,
        format: String,
        #[schemars(schema_with = "schema::key_ref")]
        log_config: Option<isthmus_model::component::KeyRef>,
        #[serde(rename = "javaLog4JConfigFileType")]
        java_log4j_config_file_type: String,
    }

    StatefulConfig {
        pulsar: Option<PulsarStateStore>,
    }

    PulsarStateStore {
        service_url: String,
        java_provider: Option<JavaProvider>,
    }

    JavaProvider {
        class_name: String,
        config: Object,
    }

    InputConf {
        type_class_name: String,
        topics: Vec<String>,
        topic_pattern: String,
        custom_serde_sources: BTreeMap<String, String>,
        custom_schema_sources: BTreeMap<String, String>,
        source_specs: BTreeMap<String, ConsumerConfig>,
    }

    ConsumerConfig {
        schema_type: String,
        #[serde(rename = "serdeClassname")]
        serde_class_name: String,
        is_regex_pattern: bool,
        schema_properties: BTreeMap<String, String>,
        consumer_properties: BTreeMap<String, String>,
        receiver_queue_size: Option<u32>,
        crypto_config: Option<CryptoConfig>,
    }

    OutputConf {
        type_class_name: String,
        topic: String,
        sink_serde_class_name: String,
        sink_schema_type: String,
        custom_schema_sinks: BTreeMap<String, String>,
        producer_conf: Option<ProducerConf>,
    }

    ProducerConf {
        max_pending_messages: Option<u32>,
        max_pending_messages_across_partitions: Option<u32>,
        use_thread_local_producers: bool,
        crypto_config: Option<CryptoConfig>,
        batch_builder: String,
        #[schemars(schema_with = "schema::compression")]
        compression_type: Option<isthmus_model::component::Compression>,
    }

    CryptoConfig {
        crypto_key_reader_class_name: String,
        crypto_key_reader_config: Object,
        encryption_keys: Vec<String>,
        producer_crypto_failure_action: String,
        consumer_crypto_failure_action: String,
        #[schemars(schema_with = "schema::crypto_secrets")]
        crypto_secrets: Vec<isthmus_model::component::CryptoSecret>,
    }

    WindowConfig {
        // Always overwritten by `className`.
        actual_window_function_class_name: String,
        window_length_count: Option<u32>,
        window_length_duration_ms: Option<u64>,
        sliding_interval_count: Option<u32>,
        sliding_interval_duration_ms: Option<u64>,
        late_data_topic: String,
        max_lag_ms: Option<u64>,
        watermark_emit_interval_ms: Option<u64>,
        timestamp_extractor_class_name: String,
        processing_guarantees: String,
    }

    BatchSourceConfig {
        discovery_triggerer_class_name: String,
        discovery_triggerer_config: Object,
    }

    /// A function's `sourceConfig` or `sinkConfig`.
    ConnectorSpec {
        source_type: String,
        sink_type: String,
        // Accepted and without effect, as in Function Mesh.
        batch_source_config: Option<BatchSourceConfig>,
        class_name: String,
        type_class_name: String,
        configs: Object,
    }
}

/// Function Mesh's spelling of the guarantees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum Guarantee {
    #[serde(rename = "atleast_once")]
    AtLeastOnce,
    #[serde(rename = "atmost_once")]
    AtMostOnce,
    #[serde(rename = "effectively_once")]
    EffectivelyOnce,
    #[serde(rename = "manual")]
    Manual,
}

/// Function Mesh's spelling of the positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Position {
    Latest,
    Earliest,
}

/// A quantity as it is written: text or a number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct QuantityText(pub(super) String);

impl JsonSchema for QuantityText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "x-kubernetes-int-or-string": true })
    }
}

impl<'de> Deserialize<'de> for QuantityText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = QuantityText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantity such as 100m or 1Gi")
            }

            fn visit_str<E>(self, text: &str) -> Result<QuantityText, E> {
                Ok(QuantityText(text.to_owned()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<QuantityText, E> {
                Ok(QuantityText(number.to_string()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<QuantityText, E> {
                Ok(QuantityText(number.to_string()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<QuantityText, E> {
                Ok(QuantityText(number.to_string()))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// The paths of the fields in `spec` that other kinds have and `kind` has not.
pub(super) fn not_for(kind: ComponentKind, spec: &Value, base: &str) -> Vec<String> {
    let given = |field: &&&str| spec.get(**field).is_some_and(|value| !value.is_null());
    fields_of_others(kind).iter().filter(given).map(|field| path::field(base, field)).collect()
}

/// The fields that other kinds have and `kind` has not.
pub(super) fn fields_of_others(kind: ComponentKind) -> &'static [&'static str] {
    match kind {
        ComponentKind::Function => {
            &["sourceType", "sinkType", "batchSourceConfig", "negativeAckRedeliveryDelayMs"]
        }
        ComponentKind::Source => &[
            "input",
            "funcConfig",
            "sinkConfig",
            "sinkType",
            "timeout",
            "negativeAckRedeliveryDelayMs",
            "autoAck",
            "maxMessageRetry",
            "deadLetterTopic",
            "retainOrdering",
            "retainKeyOrdering",
            "maxPendingAsyncRequests",
            "subscriptionName",
            "subscriptionPosition",
            "cleanupSubscription",
            "skipToLatest",
            "windowConfig",
            "volumeClaimTemplates",
            "persistentVolumeClaimRetentionPolicy",
        ],
        ComponentKind::Sink => &[
            "output",
            "funcConfig",
            "sourceConfig",
            "sourceType",
            "batchSourceConfig",
            "forwardSourceMessageProperty",
            "maxPendingAsyncRequests",
            "skipToLatest",
            "windowConfig",
            "volumeClaimTemplates",
            "persistentVolumeClaimRetentionPolicy",
        ],
    }
}
