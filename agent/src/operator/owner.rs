//! The custom resource that everything made here belongs to.

use isthmus_dialects::function_mesh::API_VERSION;
use isthmus_model::component::ComponentKind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::child::CustomKind;

/// Who owns a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Function, Source or Sink.
    pub(crate) kind: ComponentKind,
    /// Its Kubernetes namespace.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
    /// Its identity: a resource of the same name that comes later is another one.
    pub(crate) uid: String,
}

impl Owner {
    /// How a child refers to it: with it the child is deleted, and not before.
    pub(crate) fn reference(&self) -> OwnerReference {
        reference(self.kind, &self.name, &self.uid)
    }
}

/// How what is made refers to the custom resource of this kind, name and identity that it is made for.
pub(crate) fn reference(kind: impl Into<CustomKind>, name: &str, uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: API_VERSION.to_owned(),
        kind: kind.into().as_str().to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}
