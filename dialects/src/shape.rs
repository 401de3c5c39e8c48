//! A JSON value to a typed one, with everything that does not fit named at once, not only the first.
//!
//! serde ends at the first error. So the value at fault is noted, taken out and the rest read again; what is given as null
//! counts as not given, as in Kubernetes.

use isthmus_model::reason::{Reason, Violation};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::path;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Shaped<T> {
    /// The typed value, with defaults in place of what did not fit.
    pub(crate) value: T,
    /// The typed value as JSON again.
    pub(crate) back: Value,
    /// What did not fit.
    pub(crate) violations: Vec<Violation>,
    /// Paths of the fields that the type does not know.
    pub(crate) unknown: Vec<String>,
}

/// Values at fault that are reported of one document; a document with more has other troubles.
const MAX_VIOLATIONS: usize = 32;

/// Objects whose members are the user's own, so that a null in them means something.
const FREE_FORM: &[&str] = &[
    "config",
    "configs",
    "cryptoKeyReaderConfig",
    "discoveryTriggererConfig",
    "funcConfig",
    "javaProviderConfig",
    "keyReaderConfig",
    "sinkConfig",
    "sourceConfig",
    "userConfig",
];

/// Reads `value` as a `T`; `base` is the path at which it stands.
pub(crate) fn shape<T: DeserializeOwned + Serialize + Default>(mut value: Value, base: &str) -> Shaped<T> {
    strip_nulls(&mut value);
    let mut violations = Vec::new();
    let mut taken = Taken::default();
    while violations.len() < MAX_VIOLATIONS {
        let mut unknown = Vec::new();
        let mut note = |path: serde_ignored::Path<'_>| unknown.push(ignored(base, &path));
        let mut track = serde_path_to_error::Track::new();
        let tracked = serde_path_to_error::Deserializer::new(&value, &mut track);
        match T::deserialize(serde_ignored::Deserializer::new(tracked, &mut note)) {
            Ok(shaped) => {
                let back = serde_json::to_value(&shaped).unwrap_or_default();
                lists_for_objects(base, &value, &back, &mut violations);
                return Shaped { value: shaped, back, violations, unknown };
            }
            Err(error) => {
                let (field, shown) = taken.take(&mut value, track.path().iter(), base);
                let more = shown.is_some();
                // What is missing because it was taken out has been reported where it stood.
                if !violations.iter().any(|known: &Violation| within(&known.field, &field)) {
                    let shown = shown.map(|value| value.to_string()).unwrap_or_default();
                    violations.push(violation(field, &error, &shown));
                }
                if !more {
                    break;
                }
            }
        }
    }
    Shaped { value: T::default(), back: Value::Null, violations, unknown: Vec::new() }
}

/// Whether a field stands below another one.
fn within(field: &str, around: &str) -> bool {
    path::below(field, around).is_some_and(|rest| !rest.is_empty())
}

/// serde also reads a list as an object whose members it names by their order, which nobody means.
fn lists_for_objects(at: &str, given: &Value, back: &Value, violations: &mut Vec<Violation>) {
    match (given, back) {
        (Value::Array(_), Value::Object(_)) => {
            let message = "this is a list; it must be an object";
            violations.push(Violation::new(at, Reason::InvalidField, message));
        }
        (Value::Array(given), Value::Array(back)) => {
            for (index, (given, back)) in given.iter().zip(back).enumerate() {
                lists_for_objects(&path::index(at, index), given, back, violations);
            }
        }
        (Value::Object(given), Value::Object(back)) => {
            for (name, given) in given.iter().filter(|(_, given)| given.is_array() || given.is_object()) {
                if let Some(back) = back.get(name) {
                    lists_for_objects(&path::field(at, name), given, back, violations);
                }
            }
        }
        _ => {}
    }
}

/// The list elements taken out so far, so that the others are still called by the index they were written at.
#[derive(Debug, Default)]
struct Taken(Vec<(String, usize)>);

impl Taken {
    /// Takes out the value at the end of `segments`, or the nearest around it (a path ends early inside an enum).
    fn take<'s>(
        &mut self,
        root: &mut Value,
        segments: impl Iterator<Item = &'s Segment>,
        base: &str,
    ) -> (String, Option<Value>) {
        let mut at = base.to_owned();
        let mut here = root;
        let mut segments = segments.peekable();
        while let Some(segment) = segments.next() {
            let inner =
                segments.peek().is_some_and(|next| matches!(next, Segment::Seq { .. } | Segment::Map { .. }));
            match (segment, here) {
                (Segment::Seq { index }, Value::Array(items)) => {
                    let parent = std::mem::take(&mut at);
                    at = path::index(&parent, self.written(&parent, *index));
                    let descend =
                        inner && items.get(*index).is_some_and(|item| item.is_array() || item.is_object());
                    if !descend {
                        let value = (*index < items.len()).then(|| items.remove(*index));
                        let written = self.written(&parent, *index);
                        self.0.push((parent, written));
                        return (at, value);
                    }
                    let Some(next) = items.get_mut(*index) else { return (at, None) };
                    here = next;
                }
                (Segment::Map { key }, Value::Object(entries)) => {
                    at = path::field(&at, key);
                    let descend =
                        inner && entries.get(key).is_some_and(|item| item.is_array() || item.is_object());
                    if !descend {
                        return (at, entries.shift_remove(key));
                    }
                    let Some(next) = entries.get_mut(key) else { return (at, None) };
                    here = next;
                }
                _ => break,
            }
        }
        (at, None)
    }

    /// The index at which the element that is now at `index` was written.
    fn written(&self, list: &str, index: usize) -> usize {
        self.0
            .iter()
            .filter(|(of, _)| of == list)
            .fold(index, |index, (_, gone)| index + usize::from(*gone <= index))
    }
}

fn violation(field: String, error: &serde_json::Error, value: &str) -> Violation {
    if path::is_secret(&field) {
        let message = "it has the wrong type or form; the value is not shown because it may be a secret";
        return Violation::new(field, Reason::InvalidField, message);
    }
    Violation::new(field, Reason::InvalidField, sentence(&error.to_string())).with_value(value)
}

/// serde's error in words for who never wrote Rust.
fn sentence(error: &str) -> String {
    let (got, expected) = error.split_once(", expected ").unwrap_or((error, ""));
    let expected = match expected {
        "u16" | "u32" | "u64" | "usize" => "a whole number of 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "string" => "text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    if expected.is_empty() { got.to_owned() } else { format!("{got}; it must be {expected}") }
}

fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            entries.retain(|_, value| !value.is_null());
            for (key, value) in entries.iter_mut() {
                if !FREE_FORM.contains(&key.as_str()) {
                    strip_nulls(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}

/// The path of an ignored field as [`path`] writes it.
fn ignored(base: &str, at: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match at {
        Path::Root => base.to_owned(),
        Path::Seq { parent, index } => path::index(&ignored(base, parent), *index),
        Path::Map { parent, key } => path::field(&ignored(base, parent), key),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            ignored(base, parent)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Outer {
        count: u32,
        names: Vec<String>,
        inner: Inner,
    }

    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Inner {
        on: bool,
        user_config: serde_json::Map<String, Value>,
    }

    #[test]
    fn every_value_that_does_not_fit_is_named_with_its_path() {
        let shaped: Shaped<Outer> =
            shape(json!({"count": -1, "names": ["a", 2, "b", 3], "inner": {"on": "yes"}, "more": 1}), "spec");
        let seen: Vec<_> = shaped.violations.iter().map(|v| (v.field.as_str(), v.value.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("spec.count", "-1"),
                ("spec.names[1]", "2"),
                ("spec.names[3]", "3"),
                ("spec.inner.on", "\"yes\"")
            ]
        );
        assert_eq!(shaped.unknown, ["spec.more"]);
        assert_eq!(shaped.value.names, ["a", "b"]);
        assert!(!shaped.value.inner.on && shaped.value.count == 0);
    }

    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(default)]
    struct Tagged {
        all: Vec<One>,
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct One {
        word: Word,
    }

    #[derive(Debug, Serialize, Deserialize)]
    enum Word {
        Yes,
    }

    #[test]
    fn what_is_missing_because_it_did_not_fit_is_no_second_problem() {
        let shaped: Shaped<Tagged> = shape(json!({"all": [{"word": "Yes"}, {"word": "no"}]}), "");
        let fields: Vec<_> = shaped.violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["all[1].word"]);
        assert!(matches!(shaped.value.all[..], [One { word: Word::Yes }]));
    }

    #[test]
    fn null_counts_as_not_given_except_in_the_users_own_objects() {
        let shaped: Shaped<Outer> = shape(json!({"count": null, "inner": {"userConfig": {"k": null}}}), "");
        assert!(shaped.violations.is_empty());
        assert_eq!(shaped.value.inner.user_config.get("k"), Some(&Value::Null));
    }

    #[test]
    fn a_document_of_another_form_altogether_is_one_violation() {
        for (document, field) in
            [(json!("x"), "spec"), (json!([1]), "spec"), (json!({"inner": [true]}), "spec.inner")]
        {
            let shaped: Shaped<Outer> = shape(document, "spec");
            let fields: Vec<_> = shaped.violations.iter().map(|violation| violation.field.as_str()).collect();
            assert_eq!(fields, [field]);
        }
    }
}
