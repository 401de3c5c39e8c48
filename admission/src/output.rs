//! What is written, and that nothing is written to where it is read from.

use isthmus_model::component::{ComponentKind, Output, ProducerConfig, Spec};

use crate::input::{MAX_COUNT, check_crypto};
use crate::report::Report;
use crate::topic;

const BATCH_BUILDERS: &[&str] = &["DEFAULT", "KEY_BASED"];

pub(crate) fn check(kind: ComponentKind, spec: &Spec, report: &mut Report) {
    if kind == ComponentKind::Sink {
        if spec.output.is_some() {
            report.foreign("spec.output", "a sink writes to its connector and has no output");
        }
        return;
    }
    if kind == ComponentKind::Source {
        if spec.sink_connector.is_some() {
            report.foreign("spec.sinkConnector", "a source writes to a topic");
        }
        if spec.output.as_ref().is_none_or(|output| output.topic.is_empty()) {
            report.missing("spec.output.topic", "a source needs a topic to write to");
        }
    }
    if spec.transform.is_some() {
        report.foreign("spec.transform", "only a sink has a function before its connector");
    }
    if let Some(output) = &spec.output {
        check_output(output, spec, report);
    }
}

fn check_output(output: &Output, spec: &Spec, report: &mut Report) {
    if !output.topic.is_empty() {
        if !topic::is_valid(&output.topic) {
            report.invalid("spec.output.topic", topic::RULE, &output.topic);
        } else if reads(spec, &output.topic) {
            let message = "the output topic is an input topic, too: every message would come back for ever";
            report.conflict("spec.output.topic", message, &output.topic);
        }
    }
    if let Some(producer) = &output.producer {
        check_producer(producer, report);
    }
}

/// Whether `topic` is one of the inputs, which are not patterns.
pub(crate) fn reads(spec: &Spec, topic: &str) -> bool {
    spec.input.as_ref().is_some_and(|input| {
        input.topics.iter().any(|(name, consumer)| !consumer.is_regex_pattern && topic::same(name, topic))
    })
}

fn check_producer(producer: &ProducerConfig, report: &mut Report) {
    let counts = [
        ("maxPendingMessages", producer.max_pending_messages),
        ("maxPendingMessagesAcrossPartitions", producer.max_pending_messages_across_partitions),
    ];
    for (name, count) in counts {
        if let Some(count) = count.filter(|count| *count > MAX_COUNT) {
            report.invalid(
                format!("spec.output.producer.{name}"),
                format!("it must be at most {MAX_COUNT}"),
                &count,
            );
        }
    }
    report.one_of("spec.output.producer.batchBuilder", &producer.batch_builder, BATCH_BUILDERS);
    if let Some(crypto) = &producer.crypto {
        check_crypto("spec.output.producer.crypto", crypto, true, report);
    }
}
