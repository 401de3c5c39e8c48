//! Guarantees, timeouts, retries, windows and logs: what goes together and what does not.

use isthmus_model::component::{ComponentKind, ProcessingGuarantee, Runtime, Spec, Window};
use serde_json::Value;

use crate::code::is_class;
use crate::input::MAX_COUNT;
use crate::output::reads;
use crate::report::Report;
use crate::topic;

const WINDOW_GUARANTEES: &[&str] = &["ATLEAST_ONCE", "ATMOST_ONCE"];
/// Pulsar's Java client refuses a shorter acknowledgement timeout when the instance starts.
const MIN_TIMEOUT_MS: u64 = 1_000;

pub(crate) fn check(kind: ComponentKind, spec: &Spec, report: &mut Report) {
    timeout(spec, report);
    retries(spec, report);
    window(kind, spec, report);
    transform(spec, report);
    if !spec.log_topic.is_empty() {
        own_topic("spec.logTopic", &spec.log_topic, spec, report);
    }
    if spec.max_pending_async_requests.is_some_and(|requests| requests == 0 || requests > MAX_COUNT) {
        let message = format!("it must be from 1 to {MAX_COUNT}");
        report.invalid("spec.maxPendingAsyncRequests", message, &spec.max_pending_async_requests);
    }
}

/// A topic that the component writes to beside its output.
fn own_topic(field: &str, name: &str, spec: &Spec, report: &mut Report) {
    if !topic::is_valid(name) {
        report.invalid(field, topic::RULE, &name);
    } else if reads(spec, name) {
        report.conflict(field, "it is an input topic, too: what is written would be read again", &name);
    }
}

fn timeout(spec: &Spec, report: &mut Report) {
    let Some(timeout) = spec.timeout_ms else { return };
    if timeout < MIN_TIMEOUT_MS {
        let message = format!("it must be at least {MIN_TIMEOUT_MS}, else the consumer is not even made");
        report.invalid("spec.timeoutMs", message, &timeout);
    }
    if spec.processing_guarantee == ProcessingGuarantee::EffectivelyOnce {
        let message = "an acknowledgement timeout needs the guarantee at least once";
        report.conflict("spec.timeoutMs", message, &timeout);
    }
}

fn retries(spec: &Spec, report: &mut Report) {
    match spec.retry.max_message_retries {
        Some(retries) if retries == 0 || retries > MAX_COUNT => {
            let message = format!("it must be from 1 to {MAX_COUNT}; leave it out to retry for ever");
            report.invalid("spec.retry.maxMessageRetries", message, &retries);
        }
        Some(retries) if spec.processing_guarantee == ProcessingGuarantee::EffectivelyOnce => {
            let message = "effectively once retries for ever; a message given up would be lost";
            report.conflict("spec.retry.maxMessageRetries", message, &retries);
        }
        None if !spec.retry.dead_letter_topic.is_empty() => {
            let message =
                "a dead letter topic needs a number of retries: without one, messages are retried for ever";
            report.missing("spec.retry.maxMessageRetries", message);
        }
        _ => {}
    }
    if !spec.retry.dead_letter_topic.is_empty() {
        own_topic("spec.retry.deadLetterTopic", &spec.retry.dead_letter_topic, spec, report);
    }
}

fn window(kind: ComponentKind, spec: &Spec, report: &mut Report) {
    let Some(window) = &spec.window else { return };
    if kind != ComponentKind::Function {
        report.foreign("spec.window", "only a function has windows");
        return;
    }
    if let Some(runtime) = spec.runtime.as_ref().filter(|runtime| !matches!(runtime, Runtime::Java { .. })) {
        report.foreign("spec.window", format!("windows are not supported on the {} runtime", runtime.word()));
    }
    if spec.processing_guarantee == ProcessingGuarantee::EffectivelyOnce {
        report.foreign("spec.window", "windows cannot be processed effectively once");
    }
    let Window {
        length_count,
        length_duration_ms,
        sliding_interval_count,
        sliding_interval_duration_ms,
        late_data_topic,
        max_lag_ms: _,
        watermark_emit_interval_ms,
        timestamp_extractor_class_name,
        processing_guarantee,
    } = window;
    match (length_count, length_duration_ms) {
        (None, None) => {
            report.missing("spec.window", "the length of a window must be given, as a count or a duration");
        }
        (Some(count), Some(_)) => {
            let message = "only one of the count and the duration of a window can be set";
            report.conflict("spec.window.lengthCount", message, count);
        }
        _ => {}
    }
    let positive = [
        ("lengthCount", length_count.map(u64::from)),
        ("lengthDurationMs", *length_duration_ms),
        ("slidingIntervalCount", sliding_interval_count.map(u64::from)),
        ("slidingIntervalDurationMs", *sliding_interval_duration_ms),
        ("watermarkEmitIntervalMs", *watermark_emit_interval_ms),
    ];
    for (name, _) in positive.into_iter().filter(|(_, value)| *value == Some(0)) {
        report.invalid(format!("spec.window.{name}"), "it must be more than 0", &0);
    }
    report.one_of("spec.window.processingGuarantee", processing_guarantee, WINDOW_GUARANTEES);
    if !timestamp_extractor_class_name.is_empty() && !is_class(timestamp_extractor_class_name) {
        let message = "it must be the name of a class";
        report.invalid("spec.window.timestampExtractorClassName", message, timestamp_extractor_class_name);
    }
    if !late_data_topic.is_empty() {
        own_topic("spec.window.lateDataTopic", late_data_topic, spec, report);
        if timestamp_extractor_class_name.is_empty() {
            let message = "nothing is late without a class that takes a message's time; give timestampExtractorClassName";
            report.missing("spec.window.timestampExtractorClassName", message);
        }
    }
}

fn transform(spec: &Spec, report: &mut Report) {
    let Some(transform) = &spec.transform else { return };
    if transform.class_name.is_empty() {
        report.missing("spec.transform.className", "the class must be given");
    } else if !is_class(&transform.class_name) {
        report.invalid("spec.transform.className", "it must be the name of a class", &transform.class_name);
    }
    let object = |text| serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object());
    if !transform.config.is_empty() && !object(&transform.config) {
        report.invalid_secret("spec.transform.config", "it must be the text of a JSON object");
    }
}
