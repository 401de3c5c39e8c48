//! Many durations, as what is said of them.

use std::time::Duration;

/// The middle and the far end of many durations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Latency {
    /// Half took no longer.
    pub(crate) p50: Duration,
    /// 99 % took no longer.
    pub(crate) p99: Duration,
}

impl Latency {
    /// `None` when nothing was measured.
    pub(crate) fn of(mut all: Vec<Duration>) -> Option<Self> {
        all.sort_unstable();
        Some(Self { p50: at(&all, 50)?, p99: at(&all, 99)? })
    }
}

/// The smallest that at least `percent` of all do not exceed.
fn at(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_durations() {
        let all = (1..=200).rev().map(Duration::from_millis).collect();
        let latency = Latency::of(all).unwrap();
        assert_eq!((latency.p50, latency.p99), (Duration::from_millis(100), Duration::from_millis(198)));
        assert_eq!(Latency::of(vec![]), None);
    }
}
