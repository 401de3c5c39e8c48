//! What the demo proves, as its last line.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

/// Counted by message id by a consumer that is not part of Isthmus.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) demo: &'static str,
    pub(super) functions: usize,
    pub(super) clusters: usize,
    /// Messages that Pulsar acknowledged.
    pub(super) messages_in: usize,
    /// Different ones of them that came out.
    pub(super) messages_out: usize,
    /// Those that did not.
    pub(super) lost: usize,
    #[serde(flatten)]
    pub(super) trouble: Trouble,
}

/// What the trouble that was made came to.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub(super) enum Trouble {
    /// An agent was killed.
    Agent {
        /// Instances that were not there any more, or started anew, by process id and start time.
        process_restarts: usize,
    },
    /// A cluster's uplink was cut.
    Uplink {
        /// Pods that were not there any more, by UID, and containers that were started again.
        pod_restarts: u64,
        /// From the heal until the gateway knew again how everything stands, in a hundredth of a second.
        resync_seconds: f64,
    },
}

impl Trouble {
    /// What the gateway may need to be in step again.
    const RESYNC_SECONDS: f64 = 5.0;

    fn is_none(self) -> bool {
        match self {
            Self::Agent { process_restarts } => process_restarts == 0,
            Self::Uplink { pod_restarts, resync_seconds } => {
                pod_restarts == 0 && resync_seconds <= Self::RESYNC_SECONDS
            }
        }
    }
}

/// The line.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    outcome: &'a Outcome,
    seconds: f64,
}

impl Outcome {
    /// As one JSON object, with the time that it all took.
    pub(super) fn line(&self, took: Duration) -> Result<String> {
        let seconds = (took.as_secs_f64() * 10.0).round() / 10.0;
        serde_json::to_string(&Line { outcome: self, seconds }).context("write the outcome")
    }

    /// Whether the promises were kept.
    pub(super) fn holds(&self) -> bool {
        self.lost == 0 && self.messages_in > 0 && self.trouble.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(demo: &'static str, lost: usize, trouble: Trouble) -> Outcome {
        Outcome { demo, functions: 2, clusters: 2, messages_in: 200, messages_out: 200 - lost, lost, trouble }
    }

    #[test]
    fn the_last_line_is_one_json_object_in_the_documented_order() {
        let outcome = outcome("local", 1, Trouble::Agent { process_restarts: 0 });

        let line = outcome.line(Duration::from_millis(61_480)).unwrap();

        let expected = r#"{"demo":"local","functions":2,"clusters":2,"messages_in":200,"messages_out":199,"lost":1,"process_restarts":0,"seconds":61.5}"#;
        assert_eq!(line, expected);
        assert!(!outcome.holds());
    }

    #[test]
    fn a_cluster_that_was_cut_off_must_be_in_step_soon_and_have_kept_its_pods() {
        let uplink = |pod_restarts, resync_seconds| {
            outcome("kubernetes", 0, Trouble::Uplink { pod_restarts, resync_seconds })
        };

        let line = uplink(0, 2.35).line(Duration::from_secs(150)).unwrap();

        let expected = r#"{"demo":"kubernetes","functions":2,"clusters":2,"messages_in":200,"messages_out":200,"lost":0,"pod_restarts":0,"resync_seconds":2.35,"seconds":150.0}"#;
        assert_eq!(line, expected);
        assert!(uplink(0, 5.0).holds() && !uplink(1, 1.0).holds() && !uplink(0, 5.1).holds());
    }
}
