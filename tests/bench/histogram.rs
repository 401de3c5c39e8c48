//! Histograms as the gateway's metrics port shows them, and what happened between two looks.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::latency::Latency;

/// How many values were at most so large, for each bound of the buckets.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Histogram(BTreeMap<Duration, u64>);

impl Histogram {
    /// Reads one from the text of all metrics. What lies beyond the last bound counts as that.
    pub(crate) fn read(metrics: &str, name: &str) -> Self {
        let bucket = |line: &str| {
            let (bound, count) =
                line.strip_prefix(name)?.strip_prefix("_bucket{le=\"")?.split_once("\"} ")?;
            let bound = bound.parse::<f64>().ok().filter(|bound| bound.is_finite())?;
            Some((Duration::from_secs_f64(bound), count.trim().parse().ok()?))
        };
        Self(metrics.lines().filter_map(bucket).collect())
    }

    /// What came since an earlier look; `None` when nothing did.
    pub(crate) fn since(&self, earlier: &Self) -> Option<Latency> {
        let count = |(bound, count): (&Duration, &u64)| {
            (*bound, count.saturating_sub(earlier.0.get(bound).copied().unwrap_or(0)))
        };
        let buckets: Vec<(Duration, u64)> = self.0.iter().map(count).collect();
        Some(Latency { p50: quantile(&buckets, 0.50)?, p99: quantile(&buckets, 0.99)? })
    }
}

/// As if the values of a bucket lay evenly in it.
fn quantile(buckets: &[(Duration, u64)], part: f64) -> Option<Duration> {
    let (_, all) = *buckets.last().filter(|(_, all)| *all > 0)?;
    let rank = part * all as f64;
    let (mut below, mut lower) = (0, Duration::ZERO);
    for (bound, count) in buckets {
        if *count as f64 >= rank {
            let inside = (rank - below as f64) / (count - below).max(1) as f64;
            return Some(lower + bound.saturating_sub(lower).mul_f64(inside.clamp(0.0, 1.0)));
        }
        (below, lower) = (*count, *bound);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_since_counts_and_lies_evenly_within_its_bucket() {
        let text = |first, second| {
            format!(
                "# TYPE t histogram\nt_bucket{{le=\"0.001\"}} {first}\nt_bucket{{le=\"0.003\"}} {second}\nt_bucket{{le=\"+Inf\"}} 999\nt_sum 1\n"
            )
        };
        let (before, after) =
            (Histogram::read(&text(900, 950), "t"), Histogram::read(&text(910, 1_050), "t"));
        let came = after.since(&before).unwrap();
        // Ten below a millisecond, ninety between one and three.
        assert_eq!(came.p50, Duration::from_millis(1) + Duration::from_nanos(888_889));
        assert!(came.p99 > Duration::from_micros(2_900), "{came:?}");
        assert_eq!(before.since(&before), None);
        assert_eq!(Histogram::read(&text(1, 1), "other"), Histogram::default());
    }
}
