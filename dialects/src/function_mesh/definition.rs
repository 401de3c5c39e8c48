//! The definitions of the custom resources, printed from the types that they are read into.
//!
//! ```text
//! Rust types ▶ schemars ▶ structural ▶ CustomResourceDefinition, one for each kind
//! ```
//!
//! Whatever Function Mesh's own definitions accept these accept, too: nothing is required below a spec that is not required
//! by Kubernetes' own types, and numbers have no bounds but for replicas. What is wrong with a resource is found by admission
//! and stands in its status, whole, with reasons.

use isthmus_model::component::ComponentKind;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionNames,
    CustomResourceDefinitionSpec, CustomResourceDefinitionVersion, CustomResourceSubresourceScale,
    CustomResourceSubresourceStatus, CustomResourceSubresources, CustomResourceValidation,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::resource::{ConnectorSpec, Spec, fields_of_others};
use super::status::Status;

pub(super) mod schema;
mod structural;

use structural::structural;

/// The API group of the resources.
pub const GROUP: &str = "compute.functionmesh.io";

/// Their only version.
pub const VERSION: &str = "v1alpha1";

/// The definitions of all kinds.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    ComponentKind::ALL.into_iter().map(definition).collect()
}

/// The definition of one kind.
pub fn definition(kind: ComponentKind) -> CustomResourceDefinition {
    let (plural, singular) = (kind.plural(), kind.as_str().to_ascii_lowercase());
    CustomResourceDefinition {
        metadata: ObjectMeta { name: Some(format!("{plural}.{GROUP}")), ..ObjectMeta::default() },
        spec: CustomResourceDefinitionSpec {
            group: GROUP.to_owned(),
            names: CustomResourceDefinitionNames {
                kind: kind.as_str().to_owned(),
                list_kind: Some(format!("{kind}List")),
                plural: plural.to_owned(),
                singular: Some(singular),
                ..CustomResourceDefinitionNames::default()
            },
            scope: "Namespaced".to_owned(),
            versions: vec![CustomResourceDefinitionVersion {
                name: VERSION.to_owned(),
                served: true,
                storage: true,
                schema: Some(validation(kind)),
                subresources: Some(CustomResourceSubresources {
                    scale: Some(CustomResourceSubresourceScale {
                        label_selector_path: Some(".status.selector".to_owned()),
                        spec_replicas_path: ".spec.replicas".to_owned(),
                        status_replicas_path: ".status.replicas".to_owned(),
                    }),
                    status: Some(CustomResourceSubresourceStatus(json!({}))),
                }),
                additional_printer_columns: Some(columns()),
                ..CustomResourceDefinitionVersion::default()
            }],
            ..CustomResourceDefinitionSpec::default()
        },
        status: None,
    }
}

fn columns() -> Vec<CustomResourceColumnDefinition> {
    let column = |name: &str, type_: &str, json_path: &str| CustomResourceColumnDefinition {
        name: name.to_owned(),
        type_: type_.to_owned(),
        json_path: json_path.to_owned(),
        ..CustomResourceColumnDefinition::default()
    };
    vec![
        column("Replicas", "integer", ".status.replicas"),
        column("Ready", "integer", ".status.readyReplicas"),
        column("Reason", "string", ".status.conditions.Ready.reason"),
        column("Age", "date", ".metadata.creationTimestamp"),
    ]
}

fn validation(kind: ComponentKind) -> CustomResourceValidation {
    let root = json!({
        "type": "object",
        "description": format!("A {} of Function Mesh.", kind.as_str()),
        // As the original: members beside the known ones are kept, those within the spec are pruned.
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec(kind),
            "status": structural::<Status>(),
        },
    });
    // The schema is JSON of the type's own fields; what the type does not know the test below would miss.
    CustomResourceValidation { open_api_v3_schema: serde_json::from_value(root).ok() }
}

/// One type serves the three kinds; here each gets the fields that it has.
fn spec(kind: ComponentKind) -> Value {
    let mut spec = structural::<Spec>();
    if let Some(spec) = spec.as_object_mut() {
        // Which is said of the type, not of this kind.
        spec.remove("description");
    }
    let Some(properties) = spec.get_mut("properties").and_then(Value::as_object_mut) else { return spec };
    for field in fields_of_others(kind) {
        properties.remove(*field);
    }
    if kind == ComponentKind::Function {
        for field in ["sourceConfig", "sinkConfig"] {
            properties.insert(field.to_owned(), structural::<ConnectorSpec>());
        }
    }
    for field in ["replicas", "minReplicas"] {
        if let Some(schema) = properties.get_mut(field).and_then(Value::as_object_mut) {
            schema.insert("minimum".to_owned(), 0.into());
        }
    }
    if let Some(least) = properties.get_mut("minReplicas").and_then(Value::as_object_mut) {
        least.insert("default".to_owned(), 1.into());
    }
    spec
}

/// A definition as YAML, as `kubectl apply -f` takes it.
///
/// # Errors
/// Only if the definition could not be written as YAML, which a test rules out.
pub fn to_yaml(definition: &CustomResourceDefinition) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(definition)
}

#[cfg(test)]
mod tests;
