//! A real API server for a part of the bench, without the controllers that would make more of what is written: every request
//! that it counts is of who is measured.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::StreamExt;
use isthmus_agent::operator;
use isthmus_testbed::Cache;
use isthmus_testbed::kubernetes::{ControlPlane, Extent, User};
use isthmus_tests::definitions::define;
use kube::api::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::deploy;
use crate::requests::Requests;

/// Where the agent's resources stand.
pub(crate) const OURS: &str = "ours";

/// Where the reference's stand, which the agent does not look at.
pub(crate) const THEIRS: &str = "theirs";

/// The ConfigMap with Pulsar's addresses that hand-written resources name.
const PULSAR: &str = "bench-pulsar";

/// Custom resources of ours, by their plural.
const RESOURCES: &str = "/apis/compute.functionmesh.io/v1alpha1";

/// The API server and a client that may do everything.
pub(crate) struct Kubernetes {
    pub(crate) plane: ControlPlane,
    pub(crate) client: kube::Client,
}

impl Kubernetes {
    /// Starts one with the definitions, the agent's rights, and the namespaces.
    pub(crate) async fn start(cache: &Cache) -> Result<Self> {
        let plane = ControlPlane::start(cache, Extent::ApiServer).await?;
        let kubectl = plane.kubectl();
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the bench lies in the workspace")?;
        define(&kubectl).await?;
        for namespace in [OURS, THEIRS] {
            kubectl.call(&["create", "namespace", namespace]).await?;
            let addresses = json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PULSAR, "namespace": namespace},
                "data": {"webServiceURL": "http://127.0.0.1:1", "brokerServiceURL": "pulsar://127.0.0.1:1"},
            });
            kubectl.call_with(&["apply", "-f", "-"], &addresses.to_string()).await?;
        }
        let chart = root.join("deploy/charts/isthmus-agent");
        let chart = chart.to_string_lossy();
        let rights = ["-n", "isthmus", "template", "isthmus-agent", &chart, "--kube-version=1.34", "--set"];
        let rights = [&rights[..], &["namespaces.all=true", "-s", "templates/clusterrole.yaml"]].concat();
        let rights = plane.helm().call(&rights).await?;
        kubectl.call_with(&["apply", "-f", "-"], &rights).await?;
        let config = operator::Config {
            kubeconfig: Some(plane.kubeconfig().path().to_path_buf()),
            ..operator::Config::default()
        };
        let client = operator::client(&config).await?;
        Ok(Self { plane, client })
    }

    /// What an agent's configuration says so that it works on this cluster, with the rights of the chart.
    pub(crate) fn settings(&self) -> Result<Value> {
        let account =
            self.plane.kubeconfig_of(&User::named("system:serviceaccount:isthmus:isthmus-agent"))?;
        Ok(json!({ "target": {
            "kubernetes": { "kubeconfig": account.path(), "namespaces": [OURS] },
            "custom_resources": { "namespace": OURS },
        } }))
    }

    /// What it has counted so far.
    pub(crate) async fn requests(&self) -> Result<Requests> {
        let metrics = self.client.request_text(http::Request::get("/metrics").body(Vec::new())?).await?;
        Ok(Requests::read(&metrics))
    }

    /// Creates an object; the answer, as it came.
    pub(crate) async fn post(&self, collection: &str, body: Vec<u8>) -> Result<String> {
        let request =
            http::Request::post(collection).header("content-type", "application/json").body(body)?;
        self.client.request_text(request).await.with_context(|| format!("create in {collection}"))
    }

    /// Replaces one; the answer, as it came.
    pub(crate) async fn put(&self, path: &str, body: Vec<u8>) -> Result<String> {
        let request = http::Request::put(path).header("content-type", "application/json").body(body)?;
        self.client.request_text(request).await.with_context(|| format!("replace {path}"))
    }

    /// Reads one, or a list.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        let text = self.client.request_text(http::Request::get(path).body(Vec::new())?).await;
        Ok(serde_json::from_str(&text.with_context(|| format!("read {path}"))?)?)
    }

    /// Notes when each StatefulSet of the agent's namespace is first shown by a watch.
    pub(crate) fn sightings(&self) -> Sightings {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "StatefulSet"));
        let api: Api<PartialObjectMeta<DynamicObject>> =
            Api::namespaced_with(self.client.clone(), OURS, &resource);
        let seen = Arc::new(Mutex::new(HashMap::new()));
        let mut tasks = JoinSet::new();
        let noted = seen.clone();
        tasks.spawn(async move {
            let events = watcher(api, watcher::Config::default()).default_backoff();
            let mut events = std::pin::pin!(events);
            while let Some(event) = events.next().await {
                if let Ok(Event::Apply(object) | Event::InitApply(object)) = event {
                    let name = object.metadata.name.unwrap_or_default();
                    noted.lock().entry(name).or_insert_with(deploy::now);
                }
            }
        });
        Sightings { seen, _watch: tasks }
    }
}

/// When StatefulSets came; ends with the value.
pub(crate) struct Sightings {
    seen: Arc<Mutex<HashMap<String, Duration>>>,
    _watch: JoinSet<()>,
}

impl Sightings {
    /// When the workload of the function was there.
    pub(crate) fn of(&self, function: &str) -> Option<Duration> {
        self.seen.lock().get(&format!("{function}-function")).copied()
    }
}

/// Where custom resources of this kind stand.
pub(crate) fn collection(plural: &str, namespace: &str) -> String {
    format!("{RESOURCES}/namespaces/{namespace}/{plural}")
}

/// A Function as somebody writes it by hand.
pub(crate) fn function(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "compute.functionmesh.io/v1alpha1",
        "kind": "Function",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "className": format!("org.example.{}", name.replace('-', "")),
            "java": {"jar": "/pulsar/absent.jar"},
            "input": {"topics": [format!("persistent://public/default/{name}-in")]},
            "output": {"topic": format!("persistent://public/default/{name}-out")},
            "replicas": 1,
            "pulsar": {"pulsarConfig": PULSAR},
            "resources": {
                "requests": {"cpu": "100m", "memory": "256Mi"},
                "limits": {"cpu": "500m", "memory": "512Mi"},
            },
        },
    })
}
