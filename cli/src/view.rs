//! From the wire to what is printed: columns for people, values for programs. Pure, so that golden files can hold it fast.

use isthmus_model::order::UnixMillis;
use isthmus_proto::convert::time;
use prost_types::Timestamp;
use serde_json::{Value, json};

pub(crate) mod component;
pub(crate) mod change;
pub(crate) mod explanation;
pub(crate) mod describe;
pub(crate) mod cluster;
pub(crate) mod pulsar_cluster;
pub(crate) mod package;
pub(crate) mod access;

/// What stands where there is nothing.
pub(crate) const NOTHING: &str = "-";

/// The text, or a dash.
pub(crate) fn or_dash(text: &str) -> String {
    if text.is_empty() { NOTHING.to_owned() } else { text.to_owned() }
}

/// How long ago, as kubectl writes it: the two greatest units, or one when there are many of it.
pub(crate) fn age(then: Option<&Timestamp>, now: UnixMillis) -> String {
    match then {
        None => NOTHING.to_owned(),
        Some(then) => span(now.0.saturating_sub(time::unix_millis(then).0) / 1000),
    }
}

fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |great: u64, word: &str, small: u64, small_word: &str| match small {
        0 => format!("{great}{word}"),
        _ => format!("{great}{word}{small}{small_word}"),
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        _ => two(days / 365, "y", days % 365, "d"),
    }
}

/// A moment as RFC 3339 in UTC; null when there is none.
pub(crate) fn moment(timestamp: Option<&Timestamp>) -> Value {
    timestamp.and_then(|at| rfc3339(time::unix_millis(at))).map_or(Value::Null, |text| json!(text))
}

/// A moment as RFC 3339 in UTC; none where the calendar ends.
pub(crate) fn rfc3339(UnixMillis(millis): UnixMillis) -> Option<String> {
    let millis = i64::try_from(millis).ok()?;
    jiff::Timestamp::from_millisecond(millis).ok().map(|at| at.to_string())
}

/// A size in bytes for people.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut whole, mut tenth, mut unit) = (bytes, 0, 0);
    while whole >= 1024 && unit + 1 < UNITS.len() {
        (whole, tenth, unit) = (whole / 1024, whole % 1024 * 10 / 1024, unit + 1);
    }
    let word = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 || whole >= 10 { format!("{whole} {word}") } else { format!("{whole}.{tenth} {word}") }
}

/// `value` without members that are null, empty or false.
pub(crate) fn lean(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, lean(value)));
            Value::Object(fields.filter(|(_, value)| !says_nothing(value)).collect())
        }
        other => other,
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
