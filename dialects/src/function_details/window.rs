//! The configuration of the executor that windows run in.

use isthmus_model::component::{Object, ProcessingGuarantee, Spec, Window};

use super::members::Members;

pub(super) fn window_config(window: &Window, spec: &Spec) -> Object {
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
    number("maxLagMs", window.max_lag_ms.or_else(|| timestamps.then_some(0)));
    number(
        "watermarkEmitIntervalMs",
        window.watermark_emit_interval_ms.or_else(|| timestamps.then_some(1_000)),
    );
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
