//! What an API server counts of the requests that it has answered, as it shows it to Prometheus.

use std::collections::BTreeMap;

/// The counter.
const NAME: &str = "apiserver_request_total{";

/// What custom resources of ours become and are made of. The API server itself and the rest of the world write others.
const RESOURCES: [&str; 10] = [
    "functions",
    "sources",
    "sinks",
    "functionmeshes",
    "statefulsets",
    "services",
    "horizontalpodautoscalers",
    "verticalpodautoscalers",
    "secrets",
    "configmaps",
];

/// Verbs that change something, in the words of the metric.
const WRITES: [&str; 6] = ["APPLY", "DELETE", "DELETECOLLECTION", "PATCH", "POST", "PUT"];

/// Verbs that read and end.
const READS: [&str; 2] = ["GET", "LIST"];

/// Requests about our resources by verb and resource, with the subresource where there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Requests(BTreeMap<(String, String), u64>);

impl Requests {
    /// Reads what the API server shows.
    pub(crate) fn read(metrics: &str) -> Self {
        let mut all = BTreeMap::new();
        for (labels, count) in metrics.lines().filter_map(|line| line.strip_prefix(NAME)?.split_once("} ")) {
            let label = |name: &str| {
                labels.split(',').find_map(|label| {
                    label.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"').map(str::to_owned)
                })
            };
            let (Some(verb), Some(resource)) = (label("verb"), label("resource")) else { continue };
            if !RESOURCES.contains(&resource.as_str()) {
                continue;
            }
            let what = match label("subresource") {
                Some(part) if !part.is_empty() => format!("{resource}/{part}"),
                _ => resource,
            };
            *all.entry((verb, what)).or_default() += count.trim().parse::<u64>().unwrap_or_default();
        }
        Self(all)
    }

    /// Those that came since.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let came = self.0.iter().map(|(key, count)| {
            (key.clone(), count.saturating_sub(before.0.get(key).copied().unwrap_or_default()))
        });
        Self(came.filter(|(_, count)| *count > 0).collect())
    }

    /// How many wrote something.
    pub(crate) fn writes(&self) -> u64 {
        self.of(&WRITES)
    }

    /// How many read something.
    pub(crate) fn reads(&self) -> u64 {
        self.of(&READS)
    }

    fn of(&self, verbs: &[&str]) -> u64 {
        self.0.iter().filter(|((verb, _), _)| verbs.contains(&verb.as_str())).map(|(_, count)| count).sum()
    }

    /// As text, for each of so many.
    pub(crate) fn each(&self, of: u64) -> String {
        let ended =
            self.0.iter().filter(|((verb, _), _)| WRITES.contains(&&**verb) || READS.contains(&&**verb));
        let each = ended
            .map(|((verb, what), count)| format!("{verb} {what} {:.2}", *count as f64 / of.max(1) as f64));
        each.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = r#"# TYPE apiserver_request_total counter
apiserver_request_total{code="201",component="apiserver",dry_run="",group="apps",resource="statefulsets",scope="resource",subresource="",verb="APPLY",version="v1"} 500
apiserver_request_total{code="200",component="apiserver",dry_run="",group="apps",resource="statefulsets",scope="resource",subresource="",verb="APPLY",version="v1"} 2
apiserver_request_total{code="404",component="apiserver",dry_run="",group="apps",resource="statefulsets",scope="resource",subresource="",verb="GET",version="v1"} 7
apiserver_request_total{code="200",component="apiserver",dry_run="",group="compute.functionmesh.io",resource="functions",scope="resource",subresource="status",verb="PUT",version="v1alpha1"} 500
apiserver_request_total{code="200",component="apiserver",dry_run="",group="coordination.k8s.io",resource="leases",scope="resource",subresource="",verb="PUT",version="v1"} 90
apiserver_request_total{code="0",component="apiserver",dry_run="",group="apps",resource="statefulsets",scope="cluster",subresource="",verb="WATCH",version="v1"} 3
apiserver_request_duration_seconds_count{resource="statefulsets",verb="GET"} 7
"#;

    #[test]
    fn writes_and_reads_of_ours_are_counted_whatever_their_answer_and_nobody_elses() {
        let requests = Requests::read(SHOWN);
        assert_eq!((requests.writes(), requests.reads()), (1002, 7));
    }

    #[test]
    fn what_came_since_is_told_for_each() {
        let before = Requests::read(&SHOWN.replace("} 500", "} 250"));
        let came = Requests::read(SHOWN).since(&before);
        assert_eq!(came.each(250), "APPLY statefulsets 1.00, PUT functions/status 1.00");
        assert_eq!(came.since(&came), Requests::default());
    }
}
