//! Heartbeats to Healthy, Suspect, Disconnected: a value that is told what was heard and when.
//!
//! Only transitions leave it, and each becomes a command, so that decisions see health as part of the log and never a
//! clock.

use std::collections::BTreeMap;
use std::time::Duration;

use isthmus_model::cluster::Health;
use isthmus_model::name::ClusterName;
use serde::{Deserialize, Serialize};

/// How patient the gateway is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// How often both sides send a heartbeat. Default 5 s.
    #[serde(with = "humantime_serde")]
    pub beat: Duration,
    /// After so long without a word a cluster is suspect, and nothing new is placed there. Default 15 s: three beats.
    #[serde(with = "humantime_serde")]
    pub suspect_after: Duration,
    /// After so long without a word a cluster is disconnected: its lease is over. Default 60 s.
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            beat: Duration::from_secs(5),
            suspect_after: Duration::from_secs(15),
            lease: Duration::from_mins(1),
        }
    }
}

/// What was heard of one cluster.
#[derive(Debug, Clone, Copy)]
struct Heard {
    last: Duration,
    health: Health,
}

/// How well every cluster's session is. Times are since boot, so that a suspended gateway does not think that no time passed.
#[derive(Debug)]
pub struct Monitor {
    config: Config,
    clusters: BTreeMap<ClusterName, Heard>,
}

impl Monitor {
    /// Takes every cluster as heard of just now, at the health that the store has for it: a gateway that was away must not
    /// hold its own absence against the clusters.
    pub fn new(
        config: Config,
        now: Duration,
        known: impl IntoIterator<Item = (ClusterName, Health)>,
    ) -> Self {
        let clusters = known.into_iter().map(|(name, health)| (name, Heard { last: now, health })).collect();
        Self { config, clusters }
    }

    /// A frame came from a cluster. Returns its new health if that changed.
    pub fn heard(&mut self, cluster: &ClusterName, now: Duration) -> Option<Health> {
        let Some(heard) = self.clusters.get_mut(cluster) else {
            self.clusters.insert(cluster.clone(), Heard { last: now, health: Health::Healthy });
            return Some(Health::Healthy);
        };
        heard.last = heard.last.max(now);
        let changed = heard.health != Health::Healthy;
        heard.health = Health::Healthy;
        changed.then_some(Health::Healthy)
    }

    /// Time passed. Returns every cluster whose health changed by that, with its new health.
    pub fn tick(&mut self, now: Duration) -> Vec<(ClusterName, Health)> {
        let config = self.config;
        let changed = |(name, heard): (&ClusterName, &mut Heard)| {
            let health = judge(config, now.saturating_sub(heard.last)).max(heard.health);
            (health != heard.health).then(|| {
                heard.health = health;
                (name.clone(), health)
            })
        };
        self.clusters.iter_mut().filter_map(changed).collect()
    }

    /// A cluster does not belong to the federation any more.
    pub fn forget(&mut self, cluster: &ClusterName) {
        self.clusters.remove(cluster);
    }

    /// How long ago a cluster was heard of; `None` when never.
    pub fn silence(&self, cluster: &ClusterName, now: Duration) -> Option<Duration> {
        Some(now.saturating_sub(self.clusters.get(cluster)?.last))
    }
}

/// Silence alone makes health only worse; it gets better by a word.
fn judge(config: Config, silence: Duration) -> Health {
    match silence {
        silence if silence >= config.lease => Health::Disconnected,
        silence if silence >= config.suspect_after => Health::Suspect,
        _ => Health::Healthy,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn east() -> ClusterName {
        ClusterName::new("east").unwrap()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn silence_makes_a_cluster_suspect_then_disconnected_and_a_word_heals_it() {
        let mut monitor = Monitor::new(Config::default(), seconds(100), []);
        assert_eq!(monitor.heard(&east(), seconds(100)), Some(Health::Healthy));
        assert_eq!(monitor.heard(&east(), seconds(105)), None);
        assert_eq!(monitor.tick(seconds(119)), []);
        assert_eq!(monitor.tick(seconds(120)), [(east(), Health::Suspect)]);
        assert_eq!(monitor.tick(seconds(121)), []);
        assert_eq!(monitor.tick(seconds(165)), [(east(), Health::Disconnected)]);
        assert_eq!(monitor.heard(&east(), seconds(200)), Some(Health::Healthy));
    }

    #[test]
    fn a_gateway_that_starts_gives_every_cluster_a_full_lease() {
        let mut monitor = Monitor::new(Config::default(), seconds(1000), [(east(), Health::Healthy)]);
        assert_eq!(monitor.tick(seconds(1014)), []);
        assert_eq!(monitor.tick(seconds(1060)), [(east(), Health::Disconnected)]);
    }

    #[test]
    fn a_cluster_that_was_disconnected_before_the_start_stays_so_until_it_is_heard() {
        let mut monitor = Monitor::new(Config::default(), seconds(0), [(east(), Health::Disconnected)]);
        assert_eq!(monitor.tick(seconds(1)), []);
        assert_eq!(monitor.heard(&east(), seconds(2)), Some(Health::Healthy));
    }

    proptest! {
        #[test]
        fn a_cluster_is_never_disconnected_before_its_lease_and_never_healthy_after_it(
            steps in proptest::collection::vec((any::<bool>(), 0_u64..40), 1..60)
        ) {
            let config = Config::default();
            let mut monitor = Monitor::new(config, Duration::ZERO, [(east(), Health::Healthy)]);
            let (mut now, mut last, mut health) = (Duration::ZERO, Duration::ZERO, Health::Healthy);
            for (speaks, passed) in steps {
                now += seconds(passed);
                if speaks {
                    last = now;
                    health = monitor.heard(&east(), now).unwrap_or(health);
                    prop_assert_eq!(health, Health::Healthy);
                } else {
                    for (_, changed) in monitor.tick(now) {
                        health = changed;
                    }
                    prop_assert_eq!(health == Health::Disconnected, now.saturating_sub(last) >= config.lease);
                    prop_assert_eq!(health == Health::Healthy, now.saturating_sub(last) < config.suspect_after);
                }
            }
        }
    }
}
