//! An object in the form in which it is compared.

use isthmus_dialects::quantity::Quantity;
use serde_json::{Map, Value};

use crate::command::command;
use crate::defaults::{is_default, without_defaults};

/// The object without status, identities and what an API server fills in, its amounts as numbers and its commands taken apart.
pub fn form(object: &Value) -> Value {
    let mut object = object.clone();
    name_identities(&mut object);
    without_defaults(&mut object);
    if let Some(members) = object.as_object_mut() {
        members.shift_remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let kept = [
            "name",
            "namespace",
            "labels",
            "annotations",
            "ownerReferences",
            "finalizers",
            "deletionTimestamp",
        ];
        metadata.retain(|name, _| kept.contains(&name.as_str()));
    }
    walk("", &object)
}

/// Writes `UID(KIND/NAME)` wherever the identity of an owner stands, commands included.
fn name_identities(object: &mut Value) {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let names: Vec<(String, String)> = owners
        .into_iter()
        .flatten()
        .filter_map(|owner| {
            let text = |name: &str| owner.get(name).and_then(Value::as_str);
            let uid = text("uid").filter(|uid| !uid.is_empty())?;
            Some((uid.to_owned(), format!("UID({}/{})", text("kind")?, text("name")?)))
        })
        .collect();
    for (uid, name) in names.iter().filter(|(uid, name)| uid != name) {
        rename(object, uid, name);
    }
}

fn rename(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) => *text = text.replace(from, to),
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, from, to)),
        Value::Object(members) => members.values_mut().for_each(|member| rename(member, from, to)),
        _ => {}
    }
}

fn walk(of: &str, value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut kept = Map::new();
            for (name, value) in members {
                let value = match name.as_str() {
                    "command" => command(value),
                    "limits" | "requests" | "minAllowed" | "maxAllowed" => quantities(value),
                    "env" => environment(value),
                    name => walk(name, value),
                };
                let nothing = match &value {
                    Value::Null => true,
                    // An empty directory is written as nothing.
                    Value::Object(members) => members.is_empty() && name != "emptyDir",
                    Value::Array(items) => items.is_empty(),
                    _ => is_default(of, name, &value, members),
                };
                if !nothing {
                    kept.insert(name.clone(), value);
                }
            }
            Value::Object(kept)
        }
        Value::Array(items) => items.iter().map(|item| walk(of, item)).collect(),
        other => other.clone(),
    }
}

/// Amounts are alike however they are written.
fn quantities(value: &Value) -> Value {
    let amounts = value.as_object().into_iter().flatten().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let millis = Quantity::parse(&text).and_then(Quantity::millis);
        (name.clone(), millis.map_or_else(|_| value.clone(), Value::from))
    });
    Value::Object(amounts.collect())
}

/// The original writes variables with secrets in any order.
fn environment(value: &Value) -> Value {
    let Value::Array(variables) = walk("env", value) else { return value.clone() };
    let is_secret = |one: &Value| one.pointer("/valueFrom/secretKeyRef").is_some();
    let mut secrets: Vec<Value> = variables.iter().filter(|one| is_secret(one)).cloned().collect();
    secrets.sort_by_key(|one| one.get("name").map(Value::to_string));
    let mut secrets = secrets.into_iter();
    let ordered = variables.into_iter().map(|one| {
        let secret = is_secret(&one).then(|| secrets.next()).flatten();
        secret.unwrap_or(one)
    });
    ordered.collect()
}
