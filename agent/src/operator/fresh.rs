//! Objects that the watches brought and no pass has used yet, so that no pass asks for what has just come.
//!
//! Each is used once. There are only so many bytes of them: what has no room, or had to make room, is asked for.

use std::collections::{BTreeMap, HashMap};

use isthmus_model::component::Object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicResourceScope, Resource};
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// What all of one kind may weigh, in bytes: a burst of a thousand resources or so.
const MOST: usize = 16 << 20;

/// An object as a watch brings it: the whole of it, but for who manages its fields, which nobody here looks at.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) metadata: ObjectMeta,
    pub(super) whole: Object,
}

impl<'de> Deserialize<'de> for Arrival {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut whole = Object::deserialize(deserializer)?;
        let Some(Value::Object(metadata)) = whole.get_mut("metadata") else {
            return Err(D::Error::missing_field("metadata"));
        };
        metadata.remove("managedFields");
        let metadata = ObjectMeta::deserialize(&*metadata).map_err(D::Error::custom)?;
        Ok(Self { metadata, whole })
    }
}

impl Resource for Arrival {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// Namespace and name.
pub(super) type Key = (String, String);

/// What came and was not used yet.
#[derive(Debug, Default)]
pub(super) struct Fresh(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    kept: HashMap<Key, Kept>,
    /// In the order in which they came.
    turns: BTreeMap<u64, Key>,
    next: u64,
    weight: usize,
    /// The version of what was read since. A watch can be behind, and what it brings then must not count once more.
    read: HashMap<Key, u64>,
}

#[derive(Debug)]
struct Kept {
    object: Object,
    weight: usize,
    turn: u64,
}

impl Fresh {
    /// Keeps an object for the next pass, unless it was read since. Who came first makes room.
    pub(super) fn put(&self, key: Key, object: Object) {
        let mut inner = self.0.lock();
        // Once the watch has come as far as what was read, nothing older comes any more.
        let current = match inner.read.get(&key) {
            None => true,
            Some(read) => version(&object).is_some_and(|version| version >= *read),
        };
        if current {
            inner.read.remove(&key);
            inner.put(key, object);
        }
    }

    /// Takes the object's place if it is kept: an older one is of no use.
    pub(super) fn renew(&self, key: &Key, object: Object) {
        let mut inner = self.0.lock();
        if inner.take(key).is_some() {
            inner.put(key.clone(), object);
        }
    }

    /// The object as it came last, once.
    pub(super) fn take(&self, key: &Key) -> Option<Object> {
        self.0.lock().take(key)
    }

    /// Notes that the object was asked for and found like this.
    pub(super) fn note(&self, key: Key, object: &Object) {
        let mut inner = self.0.lock();
        inner.take(&key);
        // A version that is no number compares with none, so that everything is asked for until the watch tells of an end.
        inner.read.insert(key, version(object).unwrap_or(u64::MAX));
    }

    /// It is gone.
    pub(super) fn forget(&self, key: &Key) {
        let mut inner = self.0.lock();
        inner.take(key);
        inner.read.remove(key);
    }
}

/// Versions of the API server are numbers that grow.
fn version(object: &Object) -> Option<u64> {
    object.get("metadata")?.get("resourceVersion")?.as_str()?.parse().ok()
}

impl Inner {
    fn put(&mut self, key: Key, object: Object) {
        self.take(&key);
        let weight = object.iter().map(|(name, value)| of_member(name, value)).sum();
        if weight > MOST {
            return;
        }
        while self.weight + weight > MOST {
            let Some((_, oldest)) = self.turns.pop_first() else { break };
            self.take(&oldest);
        }
        let turn = self.next;
        self.next += 1;
        self.weight += weight;
        self.turns.insert(turn, key.clone());
        self.kept.insert(key, Kept { object, weight, turn });
    }

    fn take(&mut self, key: &Key) -> Option<Object> {
        let Kept { object, weight, turn } = self.kept.remove(key)?;
        self.weight -= weight;
        self.turns.remove(&turn);
        if self.kept.is_empty() {
            // After a burst.
            self.kept.shrink_to_fit();
        }
        Some(object)
    }
}

/// About what a member holds of memory.
fn of_member(name: &str, value: &Value) -> usize {
    const MEMBER: usize = size_of::<String>() + size_of::<Value>();
    MEMBER + name.len() + of_value(value)
}

/// About what hangs on a value.
fn of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| size_of::<Value>() + of_value(item)).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| of_member(name, value)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Object {
        value.as_object().cloned().unwrap()
    }

    fn key(name: &str) -> Key {
        ("n".to_owned(), name.to_owned())
    }

    fn at(version: &str) -> Object {
        object(&json!({"metadata": {"resourceVersion": version}}))
    }

    #[test]
    fn what_came_is_used_once_and_as_it_came_last() {
        let (fresh, key) = (Fresh::default(), key("a"));
        fresh.renew(&key, at("1"));
        assert_eq!(fresh.take(&key), None, "nobody waits for it");
        fresh.put(key.clone(), at("2"));
        fresh.renew(&key, at("3"));
        assert_eq!(fresh.take(&key), Some(at("3")));
        assert_eq!(fresh.take(&key), None);
    }

    #[test]
    fn what_a_watch_brings_late_does_not_count_once_more() {
        let (fresh, key) = (Fresh::default(), key("a"));
        fresh.put(key.clone(), at("8"));
        fresh.note(key.clone(), &at("10"));
        assert_eq!(fresh.take(&key), None, "it was read since");
        fresh.put(key.clone(), at("9"));
        assert_eq!(fresh.take(&key), None, "it is older than what was read");
        fresh.put(key.clone(), at("10"));
        assert_eq!(fresh.take(&key), Some(at("10")));
        fresh.note(key.clone(), &at("no number"));
        fresh.put(key.clone(), at("11"));
        assert_eq!(fresh.take(&key), None);
        fresh.forget(&key);
        fresh.put(key.clone(), at("12"));
        assert_eq!(fresh.take(&key), Some(at("12")));
    }

    #[test]
    fn there_are_only_so_many_bytes_and_who_came_first_makes_room() {
        let fresh = Fresh::default();
        let third = object(&json!({"text": "x".repeat(MOST / 3)}));
        for name in ["a", "b", "c"] {
            fresh.put(key(name), third.clone());
        }
        assert_eq!(["a", "b", "c"].map(|name| fresh.take(&key(name)).is_some()), [false, true, true]);
        fresh.put(key("d"), object(&json!({"text": "x".repeat(MOST)})));
        assert_eq!(fresh.take(&key("d")), None);
        let inner = fresh.0.lock();
        assert_eq!((inner.weight, inner.kept.len(), inner.turns.len()), (0, 0, 0));
    }

    #[test]
    fn an_object_arrives_whole_but_for_who_manages_its_fields() {
        let text = json!({"kind": "A", "metadata": {"name": "a", "managedFields": [{"manager": "m"}]}, "spec": {"b": 1}});
        let arrival: Arrival = serde_json::from_value(text).unwrap();
        assert_eq!(arrival.metadata.name.as_deref(), Some("a"));
        assert_eq!(arrival.metadata.managed_fields, None);
        assert_eq!(
            Value::Object(arrival.whole),
            json!({"kind": "A", "metadata": {"name": "a"}, "spec": {"b": 1}})
        );
        assert!(serde_json::from_value::<Arrival>(json!({"kind": "A"})).is_err());
    }
}
