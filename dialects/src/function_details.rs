//! What an instance is started with: Pulsar's `FunctionDetails` as protobuf JSON.
//!
//! Members stand in the order of the .proto, members with their default value are left out, enums go by name and 64-bit
//! integers as text: byte for byte what Pulsar's own worker and the Function Mesh operator hand over, so that an instance
//! which somebody else started can be compared with what is wanted.

use isthmus_model::component::{
    BatchSource, Component, ComponentKind, Compression, Connector, ConsumerConfig, Crypto, Input, Object,
    Output, ProcessingGuarantee, ProducerConfig, Runtime, Spec, SubscriptionPosition, Window,
};
use isthmus_model::resources::Amounts;
use serde_json::{Value, json};

const IDENTITY: &str = "org.apache.pulsar.functions.api.utils.IdentityFunction";
const WINDOW_EXECUTOR: &str = "org.apache.pulsar.functions.windowing.WindowFunctionExecutor";
const BATCH_EXECUTOR: &str = "org.apache.pulsar.functions.source.batch.BatchSourceExecutor";

/// The details of every instance of `component`, of which `parallelism` run; instances are told 1 unless the component
/// wants them to know.
pub fn function_details(component: &Component, parallelism: u32) -> Object {
    let Component { kind, name, spec, .. } = component;
    let windowed = spec.window.is_some() && *kind == ComponentKind::Function;
    // A window acknowledges what left it; the instance must not do it before.
    let guarantee = if windowed { ProcessingGuarantee::Manual } else { spec.processing_guarantee };
    let mut details = Members::default();
    details.text("tenant", name.tenant.as_str());
    details.text("namespace", name.namespace.as_str());
    details.text("name", name.name.as_str());
    details.text("className", class_name(*kind, spec));
    details.text("logTopic", log_topic(spec));
    details.text("processingGuarantees", guarantee_name(guarantee));
    details.object_text("userConfig", &user_config(*kind, spec));
    details.object_text("secretsMap", &secrets(spec));
    details.text("runtime", runtime(spec));
    details.flag("autoAck", spec.auto_ack && !windowed);
    details.number("parallelism", if spec.show_precise_parallelism { parallelism } else { 1 });
    details.member("source", source(*kind, spec));
    details.member("sink", sink(*kind, spec));
    details.member("resources", resources(&spec.resources.requests));
    details.member("retryDetails", retries(spec));
    details.text("runtimeFlags", &spec.runtime_flags);
    details.text("componentType", component_type(*kind));
    details.text("customRuntimeOptions", &spec.custom_runtime_options);
    details.text("builtin", builtin_package(*kind, spec));
    details.flag("retainOrdering", spec.input.as_ref().is_some_and(|input| input.retain_ordering));
    details.flag("retainKeyOrdering", spec.input.as_ref().is_some_and(|input| input.retain_key_ordering));
    details.0
}

/// A message under construction: members with their default value are left out.
#[derive(Debug, Default)]
struct Members(Object);

impl Members {
    fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.put(name, text.into());
        }
    }

    fn flag(&mut self, name: &str, on: bool) {
        if on {
            self.put(name, true.into());
        }
    }

    fn number(&mut self, name: &str, number: u32) {
        if number != 0 {
            self.put(name, number.into());
        }
    }

    /// A 64-bit number, which protobuf's JSON writes as text.
    fn long(&mut self, name: &str, number: u64) {
        if number != 0 {
            self.put(name, number.to_string().into());
        }
    }

    /// An object that travels as JSON text.
    fn object_text(&mut self, name: &str, object: &Object) {
        if !object.is_empty() {
            self.put(name, json_text(object).into());
        }
    }

    fn map<K: AsRef<str>, V: Into<Value>>(&mut self, name: &str, map: impl IntoIterator<Item = (K, V)>) {
        let map: Object =
            map.into_iter().map(|(key, value)| (key.as_ref().to_owned(), value.into())).collect();
        if !map.is_empty() {
            self.put(name, map.into());
        }
    }

    fn member(&mut self, name: &str, member: Option<Object>) {
        if let Some(member) = member {
            self.put(name, member.into());
        }
    }
}

/// JSON with sorted keys: the same configuration gives the same text whatever order it was written in.
fn json_text(object: &Object) -> String {
    let mut sorted = object.clone();
    sort(&mut sorted);
    Value::Object(sorted).to_string()
}

fn sort(object: &mut Object) {
    object.sort_keys();
    object.values_mut().for_each(sort_value);
}

fn sort_value(value: &mut Value) {
    match value {
        Value::Object(object) => sort(object),
        Value::Array(items) => items.iter_mut().for_each(sort_value),
        _ => {}
    }
}

fn class_name(kind: ComponentKind, spec: &Spec) -> &str {
    match kind {
        ComponentKind::Function if spec.window.is_some() => WINDOW_EXECUTOR,
        ComponentKind::Function => &spec.class_name,
        ComponentKind::Source => IDENTITY,
        ComponentKind::Sink => spec.transform.as_ref().map_or(IDENTITY, |transform| &transform.class_name),
    }
}

/// The log topic, if the instance is the one who writes to it.
fn log_topic(spec: &Spec) -> &str {
    use isthmus_model::component::LogTopicAgent;
    if spec.log_topic_agent == Some(LogTopicAgent::Sidecar) { "" } else { &spec.log_topic }
}

/// The name, empty for the default.
fn guarantee_name(guarantee: ProcessingGuarantee) -> &'static str {
    match guarantee {
        ProcessingGuarantee::AtLeastOnce => "",
        ProcessingGuarantee::AtMostOnce => "ATMOST_ONCE",
        ProcessingGuarantee::EffectivelyOnce => "EFFECTIVELY_ONCE",
        ProcessingGuarantee::Manual => "MANUAL",
    }
}

fn runtime(spec: &Spec) -> &'static str {
    match spec.runtime {
        Some(Runtime::Python { .. }) => "PYTHON",
        Some(Runtime::Go { .. }) => "GO",
        Some(Runtime::Java { .. } | Runtime::Generic { .. }) | None => "",
    }
}

fn component_type(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Function => "FUNCTION",
        ComponentKind::Source => "SOURCE",
        ComponentKind::Sink => "SINK",
    }
}

fn builtin_package(kind: ComponentKind, spec: &Spec) -> &str {
    let package = match kind {
        ComponentKind::Function => spec.runtime.as_ref().map(Runtime::package),
        ComponentKind::Sink => spec.transform.as_ref().map(|transform| &transform.package),
        ComponentKind::Source => None,
    };
    package.and_then(|package| package.location.strip_prefix("builtin://")).unwrap_or("")
}

fn user_config(kind: ComponentKind, spec: &Spec) -> Object {
    match kind {
        ComponentKind::Function => {
            let mut config = spec.user_config.clone();
            if let Some(window) = &spec.window {
                config.insert("__WINDOWCONFIGS__".to_owned(), window_config(window, spec).into());
            }
            config
        }
        // Function Mesh hands a source's configuration to the identity function, too.
        ComponentKind::Source => {
            spec.source_connector.as_ref().map(|connector| connector.config.clone()).unwrap_or_default()
        }
        ComponentKind::Sink => {
            let config = spec.transform.as_ref().map(|transform| transform.config.as_str());
            config.and_then(|config| serde_json::from_str(config).ok()).unwrap_or_default()
        }
    }
}

fn window_config(window: &Window, spec: &Spec) -> Object {
    let mut config = Members::default();
    let mut number = |name: &str, value: Option<u64>| {
        if let Some(value) = value {
            config.put(name, value.into());
        }
    };
    let timestamps = !window.timestamp_extractor_class_name.is_empty();
    let count = window.length_count.map(u64::from);
    number("windowLengthCount", count);
    number("windowLengthDurationMs", window.length_duration_ms);
    // Without an interval the windows tumble.
    number("slidingIntervalCount", window.sliding_interval_count.map(u64::from).or(count));
    number("slidingIntervalDurationMs", window.sliding_interval_duration_ms.or(window.length_duration_ms));
    number("maxLagMs", window.max_lag_ms.or(timestamps.then_some(0)));
    number("watermarkEmitIntervalMs", window.watermark_emit_interval_ms.or(timestamps.then_some(1_000)));
    config.text("lateDataTopic", &window.late_data_topic);
    config.text("timestampExtractorClassName", &window.timestamp_extractor_class_name);
    config.text("actualWindowFunctionClassName", &spec.class_name);
    let guarantee = match (window.processing_guarantee.as_str(), spec.processing_guarantee) {
        ("", ProcessingGuarantee::AtMostOnce) => "ATMOST_ONCE",
        ("", _) => "ATLEAST_ONCE",
        (given, _) => given,
    };
    config.text("processingGuarantees", guarantee);
    config.0
}

fn secrets(spec: &Spec) -> Object {
    let entry =
        |secret: &isthmus_model::component::SecretRef| json!({"path": secret.path, "key": secret.key});
    spec.secrets.iter().map(|(name, secret)| (name.clone(), entry(secret))).collect()
}

/// The configuration of the connector that a source runs, or of its batch executor.
fn source_config(spec: &Spec) -> Object {
    let mut config =
        spec.source_connector.as_ref().map(|connector| connector.config.clone()).unwrap_or_default();
    if let Some(BatchSource { discovery_triggerer_class_name, discovery_triggerer_config }) =
        &spec.batch_source
    {
        let mut batch = Members::default();
        batch.text("discoveryTriggererClassName", discovery_triggerer_class_name);
        if !discovery_triggerer_config.is_empty() {
            batch.put("discoveryTriggererConfig", discovery_triggerer_config.clone().into());
        }
        config.insert("__BATCHSOURCECONFIGS__".to_owned(), json_text(&batch.0).into());
        config.insert("__BATCHSOURCECLASSNAME__".to_owned(), spec.class_name.clone().into());
    }
    config
}

fn source(kind: ComponentKind, spec: &Spec) -> Option<Object> {
    let mut source = Members::default();
    let connector = spec.source_connector.as_ref();
    let input = if kind == ComponentKind::Source { None } else { spec.input.as_ref() };
    if connector.is_some() || kind == ComponentKind::Source {
        let class = match (kind, connector) {
            (ComponentKind::Source, _) if spec.batch_source.is_some() => BATCH_EXECUTOR,
            (ComponentKind::Source, _) => &spec.class_name,
            (_, Some(connector)) => &connector.class_name,
            (_, None) => "",
        };
        source.text("className", class);
        source.object_text("configs", &source_config(spec));
    }
    let type_class_name = match (kind, input) {
        (ComponentKind::Source, _) => spec.output.as_ref().map(|output| &output.type_class_name),
        (_, Some(input)) => Some(&input.type_class_name),
        (_, None) => None,
    };
    let connector_type =
        connector.map(|connector| connector.type_class_name.as_str()).filter(|name| !name.is_empty());
    source.text("typeClassName", connector_type.or(type_class_name.map(String::as_str)).unwrap_or(""));
    if let Some(input) = input {
        source.text("subscriptionType", subscription_type(input, spec));
    }
    if let Some(input) = input {
        let specs = input.topics.iter().map(|(topic, consumer)| (topic, consumer_spec(consumer)));
        source.map("inputSpecs", specs);
    }
    if kind != ComponentKind::Source {
        source.long("timeoutMs", spec.timeout_ms.unwrap_or(0));
    }
    source.text("builtin", connector.map_or("", |connector| &connector.builtin));
    if let Some(input) = input {
        source.text("subscriptionName", &input.subscription_name);
        source.flag("cleanupSubscription", input.cleanup_subscription);
        if input.subscription_position == SubscriptionPosition::Earliest {
            source.text("subscriptionPosition", "EARLIEST");
        }
    }
    if kind != ComponentKind::Source {
        // Pulsar gives functions one setting for both.
        let timeout = if kind == ComponentKind::Function { spec.timeout_ms } else { None };
        source.long(
            "negativeAckRedeliveryDelayMs",
            spec.negative_ack_redelivery_delay_ms.or(timeout).unwrap_or(0),
        );
    }
    source.flag("skipToLatest", input.is_some_and(|input| input.skip_to_latest));
    Some(source.0)
}

fn subscription_type(input: &Input, spec: &Spec) -> &'static str {
    if input.retain_ordering || spec.processing_guarantee == ProcessingGuarantee::EffectivelyOnce {
        "FAILOVER"
    } else if input.retain_key_ordering {
        "KEY_SHARED"
    } else {
        ""
    }
}

fn consumer_spec(consumer: &ConsumerConfig) -> Object {
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
    let mut spec = Members::default();
    spec.text("schemaType", schema_type);
    spec.text("serdeClassName", serde_class_name);
    spec.flag("isRegexPattern", *is_regex_pattern);
    if let Some(size) = receiver_queue_size {
        // A message of its own, so that zero can be told from nothing; within it zero is left out again.
        let mut value = Members::default();
        value.number("value", *size);
        spec.put("receiverQueueSize", value.0.into());
    }
    spec.map("schemaProperties", schema_properties.iter().map(|(key, value)| (key, value.as_str())));
    spec.map("consumerProperties", consumer_properties.iter().map(|(key, value)| (key, value.as_str())));
    spec.member("cryptoSpec", crypto.as_ref().map(crypto_spec));
    spec.flag("poolMessages", *pool_messages);
    spec.0
}

fn crypto_spec(crypto: &Crypto) -> Object {
    let mut spec = Members::default();
    spec.text("cryptoKeyReaderClassName", &crypto.key_reader_class_name);
    spec.object_text("cryptoKeyReaderConfig", &crypto.key_reader_config);
    if !crypto.encryption_keys.is_empty() {
        spec.put("producerEncryptionKeyName", json!(crypto.encryption_keys));
    }
    let action = |text: &'_ str| if text == "FAIL" { String::new() } else { text.to_owned() };
    spec.text("producerCryptoFailureAction", &action(&crypto.producer_failure_action));
    spec.text("consumerCryptoFailureAction", &action(&crypto.consumer_failure_action));
    spec.0
}

fn sink(kind: ComponentKind, spec: &Spec) -> Option<Object> {
    let mut sink = Members::default();
    let connector: Option<&Connector> = spec.sink_connector.as_ref();
    let output = if kind == ComponentKind::Sink { None } else { spec.output.as_ref() };
    if let Some(connector) = connector {
        sink.text(
            "className",
            if kind == ComponentKind::Sink { &spec.class_name } else { &connector.class_name },
        );
        sink.object_text("configs", &connector.config);
    } else if kind == ComponentKind::Sink {
        sink.text("className", &spec.class_name);
    }
    let type_class_name = match kind {
        ComponentKind::Sink => spec.input.as_ref().map(|input| &input.type_class_name),
        ComponentKind::Function | ComponentKind::Source => output.map(|output| &output.type_class_name),
    };
    let connector_type =
        connector.map(|connector| connector.type_class_name.as_str()).filter(|name| !name.is_empty());
    sink.text("typeClassName", connector_type.or(type_class_name.map(String::as_str)).unwrap_or(""));
    if let Some(output) = output {
        destination(output, &mut sink);
    }
    sink.text("builtin", connector.map_or("", |connector| &connector.builtin));
    if let Some(output) = output {
        sink.text("schemaType", &output.schema_type);
    }
    sink.flag(
        "forwardSourceMessageProperty",
        kind != ComponentKind::Sink && spec.forward_source_message_property,
    );
    if let Some(output) = output {
        sink.map(
            "schemaProperties",
            output.schema_properties.iter().map(|(key, value)| (key, value.as_str())),
        );
        sink.map(
            "consumerProperties",
            output.consumer_properties.iter().map(|(key, value)| (key, value.as_str())),
        );
    }
    Some(sink.0)
}

fn destination(output: &Output, sink: &mut Members) {
    sink.text("topic", &output.topic);
    sink.member("producerSpec", output.producer.as_ref().map(producer_spec));
    sink.text("serDeClassName", &output.serde_class_name);
}

fn producer_spec(producer: &ProducerConfig) -> Object {
    let ProducerConfig {
        max_pending_messages,
        max_pending_messages_across_partitions,
        use_thread_local_producers,
        crypto,
        batch_builder,
        compression,
    } = producer;
    let mut spec = Members::default();
    spec.number("maxPendingMessages", max_pending_messages.unwrap_or(0));
    spec.number("maxPendingMessagesAcrossPartitions", max_pending_messages_across_partitions.unwrap_or(0));
    spec.flag("useThreadLocalProducers", *use_thread_local_producers);
    spec.member("cryptoSpec", crypto.as_ref().map(crypto_spec));
    spec.text("batchBuilder", batch_builder);
    spec.text("compressionType", compression_type(*compression));
    spec.0
}

/// The name, empty for the default.
fn compression_type(compression: Compression) -> &'static str {
    match compression {
        Compression::Lz4 => "",
        Compression::None => "NONE",
        Compression::Zlib => "ZLIB",
        Compression::Zstd => "ZSTD",
        Compression::Snappy => "SNAPPY",
    }
}

fn resources(requests: &Amounts) -> Option<Object> {
    let mut resources = Members::default();
    if let Some(millis) = requests.cpu_millis.filter(|millis| *millis != 0) {
        // Exact to the thousandth up to 2^53 of them, which no machine has.
        let cpu = f64::from(u32::try_from(millis).unwrap_or(u32::MAX)) / 1_000.0;
        resources.put("cpu", cpu.into());
    }
    resources.long("ram", requests.memory_bytes.unwrap_or(0));
    resources.long("disk", requests.storage_bytes.unwrap_or(0));
    (!resources.0.is_empty()).then_some(resources.0)
}

fn retries(spec: &Spec) -> Option<Object> {
    let mut retries = Members::default();
    retries.number("maxMessageRetries", spec.retry.max_message_retries.unwrap_or(0));
    retries.text("deadLetterTopic", &spec.retry.dead_letter_topic);
    (!retries.0.is_empty()).then_some(retries.0)
}

#[cfg(test)]
mod tests;
