//! Topics to read, and what becomes of messages that fail.

use isthmus_model::component::{
    ComponentKind, ConsumerConfig, Crypto, Input, Object, Retry, SubscriptionPosition,
};

use super::members::Members;

/// Every topic in the one form that can say all of it.
pub(super) fn write(
    kind: ComponentKind,
    input: &Input,
    members: &mut Members,
    no_field: &mut impl FnMut(bool, &str),
) {
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
    no_field(topics.values().any(|consumer| consumer.pool_messages), "spec.input.topics.poolMessages");
    let mut own = Members::default();
    own.text("typeClassName", type_class_name);
    own.map("sourceSpecs", topics.iter().map(|(topic, config)| (topic, consumer(config))));
    members.put("input", own.0.into());
    members.text("subscriptionName", subscription_name);
    let position = match subscription_position {
        SubscriptionPosition::Latest => "latest",
        SubscriptionPosition::Earliest => "earliest",
    };
    members.text("subscriptionPosition", position);
    members.flag("cleanupSubscription", *cleanup_subscription);
    members.flag("retainOrdering", *retain_ordering);
    members.flag("retainKeyOrdering", *retain_key_ordering);
    match kind {
        ComponentKind::Function => members.flag("skipToLatest", *skip_to_latest),
        ComponentKind::Source | ComponentKind::Sink => no_field(*skip_to_latest, "spec.input.skipToLatest"),
    }
}

/// Function Mesh makes a dead letter topic up where none is given, unless the subscription has a name: so it gets the one that
/// it has anyway.
pub(super) fn write_retry(retry: &Retry, input: Option<&Input>, full: &str, members: &mut Members) {
    let Retry { max_message_retries, dead_letter_topic } = retry;
    members.given("maxMessageRetry", max_message_retries.as_ref());
    members.text("deadLetterTopic", dead_letter_topic);
    let unnamed = input.is_none_or(|input| input.subscription_name.is_empty());
    if max_message_retries.is_some() && dead_letter_topic.is_empty() && unnamed {
        members.text("subscriptionName", full);
    }
}

pub(super) fn consumer(consumer: &ConsumerConfig) -> Object {
    let ConsumerConfig {
        schema_type,
        serde_class_name,
        is_regex_pattern,
        schema_properties,
        consumer_properties,
        receiver_queue_size,
        crypto,
        pool_messages: _,
    } = consumer;
    let mut members = Members::default();
    members.text("schemaType", schema_type);
    members.text("serdeClassname", serde_class_name);
    members.flag("isRegexPattern", *is_regex_pattern);
    members.map("schemaProperties", schema_properties.iter().map(|(key, value)| (key, value.as_str())));
    members.map("consumerProperties", consumer_properties.iter().map(|(key, value)| (key, value.as_str())));
    members.given("receiverQueueSize", receiver_queue_size.as_ref());
    members.object("cryptoConfig", crypto.as_ref().map(self::crypto));
    members.0
}

pub(super) fn crypto(crypto: &Crypto) -> Object {
    let Crypto {
        key_reader_class_name,
        key_reader_config,
        encryption_keys,
        producer_failure_action,
        consumer_failure_action,
        secrets,
    } = crypto;
    let mut members = Members::default();
    members.text("cryptoKeyReaderClassName", key_reader_class_name);
    if !key_reader_config.is_empty() {
        members.put("cryptoKeyReaderConfig", key_reader_config.clone().into());
    }
    members.list("encryptionKeys", encryption_keys);
    members.text("producerCryptoFailureAction", producer_failure_action);
    members.text("consumerCryptoFailureAction", consumer_failure_action);
    members.list("cryptoSecrets", secrets);
    members.0
}
