//! When to speak, when silence means that the other side is gone, and when a disagreement is more than a crossing of frames.

use std::time::Duration;

/// A gateway that names no interval, or an absurd one, does not make the agent spin.
const SHORTEST: Duration = Duration::from_millis(50);
/// Heartbeats in a row that disagree before it counts: the first may have crossed a change on its way.
const DISAGREEMENTS: u32 = 3;

/// The rhythm of one session.
#[derive(Debug)]
pub(super) struct Beat {
    interval: Option<Duration>,
    timeout: Duration,
    next: Duration,
    heard: Duration,
    disagreements: u32,
}

impl Beat {
    /// Nothing is said until the gateway has answered, which it must do within `timeout`.
    pub(super) fn greeting(now: Duration, timeout: Duration) -> Self {
        Self { interval: None, timeout, next: now, heard: now, disagreements: 0 }
    }

    /// As the gateway says.
    pub(super) fn established(now: Duration, interval: Duration, timeout: Duration) -> Self {
        let interval = interval.max(SHORTEST);
        let timeout = timeout.max(interval.saturating_mul(2));
        Self {
            interval: Some(interval),
            timeout,
            next: now.saturating_add(interval),
            heard: now,
            disagreements: 0,
        }
    }

    pub(super) fn heard(&mut self, now: Duration) {
        self.heard = now;
    }

    pub(super) fn deadline(&self) -> Duration {
        let silence = self.heard.saturating_add(self.timeout);
        if self.interval.is_some() { silence.min(self.next) } else { silence }
    }

    /// How long the gateway has been silent, if that is too long.
    pub(super) fn silence(&self, now: Duration) -> Option<Duration> {
        let silence = now.saturating_sub(self.heard);
        (silence >= self.timeout).then_some(silence)
    }

    /// Whether a heartbeat is due; then the next one is due an interval later.
    pub(super) fn is_due(&mut self, now: Duration) -> bool {
        let Some(interval) = self.interval.filter(|_| now >= self.next) else { return false };
        self.next = now.saturating_add(interval);
        true
    }

    /// Takes note whether a heartbeat disagreed. Returns whether it has gone on for too long.
    pub(super) fn disagrees(&mut self, disagrees: bool) -> bool {
        self.disagreements = if disagrees { self.disagreements + 1 } else { 0 };
        self.disagreements >= DISAGREEMENTS
    }
}
