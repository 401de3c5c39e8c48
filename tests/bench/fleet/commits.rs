//! How long each commit of an inbox took: one of the agents' own metrics, kept exactly and not in buckets.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use parking_lot::Mutex;

/// The metric.
const NAME: &str = "isthmus_inbox_commit_seconds";

/// Writes down each value of the metric, and drops all other metrics.
#[derive(Debug, Clone)]
struct Commits(Arc<Mutex<File>>);

/// Records for the life of the process.
pub(super) fn record(path: &Path) -> Result<()> {
    let file = File::options().create(true).append(true).open(path);
    let file = file.with_context(|| format!("open {}", path.display()))?;
    metrics::set_global_recorder(Commits(Arc::new(Mutex::new(file)))).context("record metrics")
}

/// What was recorded, oldest first.
pub(crate) fn read(path: &Path) -> Vec<Duration> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok().map(Duration::from_nanos)).collect()
}

impl HistogramFn for Commits {
    fn record(&self, seconds: f64) {
        let nanos = Duration::from_secs_f64(seconds).as_nanos();
        // A line that is lost is one of thousands.
        let _lost = self.0.lock().write_all(format!("{nanos}\n").as_bytes());
    }
}

impl Recorder for Commits {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        if key.name() == NAME { Histogram::from_arc(Arc::new(self.clone())) } else { Histogram::noop() }
    }
}
