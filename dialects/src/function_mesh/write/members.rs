//! An object under construction: what is not given is not written.

use std::fmt::Display;

use isthmus_model::component::Object;
use serde::Serialize;
use serde_json::Value;

use super::json_of;

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

    pub(super) fn given<T: Serialize>(&mut self, name: &str, value: Option<&T>) {
        if let Some(value) = value {
            self.put(name, json_of(value));
        }
    }

    pub(super) fn object(&mut self, name: &str, object: Option<Object>) {
        if let Some(object) = object {
            self.put(name, object.into());
        }
    }

    pub(super) fn list<T: Serialize>(&mut self, name: &str, items: &[T]) {
        if !items.is_empty() {
            self.put(name, json_of(items));
        }
    }

    pub(super) fn map<K: Display, V: Into<Value>>(
        &mut self,
        name: &str,
        map: impl IntoIterator<Item = (K, V)>,
    ) {
        let map: Object = map.into_iter().map(|(key, value)| (key.to_string(), value.into())).collect();
        if !map.is_empty() {
            self.put(name, map.into());
        }
    }
}
