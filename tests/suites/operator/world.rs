//! A Kubernetes with the definitions of the custom resources, and an operator that can be stopped and started again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use isthmus_agent::operator::{Between, Config, Operator};
use isthmus_testbed::Cache;
use isthmus_testbed::kubernetes::{Client, ControlPlane, Extent, Kubeconfig, User};
use isthmus_tests::definitions::define;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The namespace of all of it.
pub(super) const NAMESPACE: &str = "golden";

pub(super) struct World {
    pub(super) plane: ControlPlane,
    pub(super) kubectl: Client,
    /// Whom the operator calls the API server as: with the rights that the chart gives it, and no others.
    account: Kubeconfig,
    operator: Option<(CancellationToken, JoinHandle<()>)>,
}

impl World {
    /// Nothing is reconciled yet.
    pub(super) async fn start(extent: Extent) -> Result<Self> {
        let cache = Cache::from_env()?;
        cache.kubernetes().await?;
        let plane = ControlPlane::start(&cache, extent).await?;
        let kubectl = plane.kubectl();
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests lie in the workspace")?;
        define(&kubectl).await?;
        kubectl.call(&["create", "namespace", NAMESPACE]).await?;
        let config = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop-pulsar", "namespace": NAMESPACE},
            "data": {"webServiceURL": "http://pulsar:8080", "brokerServiceURL": "pulsar://pulsar:6650"},
        });
        kubectl.call_with(&["apply", "-f", "-"], &config.to_string()).await?;
        let chart = root.join("deploy/charts/isthmus-agent");
        let rights =
            ["-n", "isthmus", "template", "isthmus-agent", &chart.to_string_lossy(), "--kube-version=1.34"];
        let rights =
            [&rights[..], &["--set", "namespaces.all=true", "-s", "templates/clusterrole.yaml"]].concat();
        let rights = plane.helm().call(&rights).await?;
        kubectl.call_with(&["apply", "-f", "-"], &rights).await?;
        let account = plane.kubeconfig_of(&User::named("system:serviceaccount:isthmus:isthmus-agent"))?;
        Ok(Self { plane, kubectl, account, operator: None })
    }

    /// Whom an operator calls the API server as.
    pub(super) fn account(&self) -> &Path {
        self.account.path()
    }

    /// Gives that account the right to a Lease in this namespace, as the chart does.
    pub(super) async fn grant_lease(&self, namespace: &str) -> Result<()> {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests lie in the workspace")?;
        let chart = root.join("deploy/charts/isthmus-agent");
        let words =
            ["-n", namespace, "template", "isthmus-agent", &chart.to_string_lossy(), "--kube-version=1.34"];
        let words = [&words[..], &["--set", "replicas=2", "-s", "templates/lease-role.yaml"]].concat();
        let rights = self.plane.helm().call(&words).await?;
        self.kubectl.call(&["create", "namespace", namespace]).await?;
        self.kubectl.call_with(&["apply", "-f", "-"], &rights).await?;
        Ok(())
    }

    /// Starts the operator.
    pub(super) async fn reconcile(&mut self) -> Result<()> {
        self.start_operator(None).await
    }

    /// Starts the operator with something between two of its stages, which gets namespace and name.
    pub(super) async fn reconcile_with(
        &mut self,
        between: impl Fn(&str, &str) + Send + Sync + 'static,
    ) -> Result<()> {
        self.start_operator(Some(Arc::new(between))).await
    }

    async fn start_operator(&mut self, between: Option<Between>) -> Result<()> {
        let config = Config {
            kubeconfig: Some(self.account.path().to_path_buf()),
            resync: Duration::from_mins(10),
            ..Config::default()
        };
        let operator = Operator::new(isthmus_agent::operator::client(&config).await?, config);
        let operator = match between {
            Some(between) => operator.with(between),
            None => operator,
        };
        let stop = CancellationToken::new();
        self.operator = Some((stop.clone(), tokio::spawn(operator.run(stop))));
        Ok(())
    }

    /// Stops the operator when its passes have come to their end.
    pub(super) async fn rest(&mut self) -> Result<()> {
        if let Some((stop, runs)) = self.operator.take() {
            stop.cancel();
            runs.await?;
        }
        Ok(())
    }

    /// Applies a manifest as a person does.
    pub(super) async fn apply(&self, manifest: &Value) -> Result<()> {
        self.kubectl.call_with(&["apply", "-f", "-"], &manifest.to_string()).await?;
        Ok(())
    }

    /// An object of the namespace, if it is there.
    pub(super) async fn get(&self, kind: &str, name: &str) -> Result<Value, String> {
        let text = self.kubectl.call(&["get", kind, name, "-n", NAMESPACE, "-o", "json"]).await;
        let text = text.map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    /// The same, once `level` holds of it.
    pub(super) async fn until(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        level: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let seen = isthmus_tests::until(format!("{kind} {name}: {what}"), isthmus_tests::SOON, async || {
            let object = self.get(kind, name).await?;
            if level(&object) { Ok(object) } else { Err(format!("{:#}", slim(object))) }
        });
        Ok(seen.await?)
    }

    /// Waits until there is no such object.
    pub(super) async fn until_gone(&self, kind: &str, name: &str) -> Result<()> {
        let gone = isthmus_tests::until(format!("{kind} {name} to go"), isthmus_tests::SOON, async || {
            match self.get(kind, name).await {
                Ok(object) => Err(format!("{:#}", slim(object))),
                Err(why) if why.contains("NotFound") => Ok(()),
                Err(why) => Err(why),
            }
        });
        Ok(gone.await?)
    }

    /// Writes that the API server has counted: of custom resources and of their children.
    pub(super) async fn writes(&self) -> Result<u64> {
        let metrics = self.kubectl.call(&["get", "--raw", "/metrics"]).await?;
        let ours = [
            "functions",
            "functionmeshes",
            "sources",
            "sinks",
            "statefulsets",
            "services",
            "horizontalpodautoscalers",
            "secrets",
        ];
        let counted = metrics.lines().filter(|line| line.starts_with("apiserver_request_total{"));
        let counted = counted.filter(|line| {
            ours.iter().any(|resource| line.contains(&format!("resource=\"{resource}\"")))
                && ["APPLY", "PATCH", "PUT", "POST", "DELETE"]
                    .iter()
                    .any(|verb| line.contains(&format!("verb=\"{verb}\"")))
        });
        counted.map(|line| Ok(line.rsplit(' ').next().unwrap_or_default().parse::<u64>()?)).sum()
    }
}

fn slim(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
        metadata.remove("annotations");
    }
    json!({"metadata": object["metadata"], "status": object["status"], "replicas": object["spec"]["replicas"]})
}

/// A manifest that was written for Function Mesh, under another name.
pub(super) fn manifest(case: &str, name: &str) -> Result<Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/function-mesh");
    let text = std::fs::read(folder.join(case)).with_context(|| case.to_owned())?;
    let mut manifest: Value = serde_saphyr::from_slice(&text)?;
    manifest["metadata"]["name"] = json!(name);
    Ok(manifest)
}

/// What its status says of the whole.
pub(super) fn reason(resource: &Value) -> &str {
    resource["status"]["conditions"]["Ready"]["reason"].as_str().unwrap_or("no condition")
}
