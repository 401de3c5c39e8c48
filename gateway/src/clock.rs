//! The clock's times as the model writes them.

use std::time::{SystemTime, UNIX_EPOCH};

use isthmus_daemon::clock::Clock;
use isthmus_model::order::UnixMillis;

/// Now, by the wall.
pub(crate) fn unix_millis(clock: &dyn Clock) -> UnixMillis {
    millis_of(clock.now())
}

/// A moment in milliseconds; before 1970 it is 0.
pub(crate) fn millis_of(time: SystemTime) -> UnixMillis {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
