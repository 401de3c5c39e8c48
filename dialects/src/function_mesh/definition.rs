//! The definitions of the custom resources, printed from the types that they are read into.
//!
//! ```text
//! Rust types ▶ schemars ▶ structural ▶ CustomResourceDefinition, one for each kind
//! ```
//!
//! Whatever Function Mesh's own definitions accept these accept, too: nothing is required below a spec that is not required
//! by Kubernetes' own types, and numbers have no bounds but for replicas. The common errors are refused by rules in CEL; all
//! that is wrong with a resource is found by admission and stands in its status, whole, with reasons.

use isthmus_model::component::ComponentKind;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionNames,
    CustomResourceDefinitionSpec, CustomResourceDefinitionVersion, CustomResourceSubresourceScale,
    CustomResourceSubresourceStatus, CustomResourceSubresources, CustomResourceValidation,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value, json};

use super::resource::{ConnectorSpec, Spec, fields_of_others};
use super::status::{MeshStatus, Status};

pub(super) mod schema;
mod structural;
mod validations;

use structural::structural;

/// The API group of the resources.
pub const GROUP: &str = "compute.functionmesh.io";

/// Their only version.
pub const VERSION: &str = "v1alpha1";

/// The kind whose resources hold components.
pub const FUNCTION_MESH: &str = "FunctionMesh";

/// Its name in paths.
pub const FUNCTION_MESHES: &str = "functionmeshes";

/// The definitions of all kinds.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    ComponentKind::ALL.into_iter().map(definition).chain([function_mesh()]).collect()
}

/// The definition of one kind of component.
pub fn definition(kind: ComponentKind) -> CustomResourceDefinition {
    let scale = CustomResourceSubresourceScale {
        label_selector_path: Some(".status.selector".to_owned()),
        spec_replicas_path: ".spec.replicas".to_owned(),
        status_replicas_path: ".status.replicas".to_owned(),
    };
    let columns = vec![
        column("Replicas", "integer", ".status.replicas"),
        column("Ready", "integer", ".status.readyReplicas"),
        column("Reason", "string", ".status.conditions.Ready.reason"),
        column("Age", "date", ".metadata.creationTimestamp"),
    ];
    let described = format!("A {kind} of Function Mesh.");
    // As the original: members beside the known ones are kept, those within the spec are pruned.
    let mut spec = spec(kind);
    validations::alone(kind, &mut spec);
    let mut root = root(&described, &spec, &structural::<Status>());
    keep_unknown(&mut root);
    custom(kind.as_str(), kind.plural(), root, Some(scale), columns)
}

/// The definition of FunctionMesh.
pub fn function_mesh() -> CustomResourceDefinition {
    let columns = vec![
        column("Ready", "string", ".status.condition.status"),
        column("Reason", "string", ".status.condition.reason"),
        column("Age", "date", ".metadata.creationTimestamp"),
    ];
    let members = [
        ("functions", ComponentKind::Function),
        ("sources", ComponentKind::Source),
        ("sinks", ComponentKind::Sink),
    ];
    let lists = members.map(|(field, kind)| {
        let mut spec = spec(kind);
        validations::member(kind, &mut spec);
        let list = json!({"type": "array", "maxItems": validations::MAX_MEMBERS, "items": spec});
        (field.to_owned(), list)
    });
    let mut spec = json!({"type": "object", "properties": Map::from_iter(lists)});
    // Three specs with what is said of each field would be too large for kubectl; each kind's own definition says it.
    without_descriptions(&mut spec);
    let root = root("Components that belong together.", &spec, &structural::<MeshStatus>());
    custom(FUNCTION_MESH, FUNCTION_MESHES, root, None, columns)
}

fn column(name: &str, type_: &str, json_path: &str) -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition {
        name: name.to_owned(),
        type_: type_.to_owned(),
        json_path: json_path.to_owned(),
        ..CustomResourceColumnDefinition::default()
    }
}

fn custom(
    kind: &str,
    plural: &str,
    root: Value,
    scale: Option<CustomResourceSubresourceScale>,
    columns: Vec<CustomResourceColumnDefinition>,
) -> CustomResourceDefinition {
    // The schema is JSON of the type's own fields; what the type does not know the tests below would miss.
    let schema = CustomResourceValidation { open_api_v3_schema: serde_json::from_value(root).ok() };
    CustomResourceDefinition {
        metadata: ObjectMeta { name: Some(format!("{plural}.{GROUP}")), ..ObjectMeta::default() },
        spec: CustomResourceDefinitionSpec {
            group: GROUP.to_owned(),
            names: CustomResourceDefinitionNames {
                kind: kind.to_owned(),
                list_kind: Some(format!("{kind}List")),
                plural: plural.to_owned(),
                singular: Some(kind.to_ascii_lowercase()),
                ..CustomResourceDefinitionNames::default()
            },
            scope: "Namespaced".to_owned(),
            versions: vec![CustomResourceDefinitionVersion {
                name: VERSION.to_owned(),
                served: true,
                storage: true,
                schema: Some(schema),
                subresources: Some(CustomResourceSubresources {
                    scale,
                    status: Some(CustomResourceSubresourceStatus(json!({}))),
                }),
                additional_printer_columns: Some(columns),
                ..CustomResourceDefinitionVersion::default()
            }],
            ..CustomResourceDefinitionSpec::default()
        },
        status: None,
    }
}

fn root(description: &str, spec: &Value, status: &Value) -> Value {
    json!({
        "type": "object",
        "description": description,
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    })
}

fn keep_unknown(schema: &mut Value) {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("x-kubernetes-preserve-unknown-fields".to_owned(), true.into());
    }
}

/// A schema without texts; `description` is also what a property could be called, so that it counts only where text stands.
fn without_descriptions(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("description").is_some_and(Value::is_string) {
                members.remove("description");
            }
            members.values_mut().for_each(without_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(without_descriptions),
        _ => {}
    }
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
