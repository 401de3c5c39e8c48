//! How long to wait before trying again, as a value.
//!
//! The decision is apart from the waiting: a [`Backoff`] says the next delay, and whoever drives it sleeps,
//! arms a timer, or, in a simulation, moves a clock. Under one seed the delays are always the same.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use serde::{Deserialize, Serialize};

/// How delays grow. The n-th delay is drawn from the upper half of `min × factor^n`, and never exceeds `max`:
/// enough jitter that a thousand clients of a server that came back do not arrive together, and never so little
/// delay that a failing server is hammered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// The first delay is between half of this and this. Default 250 ms: a restart on the other side takes longer.
    #[serde(with = "humantime_serde")]
    pub min: Duration,
    /// No delay is longer than this. Default 30 s: what a person still takes for "it comes back by itself".
    #[serde(with = "humantime_serde")]
    pub max: Duration,
    /// Each delay is about this many times the one before. Default 2; values below 1 are taken as 1.
    pub factor: f32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { min: Duration::from_millis(250), max: Duration::from_secs(30), factor: 2.0 }
    }
}

impl Policy {
    /// A policy with the default factor.
    pub fn between(min: Duration, max: Duration) -> Self {
        Self { min, max, ..Self::default() }
    }

    /// The first of an endless sequence of delays. Different callers pass different seeds; see [`seed`].
    pub fn start(self, seed: u64) -> Backoff {
        Backoff { policy: self, seed, delays: None }
    }

    fn delays(self, seed: u64) -> Delays {
        // The library adds up to the delay itself as jitter; half of the bounds therefore makes the bounds ours.
        let max = self.max / 2;
        ExponentialBuilder::new()
            .with_min_delay((self.min / 2).min(max))
            .with_max_delay(max)
            .with_factor(self.factor.max(1.0))
            .without_max_times()
            .with_jitter()
            .with_jitter_seed(seed)
            .build()
    }
}

type Delays = <ExponentialBuilder as BackoffBuilder>::Backoff;

/// A retry in progress: asks nothing, waits for nothing, never gives up.
#[derive(Debug)]
pub struct Backoff {
    policy: Policy,
    seed: u64,
    /// From the first failure on: of the thousands that could fail, few do.
    delays: Option<Box<Delays>>,
}

impl Backoff {
    /// How long to wait before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        let Self { policy, seed, delays } = self;
        delays.get_or_insert_with(|| Box::new(policy.delays(*seed))).next().unwrap_or(policy.max)
    }

    /// The attempt succeeded: the next failure starts again with the shortest delay.
    pub fn reset(&mut self) {
        self.seed = self.seed.wrapping_add(1);
        self.delays = None;
    }
}

/// A seed that differs from process to process and from call to call, for real programs.
///
/// Not for cryptography; it takes the random keys that the standard library gives its hash maps.
pub fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy =
        Policy { min: Duration::from_millis(100), max: Duration::from_secs(1), factor: 2.0 };

    fn first(count: usize, backoff: &mut Backoff) -> Vec<Duration> {
        (0..count).map(|_| backoff.next_delay()).collect()
    }

    #[test]
    fn each_delay_lies_in_the_upper_half_of_its_step_and_none_exceeds_the_maximum() {
        for seed in 0..200 {
            let delays = first(8, &mut POLICY.start(seed));
            for (delay, step) in delays.iter().zip([100, 200, 400, 800, 1000, 1000, 1000, 1000]) {
                let step = Duration::from_millis(step);
                assert!(
                    *delay >= step / 2 && *delay <= step,
                    "seed {seed}: {delay:?} is not within {step:?}"
                );
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_delays_and_another_seed_does_not() {
        assert_eq!(first(5, &mut POLICY.start(7)), first(5, &mut POLICY.start(7)));
        assert_ne!(first(5, &mut POLICY.start(7)), first(5, &mut POLICY.start(8)));
    }

    #[test]
    fn success_starts_over_with_the_shortest_delay() {
        let mut backoff = POLICY.start(1);
        first(6, &mut backoff);
        backoff.reset();
        assert!(backoff.next_delay() <= POLICY.min);
    }

    #[test]
    fn a_maximum_below_the_minimum_wins() {
        let policy = Policy::between(Duration::from_secs(10), Duration::from_secs(1));
        assert!(policy.start(3).next_delay() <= Duration::from_secs(1));
    }

    #[test]
    fn two_seeds_of_one_process_differ() {
        assert_ne!(seed(), seed());
    }
}
