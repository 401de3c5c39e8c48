//! A token bucket as a value: so many a second, with a second's worth at once.

use std::time::Duration;

/// Says how long to wait before the next one. Time is handed in, as time since any fixed start.
#[derive(Debug)]
pub(super) struct Bucket {
    interval: Duration,
    burst: Duration,
    /// When the bucket is full again if nothing more is taken.
    full_at: Duration,
}

impl Bucket {
    pub(super) fn new(per_second: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self { interval, burst: Duration::from_secs(1), full_at: Duration::ZERO }
    }

    /// Takes one, and says how long to wait until it is there.
    pub(super) fn take(&mut self, now: Duration) -> Duration {
        self.full_at = self.full_at.max(now) + self.interval;
        self.full_at.saturating_sub(now + self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_is_free_and_then_each_waits_its_turn() {
        let mut bucket = Bucket::new(10);
        let now = Duration::from_secs(5);
        for _ in 0..10 {
            assert_eq!(bucket.take(now), Duration::ZERO);
        }
        assert_eq!(bucket.take(now), Duration::from_millis(100));
        assert_eq!(bucket.take(now), Duration::from_millis(200));
    }

    #[test]
    fn the_bucket_fills_again_but_never_beyond_a_second_s_worth() {
        let mut bucket = Bucket::new(10);
        for _ in 0..10 {
            bucket.take(Duration::ZERO);
        }
        let later = Duration::from_hours(1);
        let free = (0..100).take_while(|_| bucket.take(later).is_zero()).count();
        assert_eq!(free, 10);
    }
}
