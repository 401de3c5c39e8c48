//! What is read: topics, how each is consumed, and the subscription.

use isthmus_model::component::{ComponentKind, ConsumerConfig, Crypto, Input, ProcessingGuarantee, Spec};

use crate::report::Report;
use crate::topic;

const PRODUCER_ACTIONS: &[&str] = &["FAIL", "SEND"];
const CONSUMER_ACTIONS: &[&str] = &["FAIL", "DISCARD", "CONSUME"];
/// Pulsar keeps numbers of messages in 32 bits with a sign.
pub(crate) const MAX_COUNT: u32 = i32::MAX.unsigned_abs();

pub(crate) fn check(kind: ComponentKind, spec: &Spec, report: &mut Report) {
    if kind == ComponentKind::Source {
        if spec.input.is_some() {
            report.foreign("spec.input", "a source reads from its connector and has no input");
        }
        if spec.batch_source.as_ref().is_some_and(|batch| batch.discovery_triggerer_class_name.is_empty()) {
            let message = "a batch source needs the class that triggers its discovery";
            report.missing("spec.batchSource.discoveryTriggererClassName", message);
        }
        return;
    }
    if spec.batch_source.is_some() {
        report.foreign("spec.batchSource", "only a source can be a batch source");
    }
    if kind == ComponentKind::Sink && spec.source_connector.is_some() {
        report.foreign("spec.sourceConnector", "a sink reads from topics");
    }
    let connector = kind == ComponentKind::Function && spec.source_connector.is_some();
    match &spec.input {
        Some(input) => check_input(input, spec.processing_guarantee, !connector, report),
        None if !connector => report.missing("spec.input", NO_TOPIC),
        None => {}
    }
}

const NO_TOPIC: &str = "at least one input topic or pattern must be given";

fn check_input(input: &Input, guarantee: ProcessingGuarantee, needs_topic: bool, report: &mut Report) {
    if needs_topic && input.topics.is_empty() {
        report.missing("spec.input", NO_TOPIC);
    }
    for (topic, consumer) in &input.topics {
        if !topic::is_valid(topic) {
            report.invalid(format!("spec.input.topics[{topic}]"), topic::RULE, topic);
        }
        check_consumer(topic, consumer, report);
    }
    if input.subscription_name.chars().any(char::is_control) {
        let message = "it must not contain control characters or line breaks";
        report.invalid("spec.input.subscriptionName", message, &input.subscription_name);
    }
    if input.retain_key_ordering {
        if guarantee == ProcessingGuarantee::EffectivelyOnce {
            let message = "effectively once needs one consumer at a time, which order by key does not give";
            report.conflict("spec.input.retainKeyOrdering", message, &true);
        }
        if input.retain_ordering {
            let message = "only one of retainOrdering and retainKeyOrdering can be set";
            report.conflict("spec.input.retainKeyOrdering", message, &true);
            report.conflict("spec.input.retainOrdering", message, &true);
        }
    }
}

fn check_consumer(topic: &str, consumer: &ConsumerConfig, report: &mut Report) {
    let field = |name: &str| format!("spec.input.topics[{topic}].{name}");
    if let Some(size) = consumer.receiver_queue_size.filter(|size| *size > MAX_COUNT) {
        report.invalid(field("receiverQueueSize"), format!("it must be at most {MAX_COUNT}"), &size);
    }
    if let Some(crypto) = &consumer.crypto {
        check_crypto(&field("crypto"), crypto, false, report);
    }
}

/// Encryption, by which a producer needs keys to encrypt with.
pub(crate) fn check_crypto(field: &str, crypto: &Crypto, producer: bool, report: &mut Report) {
    if crypto.key_reader_class_name.is_empty() {
        report.missing(format!("{field}.keyReaderClassName"), "the class that reads the keys must be given");
    }
    if producer && crypto.encryption_keys.iter().all(String::is_empty) {
        report.missing(format!("{field}.encryptionKeys"), "the name of at least one key must be given");
    }
    report.one_of(
        &format!("{field}.producerFailureAction"),
        &crypto.producer_failure_action,
        PRODUCER_ACTIONS,
    );
    report.one_of(
        &format!("{field}.consumerFailureAction"),
        &crypto.consumer_failure_action,
        CONSUMER_ACTIONS,
    );
    for (index, secret) in crypto.secrets.iter().enumerate() {
        for (part, text) in [("secretName", &secret.secret_name), ("secretKey", &secret.secret_key)] {
            if text.is_empty() {
                report.missing(format!("{field}.secrets[{index}].{part}"), "it must be given");
            }
        }
    }
}
