//! SourceConfig.

#![expect(clippy::struct_field_names, reason = "the fields are called as Pulsar calls them")]

use isthmus_model::component::{BatchSource, ComponentKind, Connector, Draft, Object, Output, Runtime, Spec};
use isthmus_model::reason::Violation;
use serde::{Deserialize, Serialize};

use super::parts::{self, Guarantee, ProducerConfig, Resources};
use super::{Config, loose};
use crate::written::Names;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SourceConfig {
    tenant: String,
    namespace: String,
    name: String,
    class_name: String,
    topic_name: String,
    producer_config: Option<ProducerConfig>,
    serde_class_name: String,
    schema_type: String,
    configs: Object,
    secrets: Object,
    #[serde(deserialize_with = "loose::number")]
    parallelism: Option<u32>,
    #[serde(deserialize_with = "loose::word")]
    processing_guarantees: Option<Guarantee>,
    resources: Option<Resources>,
    archive: String,
    source_type: String,
    runtime_flags: String,
    custom_runtime_options: String,
    batch_source_config: Option<BatchSourceConfig>,
    batch_builder: String,
    log_topic: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BatchSourceConfig {
    discovery_triggerer_class_name: String,
    discovery_triggerer_config: Object,
}

impl Config for SourceConfig {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("spec.output", "topicName"),
        ("spec.output.schemaType", "schemaType"),
        ("spec.output.serdeClassName", "serdeClassName"),
        ("spec.output.topic", "topicName"),
        ("spec.runtime", "archive"),
        ("spec.runtime.package", "archive"),
        ("spec.runtime.package.file", "archive"),
        ("spec.runtime.package.location", "archive"),
        ("spec.sourceConnector", "configs"),
        ("spec.sourceConnector.builtin", "sourceType"),
        ("spec.sourceConnector.config", "configs"),
    ];

    fn into_draft(self, _: &mut Names, violations: &mut Vec<Violation>) -> Draft {
        parts::one_of_schema_and_serde(
            ("schemaType", &self.schema_type),
            ("serdeClassName".to_owned(), &self.serde_class_name),
            violations,
        );
        let spec = Spec {
            class_name: self.class_name,
            runtime: Some(Runtime::Java {
                package: parts::archive(&self.archive, &self.source_type),
                extra_dependencies_dir: String::new(),
                java_opts: Vec::new(),
                instance_path: String::new(),
                entry_class: String::new(),
                log: None,
            }),
            replicas: self.parallelism.unwrap_or(1),
            show_precise_parallelism: true,
            processing_guarantee: parts::guarantee(self.processing_guarantees),
            auto_ack: true,
            source_connector: Some(Connector {
                builtin: parts::builtin(&self.archive, &self.source_type),
                config: self.configs,
                ..Connector::default()
            }),
            output: Some(Output {
                topic: self.topic_name,
                schema_type: self.schema_type,
                serde_class_name: self.serde_class_name,
                producer: parts::producer(self.producer_config, self.batch_builder),
                ..Output::default()
            }),
            batch_source: self.batch_source_config.map(|batch| BatchSource {
                discovery_triggerer_class_name: batch.discovery_triggerer_class_name,
                discovery_triggerer_config: batch.discovery_triggerer_config,
            }),
            secrets: parts::secrets(self.secrets, violations),
            forward_source_message_property: true,
            log_topic: self.log_topic,
            resources: parts::resources(self.resources, violations),
            runtime_flags: self.runtime_flags,
            custom_runtime_options: self.custom_runtime_options,
            ..Spec::default()
        };
        let (tenant, namespace, name) = (self.tenant, self.namespace, self.name);
        Draft {
            kind: ComponentKind::Source,
            tenant,
            namespace,
            name,
            spec: Box::new(spec),
            ..Draft::default()
        }
    }
}
