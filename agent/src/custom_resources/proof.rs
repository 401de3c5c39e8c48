//! [client] Certainty that nothing of a component is left: what `Stopped` rests on.
//!
//! That its custom resource is gone is not enough: StatefulSet and pods may go on for a while. They do not say which component
//! they are of, only which resource; so what counts is whether there is any workload whose resource is gone.

use std::collections::BTreeSet;

use isthmus_dialects::function_mesh::definition::GROUP;
use isthmus_model::component::ComponentKind;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::ApiResource;

use super::place::Key;
use crate::operator::KINDS;
use crate::operator::api::{Api, Error, Place};
use crate::operator::child::custom_resource;

/// Names that are asked for one by one; more are looked for among all.
const NAMED: usize = 32;

/// Where workloads are looked for.
#[derive(Debug, Clone)]
pub(super) struct Search {
    pub(super) namespaces: Vec<Box<str>>,
    /// The resources that are gone, where all of them are known.
    pub(super) of: Option<BTreeSet<Key>>,
}

/// The resources whose workloads go on without them.
pub(super) async fn left(api: &Api, search: &Search) -> Result<BTreeSet<Key>, Error> {
    let mut left = BTreeSet::new();
    for kind in KINDS {
        for namespace in &search.namespaces {
            let names = search.of.as_ref().map(|of| {
                let own = of.iter().filter(|key| key.kind == kind && key.namespace == *namespace);
                own.map(|key| &*key.name).collect::<Vec<&str>>()
            });
            if names.as_ref().is_none_or(|names| !names.is_empty()) {
                left.extend(left_in(api, kind, namespace, names.as_deref()).await?);
            }
        }
    }
    Ok(left)
}

async fn left_in(
    api: &Api,
    kind: ComponentKind,
    namespace: &str,
    names: Option<&[&str]>,
) -> Result<BTreeSet<Key>, Error> {
    let of_kind = format!("{GROUP}/component={}", kind.as_str().to_ascii_lowercase());
    let selector = match names.filter(|names| names.len() <= NAMED) {
        Some(names) => format!("{of_kind},{GROUP}/name in ({})", names.join(",")),
        None => of_kind,
    };
    let list = |resource: ApiResource| {
        let place = Place { resource, namespace: namespace.to_owned(), name: String::new() };
        let selector = &selector;
        async move { api.list_metadata(&place, selector).await }
    };
    let sets = list(ApiResource::erase::<StatefulSet>(&())).await?;
    // After the sets: a pod that is there now was made by one that was.
    let pods = list(ApiResource::erase::<Pod>(&())).await?;
    let key = |name: &str| Key { kind, namespace: namespace.into(), name: name.into() };
    let wanted = |name: &str| names.is_none_or(|names| names.contains(&name));

    let mut left = BTreeSet::new();
    for set in &sets {
        let Some((name, uid)) = owner(set, kind.as_str()) else {
            // Somebody let it go on by itself.
            left.extend(label(set).filter(|name| wanted(name)).map(key));
            continue;
        };
        if wanted(name) && !lives(api, kind, namespace, name, uid).await? {
            left.insert(key(name));
        }
    }
    let living: BTreeSet<&str> = sets.iter().filter_map(|set| set.uid.as_deref()).collect();
    for pod in &pods {
        let of_a_set = owner(pod, "StatefulSet").is_some_and(|(_, uid)| living.contains(uid));
        left.extend(label(pod).filter(|name| !of_a_set && wanted(name)).map(key));
    }
    Ok(left)
}

/// Whether the resource that made a workload is there still.
async fn lives(
    api: &Api,
    kind: ComponentKind,
    namespace: &str,
    name: &str,
    uid: &str,
) -> Result<bool, Error> {
    let place =
        Place { resource: custom_resource(kind), namespace: namespace.to_owned(), name: name.to_owned() };
    let found = api.metadata(&place).await?;
    Ok(found.is_some_and(|found| found.uid.as_deref() == Some(uid)))
}

/// The name of the resource that a workload is of.
fn label(metadata: &ObjectMeta) -> Option<&str> {
    metadata.labels.as_ref()?.get(&format!("{GROUP}/name")).map(String::as_str)
}

/// Name and identity of the owner of this kind.
fn owner<'m>(metadata: &'m ObjectMeta, kind: &str) -> Option<(&'m str, &'m str)> {
    let mut owners = metadata.owner_references.iter().flatten();
    let owner = owners.find(|owner| owner.kind == kind && owner.controller == Some(true))?;
    Some((&owner.name, &owner.uid))
}
