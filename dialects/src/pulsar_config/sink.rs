//! SinkConfig.

use std::collections::BTreeMap;

use isthmus_model::component::{
    ComponentKind, Connector, Draft, Input, Object, Retry, Runtime, Spec, SubscriptionPosition, Transform,
};
use isthmus_model::reason::Violation;
use serde::{Deserialize, Serialize};

use super::inputs::Inputs;
use super::parts::{self, ConsumerConfig, Guarantee, Resources};
use super::{Config, loose};
use crate::written::Names;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SinkConfig {
    tenant: String,
    namespace: String,
    name: String,
    class_name: String,
    source_subscription_name: String,
    #[serde(deserialize_with = "loose::word")]
    source_subscription_position: Option<SubscriptionPosition>,
    inputs: Vec<String>,
    topics_pattern: String,
    topic_to_serde_class_name: BTreeMap<String, String>,
    topic_to_schema_type: BTreeMap<String, String>,
    topic_to_schema_properties: BTreeMap<String, String>,
    input_specs: BTreeMap<String, ConsumerConfig>,
    #[serde(deserialize_with = "loose::number")]
    max_message_retries: Option<u32>,
    dead_letter_topic: String,
    configs: Object,
    secrets: Object,
    #[serde(deserialize_with = "loose::number")]
    parallelism: Option<u32>,
    #[serde(deserialize_with = "loose::word")]
    processing_guarantees: Option<Guarantee>,
    retain_ordering: bool,
    retain_key_ordering: bool,
    resources: Option<Resources>,
    auto_ack: Option<bool>,
    #[serde(deserialize_with = "loose::number")]
    timeout_ms: Option<u64>,
    #[serde(deserialize_with = "loose::number")]
    negative_ack_redelivery_delay_ms: Option<u64>,
    archive: String,
    sink_type: String,
    cleanup_subscription: Option<bool>,
    runtime_flags: String,
    custom_runtime_options: String,
    transform_function: String,
    transform_function_class_name: String,
    transform_function_config: String,
    log_topic: String,
}

impl Config for SinkConfig {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("spec.input", "inputs"),
        ("spec.input.subscriptionName", "sourceSubscriptionName"),
        ("spec.input.subscriptionPosition", "sourceSubscriptionPosition"),
        ("spec.runtime", "archive"),
        ("spec.runtime.package", "archive"),
        ("spec.runtime.package.file", "archive"),
        ("spec.runtime.package.location", "archive"),
        ("spec.sinkConnector", "configs"),
        ("spec.sinkConnector.builtin", "sinkType"),
        ("spec.sinkConnector.config", "configs"),
        ("spec.transform", "transformFunction"),
        ("spec.transform.className", "transformFunctionClassName"),
        ("spec.transform.config", "transformFunctionConfig"),
        ("spec.transform.package.location", "transformFunction"),
    ];

    fn into_draft(self, names: &mut Names, violations: &mut Vec<Violation>) -> Draft {
        let topics = Inputs::new(names, violations)
            .plain(&self.inputs, &self.topics_pattern)
            .serde("topicToSerdeClassName", self.topic_to_serde_class_name)
            .schema("topicToSchemaType", self.topic_to_schema_type)
            .schema_properties("topicToSchemaProperties", &self.topic_to_schema_properties)
            .specs(self.input_specs);
        let input = Input {
            topics,
            type_class_name: String::new(),
            subscription_name: self.source_subscription_name,
            subscription_position: self.source_subscription_position.unwrap_or_default(),
            skip_to_latest: false,
            cleanup_subscription: self.cleanup_subscription.unwrap_or(true),
            retain_ordering: self.retain_ordering,
            retain_key_ordering: self.retain_key_ordering,
        };
        let spec = Spec {
            class_name: self.class_name,
            runtime: Some(Runtime::Java {
                package: parts::archive(&self.archive, &self.sink_type),
                extra_dependencies_dir: String::new(),
                java_opts: Vec::new(),
                instance_path: String::new(),
                entry_class: String::new(),
                log: None,
            }),
            replicas: self.parallelism.unwrap_or(1),
            show_precise_parallelism: true,
            processing_guarantee: parts::guarantee(self.processing_guarantees),
            auto_ack: self.auto_ack.unwrap_or(true),
            input: Some(input),
            sink_connector: Some(Connector {
                builtin: parts::builtin(&self.archive, &self.sink_type),
                config: self.configs,
                ..Connector::default()
            }),
            secrets: parts::secrets(self.secrets, violations),
            retry: Retry {
                max_message_retries: self.max_message_retries,
                dead_letter_topic: self.dead_letter_topic,
            },
            timeout_ms: self.timeout_ms,
            negative_ack_redelivery_delay_ms: self.negative_ack_redelivery_delay_ms,
            transform: (!self.transform_function.is_empty()).then(|| Transform {
                package: parts::package(&self.transform_function),
                class_name: self.transform_function_class_name,
                config: self.transform_function_config,
            }),
            log_topic: self.log_topic,
            resources: parts::resources(self.resources, violations),
            runtime_flags: self.runtime_flags,
            custom_runtime_options: self.custom_runtime_options,
            ..Spec::default()
        };
        let (tenant, namespace, name) = (self.tenant, self.namespace, self.name);
        Draft { kind: ComponentKind::Sink, tenant, namespace, name, spec: Box::new(spec), ..Draft::default() }
    }
}
