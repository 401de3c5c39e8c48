//! Topics to read, and what becomes of messages that fail.

use std::collections::BTreeMap;

use isthmus_model::component::{self as model, Input, Retry, SubscriptionPosition};

use super::super::resource::{ConsumerConfig, CryptoConfig, InputConf, Position, Spec};
use super::{BYTES, Context, or};
use crate::path;

/// A dead letter topic comes by itself with retries, under a name of Function Mesh's own.
pub(super) fn retry(spec: &Spec, tenant: &str, namespace: &str, name: &str) -> Retry {
    let max_message_retries = spec.max_message_retry.filter(|retries| *retries != 0);
    let derived = max_message_retries.is_some() && spec.subscription_name.is_empty();
    let dead_letter_topic = match spec.dead_letter_topic.as_str() {
        "" if derived => format!("{tenant}-{namespace}-{name}-DLQ"),
        given => given.to_owned(),
    };
    Retry { max_message_retries, dead_letter_topic }
}

/// Later ways to name a topic win over earlier ones, whole.
pub(super) fn input(spec: &Spec, context: &mut Context<'_>) -> Input {
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

pub(super) fn crypto(crypto: CryptoConfig) -> model::Crypto {
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
