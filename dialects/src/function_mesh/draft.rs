//! A custom resource's spec to the model's, with Function Mesh's defaults.

use std::collections::BTreeMap;

use isthmus_model::component::{
    self as model, ComponentKind, Compression, Connector, Input, Kubernetes, LogTopicAgent, Object, Output,
    ProcessingGuarantee, PulsarAccess, PulsarAuth, PulsarTls, Retry, Runtime, State, SubscriptionPosition,
    Window,
};
use isthmus_model::package::PackageRef;
use isthmus_model::reason::{Reason, Violation};
use isthmus_model::resources::Resources;
use serde::Serialize;
use serde_json::{Value, json};

use super::resource::{
    AuthConfig, BatchSourceConfig, ConnectorSpec, ConsumerConfig, CryptoConfig, Guarantee, InputConf, Log,
    OutputConf, Position, ProducerConf, PulsarMessaging, ResourceRequirements, Spec, StatefulConfig,
    TlsConfig, WindowConfig,
};
use crate::amounts::amounts;
use crate::path;
use crate::shape::{Shaped, shape};
use crate::written::Names;

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
    let retry = retry(&spec, tenant, namespace, name);
    let input = (kind != ComponentKind::Source).then(|| input(&spec, context));
    let output = (kind != ComponentKind::Sink).then(|| output(kind, spec.output, context));
    let (source_connector, sink_connector) = match kind {
        ComponentKind::Function => (
            spec.source_config.map(|config| connector(config, "sourceConfig", context)),
            spec.sink_config.map(|config| connector(config, "sinkConfig", context)),
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
            .or((kind == ComponentKind::Function).then_some(1_000)),
        window: spec.window_config.map(window),
        batch_source: spec.batch_source_config.map(batch_source),
        transform: None,
        log_topic: spec.log_topic,
        log_topic_agent,
        resources,
        runtime_flags: spec.runtime_flags,
        custom_runtime_options: String::new(),
        expose_pulsar_admin_client: false,
        state: spec.stateful_config.and_then(state),
        pulsar: spec.pulsar.map(pulsar).unwrap_or_default(),
        package_service: spec.pulsar_package_service.map(pulsar),
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

/// A dead letter topic comes by itself with retries, under a name of Function Mesh's own.
fn retry(spec: &Spec, tenant: &str, namespace: &str, name: &str) -> Retry {
    let max_message_retries = spec.max_message_retry.filter(|retries| *retries != 0);
    let derived = max_message_retries.is_some() && spec.subscription_name.is_empty();
    let dead_letter_topic = match spec.dead_letter_topic.as_str() {
        "" if derived => format!("{tenant}-{namespace}-{name}-DLQ"),
        given => given.to_owned(),
    };
    Retry { max_message_retries, dead_letter_topic }
}

/// Later ways to name a topic win over earlier ones, whole.
fn input(spec: &Spec, context: &mut Context<'_>) -> Input {
    let at = context.field("input");
    let InputConf {
        type_class_name,
        topics: plain,
        topic_pattern,
        custom_serde_sources,
        custom_schema_sources,
        source_specs,
    } = &spec.input;
    let mut topics = BTreeMap::new();
    let mut add = |topic: &str, consumer: model::ConsumerConfig, own: String| {
        context.names.own.push((path::key("spec.input.topics", topic), own));
        topics.insert(topic.to_owned(), consumer);
    };
    for (index, topic) in plain.iter().enumerate() {
        add(topic, model::ConsumerConfig::default(), path::index(&path::field(&at, "topics"), index));
    }
    if !topic_pattern.is_empty() {
        let consumer = model::ConsumerConfig { is_regex_pattern: true, ..model::ConsumerConfig::default() };
        add(topic_pattern, consumer, path::field(&at, "topicPattern"));
    }
    for (topic, class) in custom_serde_sources {
        let consumer =
            model::ConsumerConfig { serde_class_name: class.clone(), ..model::ConsumerConfig::default() };
        add(topic, consumer, path::key(&path::field(&at, "customSerdeSources"), topic));
    }
    for (topic, schema) in custom_schema_sources {
        let consumer =
            model::ConsumerConfig { schema_type: schema.clone(), ..model::ConsumerConfig::default() };
        add(topic, consumer, path::key(&path::field(&at, "customSchemaSources"), topic));
    }
    for (topic, written) in source_specs {
        add(topic, consumer(written.clone()), path::key(&path::field(&at, "sourceSpecs"), topic));
    }
    Input {
        topics,
        type_class_name: or(type_class_name, BYTES),
        subscription_name: spec.subscription_name.clone(),
        subscription_position: match spec.subscription_position {
            Some(Position::Latest) => SubscriptionPosition::Latest,
            Some(Position::Earliest) | None => SubscriptionPosition::Earliest,
        },
        skip_to_latest: spec.skip_to_latest,
        cleanup_subscription: spec.cleanup_subscription,
        retain_ordering: spec.retain_ordering,
        retain_key_ordering: spec.retain_key_ordering,
    }
}

fn consumer(consumer: ConsumerConfig) -> model::ConsumerConfig {
    let ConsumerConfig {
        schema_type,
        serde_class_name,
        is_regex_pattern,
        schema_properties,
        consumer_properties,
        receiver_queue_size,
        crypto_config,
    } = consumer;
    model::ConsumerConfig {
        schema_type,
        serde_class_name,
        is_regex_pattern,
        schema_properties,
        consumer_properties,
        receiver_queue_size,
        crypto: crypto_config.map(crypto),
        pool_messages: false,
    }
}

fn crypto(crypto: CryptoConfig) -> model::Crypto {
    let CryptoConfig {
        crypto_key_reader_class_name,
        crypto_key_reader_config,
        encryption_keys,
        producer_crypto_failure_action,
        consumer_crypto_failure_action,
        crypto_secrets,
    } = crypto;
    model::Crypto {
        key_reader_class_name: crypto_key_reader_class_name,
        key_reader_config: crypto_key_reader_config,
        encryption_keys,
        producer_failure_action: producer_crypto_failure_action,
        consumer_failure_action: consumer_crypto_failure_action,
        secrets: crypto_secrets,
    }
}

fn output(kind: ComponentKind, output: OutputConf, context: &mut Context<'_>) -> Output {
    let at = path::field(&context.field("output"), "customSchemaSinks");
    let OutputConf {
        type_class_name,
        topic,
        sink_serde_class_name,
        sink_schema_type,
        custom_schema_sinks,
        producer_conf,
    } = output;
    let mut schema = ConsumerConfig::default();
    for (of, text) in custom_schema_sinks {
        let field = path::key(&at, &of);
        match serde_json::from_str::<ConsumerConfig>(&text) {
            Ok(config) if of == topic => schema = config,
            Ok(_) => {}
            Err(error) => {
                let message = format!("it must be the JSON text of a consumer configuration: {error}");
                context.violations.push(
                    Violation::new(field, Reason::InvalidField, message).with_value(&json!(text).to_string()),
                );
            }
        }
    }
    // Pulsar's sources publish as fast as they can unless they are bounded.
    let bounded = || ProducerConf {
        max_pending_messages: Some(1_000),
        max_pending_messages_across_partitions: Some(1_000),
        use_thread_local_producers: true,
        ..ProducerConf::default()
    };
    let producer = producer_conf.or_else(|| (kind == ComponentKind::Source).then(bounded));
    Output {
        topic,
        type_class_name: or(&type_class_name, BYTES),
        schema_type: sink_schema_type,
        serde_class_name: sink_serde_class_name,
        schema_properties: schema.schema_properties,
        consumer_properties: schema.consumer_properties,
        producer: producer.map(self::producer),
    }
}

fn producer(producer: ProducerConf) -> model::ProducerConfig {
    let ProducerConf {
        max_pending_messages,
        max_pending_messages_across_partitions,
        use_thread_local_producers,
        crypto_config,
        batch_builder,
        compression_type,
    } = producer;
    model::ProducerConfig {
        max_pending_messages,
        max_pending_messages_across_partitions,
        use_thread_local_producers,
        crypto: crypto_config.map(crypto),
        batch_builder,
        compression: compression_type.unwrap_or(Compression::Lz4),
    }
}

/// A connector in place of a function's topics. What is not said in its own fields is looked for in `configs`, where
/// Pulsar's connector configurations have it.
fn connector(config: Object, field: &str, context: &mut Context<'_>) -> Connector {
    let at = context.field(field);
    let Shaped { value, violations, unknown, .. } = shape::<ConnectorSpec>(Value::Object(config), &at);
    context.violations.extend(violations);
    context.unknown.extend(unknown);
    let ConnectorSpec { source_type, sink_type, class_name, type_class_name, configs, .. } = value;
    let inner = |name: &str| configs.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let archive = inner("archive").strip_prefix("builtin://").map(str::to_owned);
    let is_sink = field == "sinkConfig";
    let named = if is_sink { sink_type } else { source_type };
    let builtin =
        [named, inner("builtin"), archive.unwrap_or_default()].into_iter().find(|name| !name.is_empty());
    let builtin = builtin.unwrap_or_default();
    let mut flat: Object = configs.get("configs").and_then(Value::as_object).cloned().unwrap_or_default();
    let outer = configs.iter().filter(|(name, value)| {
        !matches!(name.as_str(), "configs" | "archive" | "builtin" | "className" | "typeClassName")
            && !value.is_null()
    });
    flat.extend(outer.map(|(name, value)| (name.clone(), value.clone())));
    let mut config = if flat.is_empty() { configs.clone() } else { flat };
    if is_sink && !builtin.is_empty() {
        config.entry("sinkType").or_insert_with(|| json!(builtin));
    }
    Connector {
        class_name: or(&class_name, &inner("className")),
        type_class_name: or(&type_class_name, &inner("typeClassName")),
        builtin,
        config,
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

fn state(state: StatefulConfig) -> Option<State> {
    let store = state.pulsar?;
    let provider = store.java_provider.unwrap_or_default();
    Some(State {
        service_url: store.service_url,
        java_provider_class_name: provider.class_name,
        java_provider_config: provider.config,
    })
}

fn pulsar(access: PulsarMessaging) -> PulsarAccess {
    let PulsarMessaging {
        pulsar_config,
        auth_secret,
        tls_secret,
        tls_config,
        auth_config,
        cleanup_auth_config,
    } = access;
    PulsarAccess {
        config: pulsar_config,
        // An empty authConfig hides the secret, too.
        auth_secret: if auth_config.is_some() { String::new() } else { auth_secret },
        tls_secret: if tls_config.is_some() { String::new() } else { tls_secret },
        tls: tls_config.map(tls),
        auth: auth_config.and_then(auth),
        cleanup_auth: cleanup_auth_config.and_then(auth),
    }
}

fn tls(tls: TlsConfig) -> PulsarTls {
    let TlsConfig { enabled, allow_insecure, hostname_verification, cert_secret_name, cert_secret_key } = tls;
    let complete = !cert_secret_name.is_empty() && !cert_secret_key.is_empty();
    PulsarTls {
        enabled,
        allow_insecure,
        hostname_verification,
        cert_secret: complete.then_some(model::KeyRef { name: cert_secret_name, key: cert_secret_key }),
    }
}

fn auth(auth: AuthConfig) -> Option<PulsarAuth> {
    if let Some(oauth2) = auth.oauth2_config {
        return Some(PulsarAuth::OAuth2 {
            audience: oauth2.audience,
            issuer_url: oauth2.issuer_url,
            scope: oauth2.scope,
            key_secret: model::KeyRef { name: oauth2.key_secret_name, key: oauth2.key_secret_key },
        });
    }
    auth.generic_auth.map(|generic| PulsarAuth::Generic {
        plugin: generic.client_authentication_plugin,
        parameters: generic.client_authentication_parameters,
    })
}

fn resources(resources: &ResourceRequirements, context: &mut Context<'_>) -> Resources {
    let at = context.field("resources");
    let mut read = |field: &str, of: &BTreeMap<String, super::resource::QuantityText>| {
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
