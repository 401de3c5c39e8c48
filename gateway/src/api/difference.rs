//! What a change would change, field by field.

use std::collections::BTreeSet;

use isthmus_dialects::native::REDACTED;
use isthmus_model::component::Component;
use isthmus_model::sealed::SealedSecrets;
use isthmus_proto::component::v1::FieldChange;
use isthmus_proto::convert::sealed::FIELD;
use serde_json::Value;

/// Every field in which two components differ, by the paths of the loss-free form. Credentials are not shown there.
pub(super) fn changes(before: Option<&Component>, after: Option<&Component>) -> Vec<FieldChange> {
    let value =
        |component: Option<&Component>| component.map(isthmus_dialects::native::to_value).unwrap_or_default();
    let mut found = Vec::new();
    compare("", &value(before), &value(after), &mut found);
    found
}

/// Every sealed secret that another value takes the place of, as far as can be told: what was sealed again may be the same.
pub(super) fn sealed(before: Option<&SealedSecrets>, after: Option<&SealedSecrets>) -> Vec<FieldChange> {
    let value = |sealed: Option<&SealedSecrets>, name: &str| sealed?.values.get(name).cloned();
    let names: BTreeSet<&String> =
        [before, after].into_iter().flatten().flat_map(|sealed| sealed.values.keys()).collect();
    let shown = |there: bool| if there { format!("{REDACTED:?}") } else { String::new() };
    let change = |name: &String| {
        let (old, new) = (value(before, name), value(after, name));
        (old != new).then(|| FieldChange {
            field: isthmus_dialects::path::key(&format!("{FIELD}.values"), name),
            before: shown(old.is_some()),
            after: shown(new.is_some()),
        })
    };
    names.into_iter().filter_map(change).collect()
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<FieldChange>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                compare(&below(path, key), value, new.get(key).unwrap_or(&Value::Null), found);
            }
            for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                compare(&below(path, key), &Value::Null, value, found);
            }
        }
        (Value::Null, Value::Object(new)) if !new.is_empty() => {
            new.iter().for_each(|(key, value)| compare(&below(path, key), &Value::Null, value, found));
        }
        (Value::Object(old), Value::Null) if !old.is_empty() => {
            old.iter().for_each(|(key, value)| compare(&below(path, key), value, &Value::Null, found));
        }
        (old, new) if old == new => {}
        (old, new) => found.push(FieldChange { field: path.to_owned(), before: text(old), after: text(new) }),
    }
}

fn below(path: &str, key: &str) -> String {
    isthmus_dialects::path::field(path, key)
}

fn text(value: &Value) -> String {
    if value.is_null() { String::new() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_fields_that_differ_are_named_with_both_values() {
        let mut found = Vec::new();
        let before = json!({ "a": 1, "same": [1, 2], "gone": { "x": true } });
        let after = json!({ "a": 2, "same": [1, 2], "new": { "y": "z" } });
        compare("", &before, &after, &mut found);
        let lines: Vec<_> =
            found.iter().map(|c| format!("{}: {:?} -> {:?}", c.field, c.before, c.after)).collect();
        assert_eq!(lines, [r#"a: "1" -> "2""#, r#"gone.x: "true" -> """#, r#"new.y: "" -> "\"z\"""#]);
    }
}
