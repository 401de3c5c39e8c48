//! What the demo proves, as its last line.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

/// Counted by message id by a consumer that is not part of Isthmus, and by process id and start time.
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
    /// Instances that were not there any more, or started anew, after the agent was killed and started again.
    pub(super) process_restarts: usize,
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
        self.lost == 0 && self.process_restarts == 0 && self.messages_in > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_one_json_object_in_the_documented_order() {
        let outcome = Outcome {
            demo: "local",
            functions: 2,
            clusters: 2,
            messages_in: 200,
            messages_out: 199,
            lost: 1,
            process_restarts: 0,
        };

        let line = outcome.line(Duration::from_millis(61_480)).unwrap();

        let expected = r#"{"demo":"local","functions":2,"clusters":2,"messages_in":200,"messages_out":199,"lost":1,"process_restarts":0,"seconds":61.5}"#;
        assert_eq!(line, expected);
        assert!(!outcome.holds());
    }
}
