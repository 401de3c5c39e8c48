//! The `source` of an instance: where its records come from.

use isthmus_model::component::{
    BatchSource, ComponentKind, ConsumerConfig, Input, Object, ProcessingGuarantee, Spec,
    SubscriptionPosition,
};

use super::crypto::crypto_spec;
use super::members::{Members, json_text};

const BATCH_EXECUTOR: &str = "org.apache.pulsar.functions.source.batch.BatchSourceExecutor";

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

pub(super) fn source(kind: ComponentKind, spec: &Spec) -> Object {
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
    source
        .text("typeClassName", connector_type.or_else(|| type_class_name.map(String::as_str)).unwrap_or(""));
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
    source.0
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
