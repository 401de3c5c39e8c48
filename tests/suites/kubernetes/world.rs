//! A federation whose one cluster is a Kubernetes control plane. No node runs there, so that no pod ever starts, and what
//! becomes of a component ends with its StatefulSet.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use isthmus_proto::component::v1::{ClusterStatus, Component};
use isthmus_testbed::Cache;
use isthmus_testbed::kubernetes::{Client, ControlPlane, Extent, User};
use isthmus_tests::definitions::define;
use isthmus_tests::{Federation, PATIENCE, until};
use serde_json::{Value, json};

/// The cluster's name in the federation.
pub(super) const CLUSTER: &str = "east";
/// The Kubernetes namespace of all of it.
pub(super) const NAMESPACE: &str = "golden";

pub(super) struct World {
    pub(super) federation: Federation,
    pub(super) kubectl: Client,
    pub(super) plane: ControlPlane,
}

impl World {
    /// A whole control plane, and an agent that has joined and has the rights that the chart gives it, and no others.
    pub(super) async fn start() -> Result<Self> {
        let plane = plane().await?;
        let account = plane.kubeconfig_of(&User::named("system:serviceaccount:isthmus:isthmus-agent"))?;
        Self::over(plane, account.path()).await
    }

    /// The same with an agent that calls the API server as this file says.
    pub(super) async fn over(plane: ControlPlane, kubeconfig: &Path) -> Result<Self> {
        let settings = json!({
            "target": {
                "kubernetes": {"kubeconfig": kubeconfig, "namespaces": [NAMESPACE]},
                "custom_resources": {"namespace": NAMESPACE},
            },
            // Here all removals are meant.
            "delete_budget": {"percent": 100, "at_least": 1_000_000},
        });
        let federation = Federation::builder().agents([CLUSTER]).agent_settings(settings).start().await?;
        Ok(Self { federation, kubectl: plane.kubectl(), plane })
    }

    /// Deletes what is deployed, stops everything, and proves that nothing is left.
    pub(super) async fn end(self) -> Result<()> {
        self.federation.end().await?;
        Ok(self.plane.stop().await?)
    }

    /// An object of the namespace, if it is there.
    pub(super) async fn get(&self, kind: &str, name: &str) -> Result<Value, String> {
        let text = self.kubectl.call(&["get", kind, name, "-n", NAMESPACE, "-o", "json"]).await;
        serde_json::from_str(&text.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
    }

    /// The same, once `level` holds of it.
    pub(super) async fn until(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        level: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let seen = until(format!("{kind} {name}: {what}"), PATIENCE, async || {
            let object = self.get(kind, name).await?;
            if level(&object) { Ok(object) } else { Err(format!("{object:#}")) }
        });
        Ok(seen.await?)
    }

    /// Waits until there is no such object.
    pub(super) async fn until_gone(&self, kind: &str, name: &str) -> Result<()> {
        let gone =
            until(format!("{kind} {name} to go"), PATIENCE, async || match self.get(kind, name).await {
                Ok(object) => Err(format!("{object:#}")),
                Err(why) if why.contains("NotFound") => Ok(()),
                Err(why) => Err(why),
            });
        Ok(gone.await?)
    }

    /// How often the API server has done this to custom resources themselves, not to their status.
    pub(super) async fn writes(&self, verb: &str) -> Result<u64> {
        let metrics = self.kubectl.call(&["get", "--raw", "/metrics"]).await?;
        let counted = metrics.lines().filter(|line| line.starts_with("apiserver_request_total{"));
        let own =
            ["resource=\"functions\"".to_owned(), "subresource=\"\"".to_owned(), "code=\"20".to_owned()];
        let counted = counted.filter(|line| {
            own.iter().all(|label| line.contains(label)) && line.contains(&format!("verb=\"{verb}\""))
        });
        counted.map(|line| Ok(line.rsplit(' ').next().unwrap_or_default().parse::<u64>()?)).sum()
    }

    /// All custom resources by name.
    pub(super) async fn functions(&self) -> Result<BTreeMap<String, Value>> {
        let text = self.kubectl.call(&["get", "functions", "-n", NAMESPACE, "-o", "json"]).await?;
        let list: Value = serde_json::from_str(&text)?;
        let items = list["items"].as_array().context("a list")?.iter();
        Ok(items.map(|item| (text_of(&item["metadata"]["name"]), item.clone())).collect())
    }
}

/// A control plane with the definitions, the namespace, and the rights of the chart.
pub(super) async fn plane() -> Result<ControlPlane> {
    let cache = Cache::from_env()?;
    cache.kubernetes().await?;
    let plane = ControlPlane::start(&cache, Extent::Whole).await?;
    let kubectl = plane.kubectl();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests lie in the workspace")?;
    define(&kubectl).await?;
    for namespace in [NAMESPACE, "isthmus"] {
        kubectl.call(&["create", "namespace", namespace]).await?;
    }
    let chart = root.join("deploy/charts/isthmus-agent");
    let namespaces = format!("namespaces.names={{{NAMESPACE}}}");
    let chart = chart.to_string_lossy();
    let words = ["-n", "isthmus", "template", "isthmus-agent", &chart, "--kube-version=1.34"];
    let words = [&words[..], &["--set", &namespaces, "-s", "templates/role.yaml"]].concat();
    let rights = plane.helm().call(&words).await?;
    kubectl.call_with(&["apply", "-f", "-"], &rights).await?;
    Ok(plane)
}

/// What the gateway shows of the component in the one cluster.
pub(super) fn share(component: &Component) -> Option<&ClusterStatus> {
    component.status.as_ref()?.clusters.first()
}

pub(super) fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(super) fn annotation(object: &Value, key: &str) -> String {
    text_of(&object["metadata"]["annotations"][format!("isthmus.io/{key}")])
}
