//! The model itself as a resource, `isthmus.io/v1`: what `isthmus get -o yaml` prints and `apply` takes back without loss.
//!
//! Everything is printed except what is as if it were not written. So a switch that is on when it is not written is always
//! printed.

use std::collections::BTreeMap;

use isthmus_model::component::{Component, ComponentKind, Draft, Object, Spec};
use isthmus_model::name::{Namespace, Tenant};
use isthmus_model::policy::Placement;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::document::Position;
use crate::path;
use crate::shape::shape;
use crate::written::{Dialect, Origin, Reading};

mod lean;

/// The `apiVersion` of these resources.
pub const API_VERSION: &str = "isthmus.io/v1";

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Resource {
    metadata: Metadata,
    placement: Placement,
    spec: Spec,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    tenant: String,
    namespace: String,
    name: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// What `get` prints beside the resource and `apply` therefore passes over.
const PRINTED: &[&[&str]] =
    &[&["status"], &["metadata", "uid"], &["metadata", "revision"], &["metadata", "createdAt"]];

pub(crate) fn read(mut value: Value, kind: ComponentKind, position: Position) -> Reading {
    if let Some(fields) = value.as_object_mut() {
        fields.shift_remove("apiVersion");
        fields.shift_remove("kind");
    }
    for printed in PRINTED {
        if let Some((last, parents)) = printed.split_last() {
            let parent = parents.iter().try_fold(&mut value, |at, name| at.get_mut(*name));
            parent.and_then(Value::as_object_mut).map(|fields| fields.shift_remove(*last));
        }
    }
    fill_in(&mut value);
    // An enum with a tag hides its unknown fields from serde; what does not come back was not understood.
    let given = value.clone();
    let shaped = shape::<Resource>(value, "");
    let mut unknown = Vec::new();
    lost("", &given, &shaped.back, &mut unknown);
    // What did not fit was left out, and is known all the same.
    let unfit =
        |field: &String| shaped.violations.iter().any(|known| path::below(field, &known.field).is_some());
    unknown.retain(|field| !unfit(field));
    let Resource { metadata, placement, spec } = shaped.value;
    let Metadata { tenant, namespace, name, labels, annotations } = metadata;
    let draft = Draft { kind, tenant, namespace, name, labels, annotations, placement, spec: Box::new(spec) };
    let origin = Origin { dialect: Dialect::Native, position, ..Origin::default() };
    Reading { draft, origin, violations: shaped.violations, unknown }
}

/// Defaults of what is not written.
fn fill_in(resource: &mut Value) {
    let mut default = |parent: &str, name: &str, value: Value| {
        let Some(fields) = resource.as_object_mut() else { return };
        let parent = fields.entry(parent).or_insert_with(|| json!({}));
        if let Some(fields) = parent.as_object_mut() {
            fields.entry(name).or_insert(value);
        }
    };
    default("metadata", "tenant", json!(Tenant::DEFAULT));
    default("metadata", "namespace", json!(Namespace::DEFAULT));
    for (name, value) in lean::WHEN_NOT_WRITTEN {
        default("spec", name, value.into_json());
    }
}

/// Collects the paths of what is in `given` and not in `back`.
fn lost(at: &str, given: &Value, back: &Value, unknown: &mut Vec<String>) {
    match (given, back) {
        (Value::Object(given), Value::Object(back)) => {
            for (name, value) in given {
                let field = path::field(at, name);
                match back.get(name) {
                    Some(back) => lost(&field, value, back, unknown),
                    None if value.is_null() => {}
                    None => unknown.push(field),
                }
            }
        }
        (Value::Array(given), Value::Array(back)) => {
            for (index, (given, back)) in given.iter().zip(back).enumerate() {
                lost(&path::index(at, index), given, back, unknown);
            }
        }
        _ => {}
    }
}

/// What stands for a credential that is not shown; admission does not take it for one.
pub const REDACTED: &str = "(redacted)";

/// The resource of a component, without what is as if it were not written, and without credentials.
pub fn to_value(component: &Component) -> Value {
    let Component { kind, name, labels, annotations, placement, spec } = component;
    let labels = labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let metadata = Metadata {
        tenant: name.tenant.to_string(),
        namespace: name.namespace.to_string(),
        name: name.name.to_string(),
        labels,
        annotations: annotations.clone(),
    };
    let mut resource = resource(*kind, &metadata, placement, spec);
    for access in ["pulsar", "packageService"] {
        for auth in ["auth", "cleanupAuth"] {
            if let Some(parameters) = resource.pointer_mut(&format!("/spec/{access}/{auth}/parameters")) {
                *parameters = json!(REDACTED);
            }
        }
    }
    resource
}

/// The resource of a draft, without what is as if it were not written: whoever has the draft wrote its credentials.
pub fn draft_to_value(draft: &Draft) -> Value {
    let Draft { kind, tenant, namespace, name, labels, annotations, placement, spec } = draft;
    let metadata = Metadata {
        tenant: tenant.clone(),
        namespace: namespace.clone(),
        name: name.clone(),
        labels: labels.clone(),
        annotations: annotations.clone(),
    };
    resource(*kind, &metadata, placement, spec)
}

fn resource(kind: ComponentKind, metadata: &Metadata, placement: &Placement, spec: &Spec) -> Value {
    let mut resource = Object::new();
    resource.insert("apiVersion".to_owned(), json!(API_VERSION));
    resource.insert("kind".to_owned(), json!(kind.as_str()));
    resource.insert("metadata".to_owned(), lean::metadata(metadata));
    let placement = lean::placement(placement);
    if placement.as_object().is_some_and(|fields| !fields.is_empty()) {
        resource.insert("placement".to_owned(), placement);
    }
    resource.insert("spec".to_owned(), lean::spec(spec));
    Value::Object(resource)
}

/// The resource of a component as YAML.
pub fn to_yaml(component: &Component) -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(&to_value(component))
}

#[cfg(test)]
mod tests;
