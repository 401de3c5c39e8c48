//! A protobuf message as JSON under construction.

use isthmus_model::component::Object;
use serde_json::Value;

/// Members with their default value are left out.
#[derive(Debug, Default)]
pub(super) struct Members(pub(super) Object);

impl Members {
    pub(super) fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.put(name, text.into());
        }
    }

    pub(super) fn flag(&mut self, name: &str, on: bool) {
        if on {
            self.put(name, true.into());
        }
    }

    pub(super) fn number(&mut self, name: &str, number: u32) {
        if number != 0 {
            self.put(name, number.into());
        }
    }

    /// A 64-bit number, which protobuf's JSON writes as text.
    pub(super) fn long(&mut self, name: &str, number: u64) {
        if number != 0 {
            self.put(name, number.to_string().into());
        }
    }

    /// An object that travels as JSON text.
    pub(super) fn object_text(&mut self, name: &str, object: &Object) {
        if !object.is_empty() {
            self.put(name, json_text(object).into());
        }
    }

    pub(super) fn map<K: AsRef<str>, V: Into<Value>>(
        &mut self,
        name: &str,
        map: impl IntoIterator<Item = (K, V)>,
    ) {
        let map: Object =
            map.into_iter().map(|(key, value)| (key.as_ref().to_owned(), value.into())).collect();
        if !map.is_empty() {
            self.put(name, map.into());
        }
    }

    pub(super) fn member(&mut self, name: &str, member: Option<Object>) {
        if let Some(member) = member {
            self.put(name, member.into());
        }
    }
}

/// JSON with sorted keys: the same configuration gives the same text whatever order it was written in.
pub(super) fn json_text(object: &Object) -> String {
    let mut sorted = object.clone();
    sort(&mut sorted);
    Value::Object(sorted).to_string()
}

fn sort(object: &mut Object) {
    object.sort_keys();
    object.values_mut().for_each(sort_value);
}

fn sort_value(value: &mut Value) {
    match value {
        Value::Object(object) => sort(object),
        Value::Array(items) => items.iter_mut().for_each(sort_value),
        _ => {}
    }
}
