//! Names and labels of what a resource becomes: those of Function Mesh, since selectors cannot be changed afterwards.

use std::collections::BTreeMap;

use isthmus_model::component::ComponentKind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use super::super::owner::Owner;

/// Labels by name.
pub(crate) type Labels = BTreeMap<String, String>;

/// `<name>-<kind>`: the StatefulSet, the autoscalers, and the beginning of all other names.
pub(crate) fn base(owner: &Owner) -> String {
    format!("{}-{}", owner.name, word(owner.kind))
}

/// The headless Service.
pub(crate) fn service(owner: &Owner) -> String {
    format!("{}-headless", base(owner))
}

/// The Secret with credentials that the resource has in itself: for Pulsar, or for the package service.
pub(crate) fn credentials(owner: &Owner, purpose: &str) -> String {
    format!("{}-{purpose}", base(owner))
}

/// The main container.
pub(super) fn container(kind: ComponentKind) -> String {
    format!("pulsar-{}", word(kind))
}

/// The labels of every object, by which pods are selected, too.
pub(crate) fn labels(owner: &Owner) -> Labels {
    let (base, kind) = (base(owner), word(owner.kind));
    let mut labels: Labels = ["app.kubernetes.io/name", "app.kubernetes.io/instance"]
        .map(|key| (key.to_owned(), base.clone()))
        .into();
    for (key, value) in [("component", kind), ("name", &owner.name), ("namespace", &owner.namespace)] {
        labels.insert(key.to_owned(), value.to_owned());
        labels.insert(format!("compute.functionmesh.io/{key}"), value.to_owned());
    }
    if owner.kind == ComponentKind::Function {
        for key in ["app", "compute.functionmesh.io/app"] {
            labels.insert(key.to_owned(), "function-mesh".to_owned());
        }
    }
    labels
}

pub(super) fn selector(labels: Labels) -> LabelSelector {
    LabelSelector { match_labels: Some(labels), match_expressions: None }
}

/// Metadata of a child.
pub(super) fn metadata(owner: &Owner, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(owner.namespace.clone()),
        labels: Some(labels(owner)),
        owner_references: Some(vec![owner.reference()]),
        ..ObjectMeta::default()
    }
}

/// `function`, `source` or `sink`.
fn word(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Function => "function",
        ComponentKind::Source => "source",
        ComponentKind::Sink => "sink",
    }
}
