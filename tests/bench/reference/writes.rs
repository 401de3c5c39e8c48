//! The least that can be written for a custom resource: itself, what it becomes, and its status, by plain POST and PUT, from
//! a client that knows them all beforehand and looks at nothing.
#![expect(
    clippy::indexing_slicing,
    reason = "what an API server answers is an object, and what it lacks is null"
)]

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use crate::deploy::{self, Done};
use crate::kubernetes::{Kubernetes, OURS, THEIRS, collection};
use crate::requests::Requests;

/// What a resource became, as a model for others.
pub(crate) struct Model {
    plural: &'static str,
    name: String,
    uid: String,
    resource: String,
    /// Collection and object, in the order in which they are written.
    children: Vec<(String, String)>,
    status: Value,
}

/// Where kinds that a resource may become stand in a namespace.
const CHILDREN: [(&str, &str); 2] = [("/api/v1", "services"), ("/apis/apps/v1", "statefulsets")];

/// What an API server adds to an object.
const ADDED: [&str; 5] = ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"];

impl Model {
    /// Of this resource of the agent's, with all that has become of it.
    pub(crate) async fn of(kubernetes: &Kubernetes, plural: &'static str, name: &str) -> Result<Self> {
        let mut resource = kubernetes.get(&format!("{}/{name}", collection(plural, OURS))).await?;
        let uid = resource["metadata"]["uid"].as_str().context("a resource has an identity")?.to_owned();
        let status = resource["status"].take();
        let mut children = Vec::new();
        for (group, plural) in CHILDREN {
            let items = kubernetes.get(&format!("{group}/namespaces/{OURS}/{plural}")).await?;
            let items = items["items"].as_array().cloned().unwrap_or_default();
            let own = items
                .into_iter()
                .filter(|item| item["metadata"]["ownerReferences"][0]["uid"] == uid.as_str());
            children.extend(own.map(|item| (format!("{group}/namespaces/{THEIRS}/{plural}"), plain(item))));
        }
        Ok(Self { plural, name: name.to_owned(), uid, resource: plain(resource), children, status })
    }

    /// Objects that the resource becomes.
    pub(crate) fn objects(&self) -> u64 {
        self.children.len() as u64
    }

    /// Writes all of it under another name, one request after the other.
    async fn write(&self, kubernetes: &Kubernetes, name: &str) -> Result<()> {
        let mut written: Value = serde_json::from_str(&self.create(kubernetes, name).await?)?;
        let uid = written["metadata"]["uid"].as_str().context("a resource has an identity")?.to_owned();
        for (collection, child) in &self.children {
            let body = child.replace(&self.name, name).replace(&self.uid, &uid);
            kubernetes.post(collection, body.into_bytes()).await?;
        }
        written["status"] = self.status.clone();
        let path = format!("{}/{name}/status", collection(self.plural, THEIRS));
        kubernetes.put(&path, serde_json::to_vec(&written)?).await.map(drop)
    }

    async fn create(&self, kubernetes: &Kubernetes, name: &str) -> Result<String> {
        let body = self.resource.replace(&self.name, name).into_bytes();
        kubernetes.post(&collection(self.plural, THEIRS), body).await
    }

    /// Writes so many, so many at a time; how many writes the API server counted.
    pub(crate) async fn burst(
        &self,
        kubernetes: &Kubernetes,
        series: &str,
        count: u64,
        in_flight: usize,
    ) -> Result<Done> {
        let (before, begun) = (kubernetes.requests().await?, Instant::now());
        futures::stream::iter(0..count)
            .map(|n| async move { self.write(kubernetes, &format!("{series}-{n:06}")).await })
            .buffer_unordered(in_flight)
            .try_collect::<Vec<()>>()
            .await?;
        let took = begun.elapsed();
        let written: Requests = kubernetes.requests().await?.since(&before);
        Ok(Done { count: written.writes(), took, ..Done::default() })
    }

    /// Creates the resource and its workload, one after the other; how long after `due` both were there.
    pub(crate) async fn pair(&self, kubernetes: &Kubernetes, name: &str, due: Duration) -> Result<Duration> {
        let written: Value = serde_json::from_str(&self.create(kubernetes, name).await?)?;
        let uid = written["metadata"]["uid"].as_str().context("a resource has an identity")?;
        let (collection, workload) = self.children.last().context("a resource becomes something")?;
        let body = workload.replace(&self.name, name).replace(&self.uid, uid);
        kubernetes.post(collection, body.into_bytes()).await?;
        Ok(deploy::now().saturating_sub(due))
    }
}

/// As somebody would write it who wants it in the other namespace.
fn plain(mut object: Value) -> String {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|field, _| !ADDED.contains(&field.as_str()));
        metadata.insert("namespace".to_owned(), json!(THEIRS));
    }
    object.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_server_added_is_not_written_again() {
        let live = json!({
            "kind": "StatefulSet",
            "metadata": {"name": "a", "namespace": OURS, "uid": "u", "resourceVersion": "7", "generation": 1, "labels": {"b": "c"}},
            "spec": {"replicas": 1},
            "status": {"replicas": 1},
        });
        let plain: Value = serde_json::from_str(&plain(live)).unwrap();
        assert_eq!(
            plain,
            json!({
                "kind": "StatefulSet",
                "metadata": {"name": "a", "namespace": THEIRS, "labels": {"b": "c"}},
                "spec": {"replicas": 1},
            })
        );
    }
}
