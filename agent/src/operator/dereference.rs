//! [client] The resource as it stands now, and what it points at.
//!
//! It is as the watch has just brought it, once; else it is read when it is worked on, never from a copy: a copy could be
//! older than what was written since.

use std::collections::HashMap;
use std::time::Duration;

use isthmus_model::component::{ComponentKind, Object};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::ApiResource;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;

use super::api::{Api, Error, Place};
use super::child::custom_resource;
use super::fresh::Fresh;
use super::owner::Owner;

/// Left alone: the annotation with the value `false`.
pub(super) const MANAGED: &str = "compute.functionmesh.io/managed";

/// Changes are withheld: the annotation with the value `true`.
pub(super) const PAUSED: &str = "compute.functionmesh.io/pause-rollout";

/// How long it is taken for true that a ConfigMap exists. Many resources name the same one.
const FRESH: Duration = Duration::from_secs(5);

/// A resource that is to be reconciled.
#[derive(Debug, Clone)]
pub(crate) struct Dereferenced {
    pub(crate) owner: Owner,
    /// The whole resource.
    pub(crate) resource: Object,
    pub(crate) generation: i64,
    /// Changes of what exists are withheld.
    pub(crate) paused: bool,
    /// A ConfigMap that is named and does not exist.
    pub(crate) missing: Option<String>,
}

/// ConfigMaps that were seen a moment ago.
#[derive(Debug, Default)]
pub(crate) struct References(Mutex<HashMap<(String, String), Instant>>);

/// The resource, or nothing where there is nothing to do: it is gone, on its way out, or not ours to manage.
pub(crate) async fn dereference(
    api: &Api,
    (fresh, references): (&Fresh, &References),
    kind: ComponentKind,
    namespace: &str,
    name: &str,
) -> Result<Option<Dereferenced>, Error> {
    let place =
        Place { resource: custom_resource(kind), namespace: namespace.to_owned(), name: name.to_owned() };
    let Some(resource) = newest(api, fresh, &place).await? else { return Ok(None) };
    let metadata = resource.get("metadata");
    let text = |field: &str| metadata.and_then(|metadata| metadata.get(field)).and_then(Value::as_str);
    let annotation = |key: &str| {
        metadata.and_then(|metadata| metadata.get("annotations")?.get(key)).and_then(Value::as_str)
    };
    // Who deletes a resource has its children collected by their owner references.
    if text("deletionTimestamp").is_some() || annotation(MANAGED) == Some("false") {
        return Ok(None);
    }
    let owner = Owner {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: text("uid").unwrap_or_default().to_owned(),
    };
    let generation = metadata.and_then(|metadata| metadata.get("generation")).and_then(Value::as_i64);
    let (generation, paused) = (generation.unwrap_or_default(), annotation(PAUSED) == Some("true"));
    let config_map = resource
        .get("spec")
        .and_then(|spec| spec.get("pulsar")?.get("pulsarConfig")?.as_str())
        .filter(|name| !name.is_empty())
        .map(str::to_owned);
    let missing = match config_map {
        Some(name) if !exists(api, references, namespace, &name).await? => Some(name),
        _ => None,
    };
    Ok(Some(Dereferenced { owner, resource, generation, paused, missing }))
}

/// The resource as it has just come, or as it is found.
pub(super) async fn newest(api: &Api, fresh: &Fresh, place: &Place) -> Result<Option<Object>, Error> {
    let key = (place.namespace.clone(), place.name.clone());
    if let Some(resource) = fresh.take(&key) {
        return Ok(Some(resource));
    }
    let found = api.get(place).await?;
    if let Some(resource) = &found {
        fresh.note(key, resource);
    }
    Ok(found)
}

async fn exists(api: &Api, references: &References, namespace: &str, name: &str) -> Result<bool, Error> {
    let key = (namespace.to_owned(), name.to_owned());
    if references.0.lock().get(&key).is_some_and(|seen| seen.elapsed() < FRESH) {
        return Ok(true);
    }
    let resource = ApiResource::erase::<ConfigMap>(&());
    let place = Place { resource, namespace: key.0.clone(), name: key.1.clone() };
    let found = match api.get(&place).await {
        Ok(found) => found.is_some(),
        // Who may not look takes it for there: its absence shows in the pods.
        Err(error) if error.refusal().is_some() => true,
        Err(error) => return Err(error),
    };
    let mut known = references.0.lock();
    known.retain(|_, seen| seen.elapsed() < FRESH);
    if found {
        known.insert(key, Instant::now());
    }
    Ok(found)
}
