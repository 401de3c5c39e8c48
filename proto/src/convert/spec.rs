//! What runs, field by field in both directions.

mod code;
mod topics;
mod kubernetes;

use isthmus_model::component::{LogTopicAgent, ProcessingGuarantee, Retry, SecretRef, Spec, State, Window};
use isthmus_model::resources::{Amounts, Resources};

use super::problems::{Path, Problems, text_of_object};
use crate::component::v1 as wire;
use code::{batch_source, connector, runtime, transform};
use topics::{input, output};

/// The message, or none where it would say nothing.
pub(super) fn unless_default<M: Default + PartialEq, W: From<M>>(value: M) -> Option<W> {
    (value != M::default()).then(|| value.into())
}

impl From<Spec> for wire::Spec {
    fn from(spec: Spec) -> Self {
        let Spec {
            class_name,
            runtime,
            replicas,
            min_replicas,
            max_replicas,
            show_precise_parallelism,
            processing_guarantee,
            auto_ack,
            input,
            output,
            source_connector,
            sink_connector,
            user_config,
            secrets,
            retry,
            timeout_ms,
            negative_ack_redelivery_delay_ms,
            forward_source_message_property,
            max_pending_async_requests,
            window,
            batch_source,
            transform,
            log_topic,
            log_topic_agent,
            resources,
            runtime_flags,
            custom_runtime_options,
            expose_pulsar_admin_client,
            state,
            pulsar,
            package_service,
            kubernetes,
        } = spec;
        Self {
            class_name,
            runtime: runtime.map(Into::into),
            replicas: Some(replicas),
            min_replicas,
            max_replicas,
            show_precise_parallelism,
            processing_guarantee: wire::ProcessingGuarantee::from(processing_guarantee).into(),
            auto_ack: Some(auto_ack),
            input: input.map(Into::into),
            output: output.map(Into::into),
            source_connector: source_connector.map(Into::into),
            sink_connector: sink_connector.map(Into::into),
            user_config_json: text_of_object(user_config),
            secrets: secrets.into_iter().map(|(name, secret)| (name, secret.into())).collect(),
            retry: unless_default(retry),
            timeout_ms,
            negative_ack_redelivery_delay_ms,
            forward_source_message_property: Some(forward_source_message_property),
            max_pending_async_requests,
            window: window.map(Into::into),
            batch_source: batch_source.map(Into::into),
            transform: transform.map(Into::into),
            log_topic,
            log_topic_agent: log_topic_agent.map_or(wire::LogTopicAgent::Unspecified, Into::into).into(),
            resources: unless_default(resources),
            runtime_flags,
            custom_runtime_options,
            expose_pulsar_admin_client,
            state: state.map(Into::into),
            pulsar: unless_default(pulsar),
            package_service: package_service.map(Into::into),
            kubernetes: unless_default(kubernetes),
        }
    }
}

pub(super) fn read(spec: wire::Spec, at: &Path<'_>, problems: &mut Problems) -> Spec {
    let wire::Spec {
        class_name,
        runtime: written_runtime,
        replicas,
        min_replicas,
        max_replicas,
        show_precise_parallelism,
        processing_guarantee,
        auto_ack,
        input: written_input,
        output: written_output,
        source_connector,
        sink_connector,
        user_config_json,
        secrets,
        retry: written_retry,
        timeout_ms,
        negative_ack_redelivery_delay_ms,
        forward_source_message_property,
        max_pending_async_requests,
        window: written_window,
        batch_source: written_batch_source,
        transform: written_transform,
        log_topic,
        log_topic_agent: written_log_topic_agent,
        resources: written_resources,
        runtime_flags,
        custom_runtime_options,
        expose_pulsar_admin_client,
        state: written_state,
        pulsar,
        package_service,
        kubernetes,
    } = spec;
    Spec {
        class_name,
        runtime: written_runtime.map(|written| runtime(written, at, problems)),
        replicas: replicas.unwrap_or(1),
        min_replicas,
        max_replicas,
        show_precise_parallelism,
        processing_guarantee: guarantee(
            problems.enumeration(&at.field("processingGuarantee"), processing_guarantee).unwrap_or_default(),
        ),
        auto_ack: auto_ack.unwrap_or(true),
        input: written_input.map(|written| input(written, &at.field("input"), problems)),
        output: written_output.map(|written| output(written, &at.field("output"), problems)),
        source_connector: source_connector.map(|c| connector(c, &at.field("sourceConnector"), problems)),
        sink_connector: sink_connector.map(|c| connector(c, &at.field("sinkConnector"), problems)),
        user_config: problems.object(&at.field("userConfigJson"), &user_config_json),
        secrets: secrets.into_iter().map(|(name, secret)| (name, secret.into())).collect(),
        retry: written_retry.map(Into::into).unwrap_or_default(),
        timeout_ms,
        negative_ack_redelivery_delay_ms,
        forward_source_message_property: forward_source_message_property.unwrap_or(true),
        max_pending_async_requests,
        window: written_window.map(Into::into),
        batch_source: written_batch_source.map(|b| batch_source(b, &at.field("batchSource"), problems)),
        transform: written_transform.map(|t| transform(t, &at.field("transform"), problems)),
        log_topic,
        log_topic_agent: log_topic_agent(
            problems.enumeration(&at.field("logTopicAgent"), written_log_topic_agent).unwrap_or_default(),
        ),
        resources: written_resources.map(Into::into).unwrap_or_default(),
        runtime_flags,
        custom_runtime_options,
        expose_pulsar_admin_client,
        state: written_state.map(|s| state(s, &at.field("state"), problems)),
        pulsar: pulsar.map(|p| kubernetes::access(p, &at.field("pulsar"), problems)).unwrap_or_default(),
        package_service: package_service
            .map(|p| kubernetes::access(p, &at.field("packageService"), problems)),
        kubernetes: kubernetes
            .map(|k| kubernetes::read(k, &at.field("kubernetes"), problems))
            .unwrap_or_default(),
    }
}

/// Replaces every text that may hold a credential.
pub(super) fn redact(spec: &mut wire::Spec) {
    for access in [spec.pulsar.as_mut(), spec.package_service.as_mut()].into_iter().flatten() {
        kubernetes::redact(access);
    }
}

/// Finds what came back from an answer in place of a credential.
pub(super) fn refuse_redacted(spec: &Spec, at: &Path<'_>, problems: &mut Problems) {
    kubernetes::refuse_redacted(&spec.pulsar, &at.field("pulsar"), problems);
    if let Some(access) = &spec.package_service {
        kubernetes::refuse_redacted(access, &at.field("packageService"), problems);
    }
}

// Delivery, state and resources.

impl From<ProcessingGuarantee> for wire::ProcessingGuarantee {
    fn from(guarantee: ProcessingGuarantee) -> Self {
        match guarantee {
            ProcessingGuarantee::AtLeastOnce => Self::AtLeastOnce,
            ProcessingGuarantee::AtMostOnce => Self::AtMostOnce,
            ProcessingGuarantee::EffectivelyOnce => Self::EffectivelyOnce,
            ProcessingGuarantee::Manual => Self::Manual,
        }
    }
}

fn guarantee(guarantee: wire::ProcessingGuarantee) -> ProcessingGuarantee {
    match guarantee {
        wire::ProcessingGuarantee::Unspecified | wire::ProcessingGuarantee::AtLeastOnce => {
            ProcessingGuarantee::AtLeastOnce
        }
        wire::ProcessingGuarantee::AtMostOnce => ProcessingGuarantee::AtMostOnce,
        wire::ProcessingGuarantee::EffectivelyOnce => ProcessingGuarantee::EffectivelyOnce,
        wire::ProcessingGuarantee::Manual => ProcessingGuarantee::Manual,
    }
}

impl From<LogTopicAgent> for wire::LogTopicAgent {
    fn from(agent: LogTopicAgent) -> Self {
        match agent {
            LogTopicAgent::Runtime => Self::Runtime,
            LogTopicAgent::Sidecar => Self::Sidecar,
        }
    }
}

fn log_topic_agent(agent: wire::LogTopicAgent) -> Option<LogTopicAgent> {
    match agent {
        wire::LogTopicAgent::Unspecified => None,
        wire::LogTopicAgent::Runtime => Some(LogTopicAgent::Runtime),
        wire::LogTopicAgent::Sidecar => Some(LogTopicAgent::Sidecar),
    }
}

/// Both sides of a message whose fields have the same names and types.
macro_rules! same_fields {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl From<$name> for wire::$name {
            fn from($name { $($field),+ }: $name) -> Self {
                Self { $($field),+ }
            }
        }

        impl From<wire::$name> for $name {
            fn from(wire::$name { $($field),+ }: wire::$name) -> Self {
                Self { $($field),+ }
            }
        }
    };
}

same_fields!(SecretRef { path, key });
same_fields!(Retry { max_message_retries, dead_letter_topic });
same_fields!(Window {
    length_count,
    length_duration_ms,
    sliding_interval_count,
    sliding_interval_duration_ms,
    late_data_topic,
    max_lag_ms,
    watermark_emit_interval_ms,
    timestamp_extractor_class_name,
    processing_guarantee,
});
same_fields!(Amounts { cpu_millis, memory_bytes, storage_bytes, other });

impl From<Resources> for wire::Resources {
    fn from(Resources { requests, limits }: Resources) -> Self {
        Self { requests: unless_default(requests), limits: unless_default(limits) }
    }
}

impl From<wire::Resources> for Resources {
    fn from(wire::Resources { requests, limits }: wire::Resources) -> Self {
        Self {
            requests: requests.map(Into::into).unwrap_or_default(),
            limits: limits.map(Into::into).unwrap_or_default(),
        }
    }
}

impl From<State> for wire::State {
    fn from(State { service_url, java_provider_class_name, java_provider_config }: State) -> Self {
        let java_provider_config_json = text_of_object(java_provider_config);
        Self { service_url, java_provider_class_name, java_provider_config_json }
    }
}

fn state(state: wire::State, at: &Path<'_>, problems: &mut Problems) -> State {
    let wire::State { service_url, java_provider_class_name, java_provider_config_json } = state;
    let java_provider_config =
        problems.object(&at.field("javaProviderConfigJson"), &java_provider_config_json);
    State { service_url, java_provider_class_name, java_provider_config }
}
