//! JSON Schema of a Rust type to the structural schema that Kubernetes takes: no references, one type each, no nulls, and no
//! defaults, which the API server would write into everybody's resources.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Metadata within a spec is cut down to what a template may say, as Function Mesh has it.
const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// Types of Kubernetes are described by Kubernetes; their texts would make the definitions too large to apply.
const KUBERNETES: &str = "io.k8s.";

/// References within references that are followed; no type of a custom resource holds itself.
const DEPTH: usize = 64;

pub(super) fn structural<T: JsonSchema>() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let mut root = schema.to_value();
    let definitions = root.get_mut("$defs").map(Value::take).unwrap_or_default();
    let definitions = definitions.as_object().cloned().unwrap_or_default();
    plain(&root, &Context { definitions: &definitions, described: true, depth: DEPTH })
}

#[derive(Clone, Copy)]
struct Context<'d> {
    definitions: &'d Map<String, Value>,
    described: bool,
    depth: usize,
}

fn plain(schema: &Value, context: &Context<'_>) -> Value {
    let Value::Object(schema) = schema else {
        // `true`: anything at all.
        return json!({"x-kubernetes-preserve-unknown-fields": true});
    };
    if let Some(Value::String(reference)) = schema.get("$ref") {
        return resolved(reference, context);
    }
    if let Some(alternatives) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
    {
        return alternative(alternatives, context);
    }
    let mut plain = Map::new();
    for (name, value) in schema {
        let value = match name.as_str() {
            "type" => Some(one_type(value)),
            "properties" => Some(members(value, context)),
            "items" => Some(self::plain(value, context)),
            "additionalProperties" => match value {
                Value::Bool(_) => {
                    plain.insert("x-kubernetes-preserve-unknown-fields".to_owned(), true.into());
                    None
                }
                value => Some(self::plain(value, context)),
            },
            "format" => format(value),
            "description" if context.described => Some(value.clone()),
            "enum" => {
                Some(value.as_array().into_iter().flatten().filter(|word| !word.is_null()).cloned().collect())
            }
            "required" => Some(value.clone()),
            extension if extension.starts_with("x-kubernetes-") => Some(value.clone()),
            // Bounds, defaults, titles.
            _ => None,
        };
        if let Some(value) = value {
            plain.insert(name.clone(), value);
        }
    }
    Value::Object(plain)
}

fn resolved(reference: &str, context: &Context<'_>) -> Value {
    let name = reference.strip_prefix("#/$defs/").unwrap_or(reference);
    if name == METADATA {
        let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
        return json!({"type": "object", "properties": {
            "annotations": texts,
            "finalizers": {"type": "array", "items": {"type": "string"}},
            "labels": texts,
            "name": {"type": "string"},
            "namespace": {"type": "string"},
        }});
    }
    match (context.definitions.get(name), context.depth.checked_sub(1)) {
        (Some(schema), Some(depth)) => {
            let described = context.described && !name.starts_with(KUBERNETES);
            plain(schema, &Context { described, depth, ..*context })
        }
        _ => json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
    }
}

/// A type or null is that type; words with a description each are those words.
fn alternative(alternatives: &[Value], context: &Context<'_>) -> Value {
    let words: Vec<&Value> = alternatives.iter().filter_map(|one| one.get("const")).collect();
    if !words.is_empty() && words.len() == alternatives.len() {
        return json!({"type": "string", "enum": words});
    }
    let given = alternatives.iter().find(|one| one.get("type") != Some(&json!("null")));
    given.map_or_else(|| json!({"x-kubernetes-preserve-unknown-fields": true}), |one| plain(one, context))
}

fn one_type(value: &Value) -> Value {
    match value {
        Value::Array(types) => {
            types.iter().find(|one| **one != json!("null")).cloned().unwrap_or_else(|| json!("object"))
        }
        one => one.clone(),
    }
}

fn members(value: &Value, context: &Context<'_>) -> Value {
    let members = value.as_object().into_iter().flatten();
    Value::Object(members.map(|(name, schema)| (name.clone(), plain(schema, context))).collect())
}

/// Unsigned numbers are no format of Kubernetes.
fn format(value: &Value) -> Option<Value> {
    match value.as_str() {
        Some("int32" | "uint32") => Some(json!("int32")),
        Some("int64" | "uint64") => Some(json!("int64")),
        _ => None,
    }
}
