//! A custom resource's spec to the model's, with Function Mesh's defaults.

use std::collections::BTreeMap;

use isthmus_model::component::{
    self as model, ComponentKind, Connector, Kubernetes, LogTopicAgent, ProcessingGuarantee, Runtime, Window,
};
use isthmus_model::package::PackageRef;
use isthmus_model::reason::Violation;
use isthmus_model::resources::Resources;
use serde::Serialize;
use serde_json::Value;

use super::resource::{
    BatchSourceConfig, Guarantee, Log, QuantityText, ResourceRequirements, Spec, WindowConfig,
};
use crate::amounts::amounts;
use crate::path;
use crate::written::Names;

mod input;
mod output;
mod access;

/// What the conversion needs beside the spec, and where it reports to.
pub(super) struct Context<'c> {
    pub(super) kind: ComponentKind,
    pub(super) base: &'c str,
    pub(super) names: &'c mut Names,
    pub(super) violations: &'c mut Vec<Violation>,
    pub(super) unknown: &'c mut Vec<String>,
}

impl Context<'_> {
    fn field(&self, name: &str) -> String {
        path::field(self.base, name)
    }
}

/// The type of a message when none is given.
const BYTES: &str = "[B";

/// `text`, or what stands for nothing.
pub(super) fn or(text: &str, default: &str) -> String {
    if text.is_empty() { default.to_owned() } else { text.to_owned() }
}

pub(super) fn spec(
    spec: Spec,
    (tenant, namespace, name): (&str, &str, &str),
    context: &mut Context<'_>,
) -> model::Spec {
    let kind = context.kind;
    let resources = resources(&spec.resources, context);
    let runtime = runtime(&spec);
    let kubernetes = kubernetes(&spec);
    let log_topic_agent = spec.log_topic_agent.or_else(|| {
        let usual =
            if kind == ComponentKind::Function { LogTopicAgent::Runtime } else { LogTopicAgent::Sidecar };
        (!spec.log_topic.is_empty()).then_some(usual)
    });
    let retry = input::retry(&spec, tenant, namespace, name);
    let input = (kind != ComponentKind::Source).then(|| input::input(&spec, context));
    let output = (kind != ComponentKind::Sink).then(|| output::output(kind, spec.output, context));
    let (source_connector, sink_connector) = match kind {
        ComponentKind::Function => (
            spec.source_config.map(|config| output::connector(config, "sourceConfig", context)),
            spec.sink_config.map(|config| output::connector(config, "sinkConfig", context)),
        ),
        ComponentKind::Source => {
            (Some(Connector { config: spec.source_config.unwrap_or_default(), ..Connector::default() }), None)
        }
        ComponentKind::Sink => {
            (None, Some(Connector { config: spec.sink_config.unwrap_or_default(), ..Connector::default() }))
        }
    };
    model::Spec {
        class_name: spec.class_name,
        runtime,
        replicas: spec.replicas.or(spec.min_replicas).unwrap_or(1),
        min_replicas: spec.min_replicas,
        max_replicas: spec.max_replicas,
        show_precise_parallelism: spec.show_precise_parallelism,
        processing_guarantee: match spec.processing_guarantee {
            None | Some(Guarantee::AtLeastOnce) => ProcessingGuarantee::AtLeastOnce,
            Some(Guarantee::AtMostOnce) => ProcessingGuarantee::AtMostOnce,
            Some(Guarantee::EffectivelyOnce) => ProcessingGuarantee::EffectivelyOnce,
            Some(Guarantee::Manual) => ProcessingGuarantee::Manual,
        },
        auto_ack: spec.auto_ack.unwrap_or(true),
        input,
        output,
        source_connector,
        sink_connector,
        user_config: spec.func_config,
        secrets: spec.secrets_map,
        retry,
        timeout_ms: spec.timeout.filter(|ms| *ms != 0),
        negative_ack_redelivery_delay_ms: spec.negative_ack_redelivery_delay_ms.filter(|ms| *ms != 0),
        forward_source_message_property: spec.forward_source_message_property.unwrap_or(true),
        max_pending_async_requests: spec
            .max_pending_async_requests
            .or_else(|| (kind == ComponentKind::Function).then_some(1_000)),
        window: spec.window_config.map(window),
        batch_source: spec.batch_source_config.map(batch_source),
        transform: None,
        log_topic: spec.log_topic,
        log_topic_agent,
        resources,
        runtime_flags: spec.runtime_flags,
        custom_runtime_options: String::new(),
        expose_pulsar_admin_client: false,
        state: spec.stateful_config.and_then(access::state),
        pulsar: spec.pulsar.map(access::pulsar).unwrap_or_default(),
        package_service: spec.pulsar_package_service.map(access::pulsar),
        kubernetes,
    }
}

/// The first of the runtimes, in Function Mesh's order; more than one has been refused by the rules.
fn runtime(spec: &Spec) -> Option<Runtime> {
    let package = |file: &str, location: &str| PackageRef {
        file: file.to_owned(),
        location: location.to_owned(),
        digest: None,
    };
    if let Some(java) = &spec.java {
        return Some(Runtime::Java {
            package: package(&java.jar, &java.jar_location),
            extra_dependencies_dir: java.extra_dependencies_dir.clone(),
            java_opts: java.java_opts.clone(),
            instance_path: java.instance_path.clone(),
            entry_class: java.entry_class.clone(),
            log: java.log.as_ref().map(log),
        });
    }
    if let Some(python) = &spec.python {
        let package = package(&python.py, &python.py_location);
        return Some(Runtime::Python { package, log: python.log.as_ref().map(log) });
    }
    if let Some(golang) = &spec.golang {
        let package = package(&golang.go, &golang.go_location);
        return Some(Runtime::Go { package, log: golang.log.as_ref().map(log) });
    }
    spec.generic_runtime.as_ref().map(|generic| Runtime::Generic {
        package: package(&generic.function_file, &generic.function_file_location),
        language: generic.language.clone(),
    })
}

fn log(log: &Log) -> model::LogConfig {
    model::LogConfig {
        level: log.level.clone(),
        rotate_policy: log.rotate_policy.clone(),
        format: log.format.clone(),
        config_map: log.log_config.clone(),
        java_config_file_type: log.java_log4j_config_file_type.clone(),
    }
}

fn window(window: WindowConfig) -> Window {
    let WindowConfig {
        actual_window_function_class_name: _,
        window_length_count,
        window_length_duration_ms,
        sliding_interval_count,
        sliding_interval_duration_ms,
        late_data_topic,
        max_lag_ms,
        watermark_emit_interval_ms,
        timestamp_extractor_class_name,
        processing_guarantees,
    } = window;
    Window {
        length_count: window_length_count,
        length_duration_ms: window_length_duration_ms,
        sliding_interval_count,
        sliding_interval_duration_ms: sliding_interval_duration_ms.or(window_length_duration_ms),
        late_data_topic,
        max_lag_ms,
        watermark_emit_interval_ms,
        timestamp_extractor_class_name,
        processing_guarantee: processing_guarantees,
    }
}

fn batch_source(batch: BatchSourceConfig) -> model::BatchSource {
    let BatchSourceConfig { discovery_triggerer_class_name, discovery_triggerer_config } = batch;
    model::BatchSource { discovery_triggerer_class_name, discovery_triggerer_config }
}

fn resources(resources: &ResourceRequirements, context: &mut Context<'_>) -> Resources {
    let at = context.field("resources");
    let mut read = |field: &str, of: &BTreeMap<String, QuantityText>| {
        let texts = of.iter().map(|(name, text)| (name.as_str(), text.0.as_str()));
        amounts(texts, &path::field(&at, field), context.violations)
    };
    Resources { requests: read("requests", &resources.requests), limits: read("limits", &resources.limits) }
}

fn kubernetes(spec: &Spec) -> Kubernetes {
    Kubernetes {
        cluster_name: or(&spec.cluster_name, "kubernetes"),
        image: spec.image.clone(),
        image_pull_policy: spec.image_pull_policy.clone(),
        image_has_pulsarctl: spec.image_has_pulsarctl,
        image_has_wget: spec.image_has_get,
        downloader_image: spec.downloader_image.clone(),
        cleanup_image: spec.cleanup_image.clone(),
        filebeat_image: spec.filebeat_image.clone(),
        // Through the types and back: what they do not know has been named as unknown and is not carried on.
        pod: json_of(&spec.pod).as_object().cloned().unwrap_or_default(),
        volume_mounts: spec.volume_mounts.iter().map(json_of).collect(),
        volume_claim_templates: spec.volume_claim_templates.iter().map(json_of).collect(),
        volume_claim_retention_policy: spec.persistent_volume_claim_retention_policy.as_ref().map(json_of),
    }
}

/// Kubernetes' types serialise without fail.
fn json_of<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
