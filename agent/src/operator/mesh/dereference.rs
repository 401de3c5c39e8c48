//! [client] The mesh as it stands now.

use isthmus_model::component::Object;
use serde_json::Value;

use super::super::api::{Api, Error, Place};
use super::super::child::{CustomKind, custom_resource};
use super::super::dereference::{MANAGED, PAUSED, newest};
use super::super::fresh::Fresh;

/// Whose the members are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// A mesh of the same name that comes later is another one.
    pub(crate) uid: String,
}

/// A mesh that is to be reconciled.
#[derive(Debug, Clone)]
pub(crate) struct Mesh {
    pub(crate) owner: Owner,
    /// The whole resource.
    pub(crate) resource: Object,
    pub(crate) generation: i64,
    /// Members are made and removed, but none that exists is changed.
    pub(crate) paused: bool,
}

impl Mesh {
    pub(crate) fn place(&self) -> Place {
        place(&self.owner.namespace, &self.owner.name)
    }
}

fn place(namespace: &str, name: &str) -> Place {
    Place {
        resource: custom_resource(CustomKind::FunctionMesh),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

/// The mesh, or nothing where there is nothing to do: it is gone, on its way out, or not ours to manage.
pub(crate) async fn dereference(
    api: &Api,
    fresh: &Fresh,
    namespace: &str,
    name: &str,
) -> Result<Option<Mesh>, Error> {
    let Some(resource) = newest(api, fresh, &place(namespace, name)).await? else { return Ok(None) };
    let metadata = resource.get("metadata");
    let text = |field: &str| metadata.and_then(|metadata| metadata.get(field)).and_then(Value::as_str);
    let annotation =
        |key: &str| metadata.and_then(|metadata| metadata.get("annotations")?.get(key)?.as_str());
    // Who deletes a mesh has its members collected by their owner references.
    if text("deletionTimestamp").is_some() || annotation(MANAGED) == Some("false") {
        return Ok(None);
    }
    let owner = Owner {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: text("uid").unwrap_or_default().to_owned(),
    };
    let generation = metadata.and_then(|metadata| metadata.get("generation")).and_then(Value::as_i64);
    let (generation, paused) = (generation.unwrap_or_default(), annotation(PAUSED) == Some("true"));
    Ok(Some(Mesh { owner, resource, generation, paused }))
}
