//! Leaving out what is as if it were not written.

use isthmus_model::component::{
    BatchSource, Connector, ConsumerConfig, Crypto, Input, LogConfig, Output, ProducerConfig, PulsarAccess,
    SecretRef, Spec, State, Transform, Window,
};
use isthmus_model::package::PackageRef;
use isthmus_model::policy::Placement;
use serde::Serialize;
use serde_json::Value;

use super::Metadata;

/// A default that differs from the type's own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unwritten {
    On,
    One,
}

impl Unwritten {
    pub(super) fn into_json(self) -> Value {
        match self {
            Self::On => Value::Bool(true),
            Self::One => Value::from(1),
        }
    }
}

/// What a spec says when it says nothing; fields that are not here have their type's default.
pub(super) const WHEN_NOT_WRITTEN: [(&str, Unwritten); 3] = [
    ("replicas", Unwritten::One),
    ("autoAck", Unwritten::On),
    ("forwardSourceMessageProperty", Unwritten::On),
];

pub(super) fn metadata(metadata: &Metadata) -> Value {
    // Tenant and namespace are always printed: they are half of the name.
    let mut value = json(metadata);
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| value.as_object().is_none_or(|map| !map.is_empty()));
    }
    value
}

pub(super) fn placement(placement: &Placement) -> Value {
    without(json(placement), &json(&Placement::default()))
}

pub(super) fn spec(spec: &Spec) -> Value {
    let mut default = json(&Spec::default());
    if let Some(fields) = default.as_object_mut() {
        for (name, _) in WHEN_NOT_WRITTEN {
            fields.shift_remove(name);
        }
    }
    let mut spec = without(json(spec), &default);
    each(&mut spec, &["input"], &Input::default());
    each(&mut spec, &["input", "topics", "*"], &ConsumerConfig::default());
    each(&mut spec, &["input", "topics", "*", "crypto"], &Crypto::default());
    each(&mut spec, &["output"], &Output::default());
    each(&mut spec, &["output", "producer"], &ProducerConfig::default());
    each(&mut spec, &["output", "producer", "crypto"], &Crypto::default());
    for connector in ["sourceConnector", "sinkConnector"] {
        each(&mut spec, &[connector], &Connector::default());
    }
    each(&mut spec, &["runtime", "package"], &PackageRef::default());
    each(&mut spec, &["runtime", "log"], &LogConfig::default());
    each(&mut spec, &["secrets", "*"], &SecretRef::default());
    each(&mut spec, &["window"], &Window::default());
    each(&mut spec, &["batchSource"], &BatchSource::default());
    each(&mut spec, &["transform"], &Transform::default());
    each(&mut spec, &["transform", "package"], &PackageRef::default());
    each(&mut spec, &["state"], &State::default());
    each(&mut spec, &["packageService"], &PulsarAccess::default());
    spec
}

/// Leaves defaults out of the values at a path, in which `*` stands for every member.
fn each<T: Serialize>(value: &mut Value, path: &[&str], default: &T) {
    match path.split_first() {
        None => {
            let lean = without(std::mem::take(value), &json(default));
            *value = lean;
        }
        Some((&"*", rest)) => {
            for member in value.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
                each(member, rest, default);
            }
        }
        Some((name, rest)) => {
            if let Some(member) = value.get_mut(*name).filter(|member| member.is_object()) {
                each(member, rest, default);
            }
        }
    }
}

/// `value` without the members that are as in `default`. An object stays in place of one that became empty only when the
/// default has none there.
fn without(value: Value, default: &Value) -> Value {
    match (value, default) {
        (Value::Object(fields), Value::Object(defaults)) => Value::Object(
            fields
                .into_iter()
                .filter_map(|(name, value)| match defaults.get(&name) {
                    Some(default) if value == *default => None,
                    Some(default) if !is_empty(default) => Some((name, without(value, default))),
                    _ => Some((name, value)),
                })
                .collect(),
        ),
        (value, _) => value,
    }
}

/// Whether a default is an empty object: then the members of the value are keys that somebody chose.
fn is_empty(default: &Value) -> bool {
    default.as_object().is_none_or(serde_json::Map::is_empty)
}

/// The types of the model serialise without fail: their keys are texts.
fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
