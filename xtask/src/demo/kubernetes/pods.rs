//! The pods of functions as Kubernetes tells of them, not Isthmus: what Isthmus says of them is what is to be proved.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use isthmus_testbed::isthmus::charts::FUNCTIONS;
use serde_json::Value;

use super::stage::{CLUSTERS, Stage};

/// One pod.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pod {
    cluster: &'static str,
    name: String,
    /// How often its containers were started again.
    restarts: u64,
}

/// All of them at one moment, by UID.
#[derive(Debug, Default)]
pub(super) struct Pods(BTreeMap<String, Pod>);

impl Pods {
    /// Those that run functions, in all clusters.
    pub(super) async fn of_functions(stage: &Stage) -> Result<Self> {
        let mut all = BTreeMap::new();
        for (cluster, kubernetes) in CLUSTERS.into_iter().zip(stage.clusters()) {
            let call = ["get", "pods", "-n", FUNCTIONS, "-l", "component=function", "-o", "json"];
            let told = kubernetes.control_plane().kubectl().call(&call).await?;
            let told: Value = serde_json::from_str(&told).context("read what kubectl printed")?;
            all.extend(read(cluster, &told));
        }
        Ok(Self(all))
    }

    /// What is not as it was: pods that are gone, and containers that were started again.
    pub(super) fn restarts(&self, after: &Self) -> u64 {
        let restarts = self.0.iter().map(|(uid, before)| match after.0.get(uid) {
            Some(after) => after.restarts.saturating_sub(before.restarts),
            None => 1,
        });
        restarts.sum()
    }

    /// One line for each.
    pub(super) fn show(&self) {
        println!();
        for (uid, Pod { cluster, name, restarts }) in &self.0 {
            println!("{cluster}: pod {name} {uid}, {restarts} restarts");
        }
    }
}

fn read(cluster: &'static str, told: &Value) -> impl Iterator<Item = (String, Pod)> {
    let text =
        |pod: &Value, path: &str| pod.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let pods = told.get("items").and_then(Value::as_array).into_iter().flatten();
    pods.map(move |pod| {
        let containers = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
        let restarts =
            containers.into_iter().flatten().filter_map(|one| one.get("restartCount")?.as_u64()).sum();
        (text(pod, "/metadata/uid"), Pod { cluster, name: text(pod, "/metadata/name"), restarts })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pods(all: &[(&str, u64)]) -> Pods {
        let pod = |(uid, restarts): &(&str, u64)| {
            json!({
                "metadata": { "uid": uid, "name": format!("pod-{uid}") },
                "status": { "containerStatuses": [{ "restartCount": restarts }] },
            })
        };
        Pods(read("east", &json!({ "items": all.iter().map(pod).collect::<Vec<_>>() })).collect())
    }

    #[test]
    fn a_pod_that_was_replaced_counts_as_one_whose_container_was_started_again() {
        let before = pods(&[("a", 1), ("b", 0)]);

        assert_eq!(before.restarts(&pods(&[("a", 1), ("b", 0), ("c", 7)])), 0);
        assert_eq!(before.restarts(&pods(&[("a", 3), ("b", 0)])), 2);
        assert_eq!(before.restarts(&pods(&[("a", 1), ("c", 0)])), 1);
    }
}
