//! What runs, field by field in both directions.

use std::collections::BTreeMap;

use isthmus_model::component::{
    BatchSource, Compression, Connector, ConsumerConfig, Crypto, CryptoSecret, Input, LogConfig,
    LogTopicAgent, Output, ProcessingGuarantee, ProducerConfig, Retry, Runtime, SecretRef, Spec, State,
    SubscriptionPosition, Transform, Window,
};
use isthmus_model::name::Digest;
use isthmus_model::package::PackageRef;
use isthmus_model::resources::{Amounts, Resources};

use super::kubernetes;
use super::problems::{Path, Problems, text_of_object};
use crate::component::v1 as wire;
use crate::component::v1::spec::Runtime as WireRuntime;

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
            problems.enumeration(&at.field("processingGuarantee"), processing_guarantee),
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
            problems.enumeration(&at.field("logTopicAgent"), written_log_topic_agent),
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

// Code.

impl From<Runtime> for WireRuntime {
    fn from(runtime: Runtime) -> Self {
        match runtime {
            Runtime::Java { package, extra_dependencies_dir, java_opts, instance_path, entry_class, log } => {
                Self::Java(wire::JavaRuntime {
                    package: Some(package.into()),
                    extra_dependencies_dir,
                    java_opts,
                    instance_path,
                    entry_class,
                    log: log.map(Into::into),
                })
            }
            Runtime::Python { package, log } => {
                Self::Python(wire::PythonRuntime { package: Some(package.into()), log: log.map(Into::into) })
            }
            Runtime::Go { package, log } => {
                Self::Go(wire::GoRuntime { package: Some(package.into()), log: log.map(Into::into) })
            }
            Runtime::Generic { package, language } => {
                Self::Generic(wire::GenericRuntime { package: Some(package.into()), language })
            }
        }
    }
}

fn runtime(runtime: WireRuntime, at: &Path<'_>, problems: &mut Problems) -> Runtime {
    let mut code = |written: Option<wire::Package>, at: Path<'_>| {
        package(written.unwrap_or_default(), &at.field("package"), problems)
    };
    match runtime {
        WireRuntime::Java(wire::JavaRuntime {
            package,
            extra_dependencies_dir,
            java_opts,
            instance_path,
            entry_class,
            log,
        }) => Runtime::Java {
            package: code(package, at.field("java")),
            extra_dependencies_dir,
            java_opts,
            instance_path,
            entry_class,
            log: log.map(Into::into),
        },
        WireRuntime::Python(wire::PythonRuntime { package, log }) => {
            Runtime::Python { package: code(package, at.field("python")), log: log.map(Into::into) }
        }
        WireRuntime::Go(wire::GoRuntime { package, log }) => {
            Runtime::Go { package: code(package, at.field("go")), log: log.map(Into::into) }
        }
        WireRuntime::Generic(wire::GenericRuntime { package, language }) => {
            Runtime::Generic { package: code(package, at.field("generic")), language }
        }
    }
}

impl From<PackageRef> for wire::Package {
    fn from(PackageRef { file, location, digest }: PackageRef) -> Self {
        Self { file, location, digest: digest.map(|Digest(bytes)| bytes.to_vec()).unwrap_or_default() }
    }
}

fn package(package: wire::Package, at: &Path<'_>, problems: &mut Problems) -> PackageRef {
    let wire::Package { file, location, digest } = package;
    let digest = match <[u8; 32]>::try_from(digest.as_slice()) {
        Ok(bytes) => Some(Digest(bytes)),
        Err(_) if digest.is_empty() => None,
        Err(_) => {
            problems.invalid(
                &at.field("digest"),
                "a SHA-256 has 32 bytes; leave it out, it is filled in",
                digest.len(),
            );
            None
        }
    };
    PackageRef { file, location, digest }
}

impl From<LogConfig> for wire::LogConfig {
    fn from(
        LogConfig { level, rotate_policy, format, config_map, java_config_file_type }: LogConfig,
    ) -> Self {
        Self { level, rotate_policy, format, config_map: config_map.map(Into::into), java_config_file_type }
    }
}

impl From<wire::LogConfig> for LogConfig {
    fn from(log: wire::LogConfig) -> Self {
        let wire::LogConfig { level, rotate_policy, format, config_map, java_config_file_type } = log;
        Self { level, rotate_policy, format, config_map: config_map.map(Into::into), java_config_file_type }
    }
}

impl From<Transform> for wire::Transform {
    fn from(Transform { package, class_name, config }: Transform) -> Self {
        Self { package: Some(package.into()), class_name, config }
    }
}

fn transform(transform: wire::Transform, at: &Path<'_>, problems: &mut Problems) -> Transform {
    let wire::Transform { package: written, class_name, config } = transform;
    Transform {
        package: package(written.unwrap_or_default(), &at.field("package"), problems),
        class_name,
        config,
    }
}

// Input and output.

impl From<Input> for wire::Input {
    fn from(input: Input) -> Self {
        let Input {
            topics,
            type_class_name,
            subscription_name,
            subscription_position,
            skip_to_latest,
            cleanup_subscription,
            retain_ordering,
            retain_key_ordering,
        } = input;
        let position = match subscription_position {
            SubscriptionPosition::Latest => wire::SubscriptionPosition::Latest,
            SubscriptionPosition::Earliest => wire::SubscriptionPosition::Earliest,
        };
        Self {
            topics: topics.into_iter().map(|(topic, consumer)| (topic, consumer.into())).collect(),
            type_class_name,
            subscription_name,
            subscription_position: position.into(),
            skip_to_latest,
            cleanup_subscription,
            retain_ordering,
            retain_key_ordering,
        }
    }
}

fn input(input: wire::Input, at: &Path<'_>, problems: &mut Problems) -> Input {
    let wire::Input {
        topics,
        type_class_name,
        subscription_name,
        subscription_position,
        skip_to_latest,
        cleanup_subscription,
        retain_ordering,
        retain_key_ordering,
    } = input;
    let mut read = BTreeMap::new();
    for (topic, config) in topics {
        let config = consumer(config, &at.field("topics").key(&topic), problems);
        read.insert(topic, config);
    }
    let position = problems.enumeration(&at.field("subscriptionPosition"), subscription_position);
    Input {
        topics: read,
        type_class_name,
        subscription_name,
        subscription_position: match position {
            wire::SubscriptionPosition::Unspecified | wire::SubscriptionPosition::Latest => {
                SubscriptionPosition::Latest
            }
            wire::SubscriptionPosition::Earliest => SubscriptionPosition::Earliest,
        },
        skip_to_latest,
        cleanup_subscription,
        retain_ordering,
        retain_key_ordering,
    }
}

impl From<ConsumerConfig> for wire::ConsumerConfig {
    fn from(consumer: ConsumerConfig) -> Self {
        let ConsumerConfig {
            schema_type,
            serde_class_name,
            is_regex_pattern,
            schema_properties,
            consumer_properties,
            receiver_queue_size,
            crypto,
            pool_messages,
        } = consumer;
        Self {
            schema_type,
            serde_class_name,
            is_regex_pattern,
            schema_properties,
            consumer_properties,
            receiver_queue_size,
            crypto: crypto.map(Into::into),
            pool_messages,
        }
    }
}

fn consumer(consumer: wire::ConsumerConfig, at: &Path<'_>, problems: &mut Problems) -> ConsumerConfig {
    let wire::ConsumerConfig {
        schema_type,
        serde_class_name,
        is_regex_pattern,
        schema_properties,
        consumer_properties,
        receiver_queue_size,
        crypto: written_crypto,
        pool_messages,
    } = consumer;
    ConsumerConfig {
        schema_type,
        serde_class_name,
        is_regex_pattern,
        schema_properties,
        consumer_properties,
        receiver_queue_size,
        crypto: written_crypto.map(|c| crypto(c, &at.field("crypto"), problems)),
        pool_messages,
    }
}

impl From<Output> for wire::Output {
    fn from(output: Output) -> Self {
        let Output {
            topic,
            type_class_name,
            schema_type,
            serde_class_name,
            schema_properties,
            consumer_properties,
            producer,
        } = output;
        Self {
            topic,
            type_class_name,
            schema_type,
            serde_class_name,
            schema_properties,
            consumer_properties,
            producer: producer.map(Into::into),
        }
    }
}

fn output(output: wire::Output, at: &Path<'_>, problems: &mut Problems) -> Output {
    let wire::Output {
        topic,
        type_class_name,
        schema_type,
        serde_class_name,
        schema_properties,
        consumer_properties,
        producer: written_producer,
    } = output;
    Output {
        topic,
        type_class_name,
        schema_type,
        serde_class_name,
        schema_properties,
        consumer_properties,
        producer: written_producer.map(|p| producer(p, &at.field("producer"), problems)),
    }
}

impl From<ProducerConfig> for wire::ProducerConfig {
    fn from(producer: ProducerConfig) -> Self {
        let ProducerConfig {
            max_pending_messages,
            max_pending_messages_across_partitions,
            use_thread_local_producers,
            crypto,
            batch_builder,
            compression,
        } = producer;
        let compression = match compression {
            Compression::Lz4 => wire::Compression::Lz4,
            Compression::None => wire::Compression::None,
            Compression::Zlib => wire::Compression::Zlib,
            Compression::Zstd => wire::Compression::Zstd,
            Compression::Snappy => wire::Compression::Snappy,
        };
        Self {
            max_pending_messages,
            max_pending_messages_across_partitions,
            use_thread_local_producers,
            crypto: crypto.map(Into::into),
            batch_builder,
            compression: compression.into(),
        }
    }
}

fn producer(producer: wire::ProducerConfig, at: &Path<'_>, problems: &mut Problems) -> ProducerConfig {
    let wire::ProducerConfig {
        max_pending_messages,
        max_pending_messages_across_partitions,
        use_thread_local_producers,
        crypto: written_crypto,
        batch_builder,
        compression,
    } = producer;
    ProducerConfig {
        max_pending_messages,
        max_pending_messages_across_partitions,
        use_thread_local_producers,
        crypto: written_crypto.map(|c| crypto(c, &at.field("crypto"), problems)),
        batch_builder,
        compression: match problems.enumeration(&at.field("compression"), compression) {
            wire::Compression::Unspecified | wire::Compression::Lz4 => Compression::Lz4,
            wire::Compression::None => Compression::None,
            wire::Compression::Zlib => Compression::Zlib,
            wire::Compression::Zstd => Compression::Zstd,
            wire::Compression::Snappy => Compression::Snappy,
        },
    }
}

impl From<Crypto> for wire::Crypto {
    fn from(crypto: Crypto) -> Self {
        let Crypto {
            key_reader_class_name,
            key_reader_config,
            encryption_keys,
            producer_failure_action,
            consumer_failure_action,
            secrets,
        } = crypto;
        let secret = |CryptoSecret { secret_name, secret_key, as_volume }| wire::CryptoSecret {
            secret_name,
            secret_key,
            as_volume,
        };
        Self {
            key_reader_class_name,
            key_reader_config_json: text_of_object(key_reader_config),
            encryption_keys,
            producer_failure_action,
            consumer_failure_action,
            secrets: secrets.into_iter().map(secret).collect(),
        }
    }
}

fn crypto(crypto: wire::Crypto, at: &Path<'_>, problems: &mut Problems) -> Crypto {
    let wire::Crypto {
        key_reader_class_name,
        key_reader_config_json,
        encryption_keys,
        producer_failure_action,
        consumer_failure_action,
        secrets,
    } = crypto;
    let secret = |wire::CryptoSecret { secret_name, secret_key, as_volume }| CryptoSecret {
        secret_name,
        secret_key,
        as_volume,
    };
    Crypto {
        key_reader_class_name,
        key_reader_config: problems.object(&at.field("keyReaderConfigJson"), &key_reader_config_json),
        encryption_keys,
        producer_failure_action,
        consumer_failure_action,
        secrets: secrets.into_iter().map(secret).collect(),
    }
}

// Connectors.

impl From<Connector> for wire::Connector {
    fn from(Connector { builtin, class_name, type_class_name, config }: Connector) -> Self {
        Self { builtin, class_name, type_class_name, config_json: text_of_object(config) }
    }
}

fn connector(connector: wire::Connector, at: &Path<'_>, problems: &mut Problems) -> Connector {
    let wire::Connector { builtin, class_name, type_class_name, config_json } = connector;
    let config = problems.object(&at.field("configJson"), &config_json);
    Connector { builtin, class_name, type_class_name, config }
}

impl From<BatchSource> for wire::BatchSource {
    fn from(BatchSource { discovery_triggerer_class_name, discovery_triggerer_config }: BatchSource) -> Self {
        let discovery_triggerer_config_json = text_of_object(discovery_triggerer_config);
        Self { discovery_triggerer_class_name, discovery_triggerer_config_json }
    }
}

fn batch_source(batch_source: wire::BatchSource, at: &Path<'_>, problems: &mut Problems) -> BatchSource {
    let wire::BatchSource { discovery_triggerer_class_name, discovery_triggerer_config_json } = batch_source;
    let path = at.field("discoveryTriggererConfigJson");
    let discovery_triggerer_config = problems.object(&path, &discovery_triggerer_config_json);
    BatchSource { discovery_triggerer_class_name, discovery_triggerer_config }
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
