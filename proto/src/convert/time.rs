//! Moments and spans, between the wire's well-known types and the model's milliseconds.

use isthmus_model::order::UnixMillis;
use prost_types::{Duration, Timestamp};

/// A moment on the wire. Moments after the year 292 million become the last one that the wire can hold.
pub fn timestamp(UnixMillis(millis): UnixMillis) -> Timestamp {
    let nanos = i32::try_from(millis % 1000).unwrap_or(0) * 1_000_000;
    Timestamp { seconds: i64::try_from(millis / 1000).unwrap_or(i64::MAX), nanos }
}

/// A moment of the wire, cut to milliseconds; what lies before 1970 becomes 1970.
pub fn unix_millis(timestamp: &Timestamp) -> UnixMillis {
    let Ok(seconds) = u64::try_from(timestamp.seconds) else { return UnixMillis(0) };
    let millis = u64::try_from(timestamp.nanos / 1_000_000).unwrap_or(0);
    UnixMillis(seconds.saturating_mul(1000).saturating_add(millis))
}

/// A span on the wire.
pub fn duration(span: std::time::Duration) -> Duration {
    Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(span.subsec_nanos()).unwrap_or(0),
    }
}

/// A span of the wire; a negative one is none.
pub fn span(duration: &Duration) -> Option<std::time::Duration> {
    let seconds = u64::try_from(duration.seconds).ok()?;
    let nanos = u32::try_from(duration.nanos).ok()?;
    Some(
        std::time::Duration::from_secs(seconds).saturating_add(std::time::Duration::from_nanos(nanos.into())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_keeps_its_milliseconds() {
        for millis in [0, 1, 999, 1_000, 1_763_000_000_123] {
            assert_eq!(unix_millis(&timestamp(UnixMillis(millis))), UnixMillis(millis));
        }
    }

    #[test]
    fn a_moment_before_1970_and_a_negative_span_do_not_wrap_around() {
        assert_eq!(unix_millis(&Timestamp { seconds: -5, nanos: 0 }), UnixMillis(0));
        assert_eq!(span(&Duration { seconds: -5, nanos: 0 }), None);
    }
}
