//! What was seen in the cluster, of each object a few words: taken in from watches and from answers to what was written.
//!
//! Answers and events come in any order, and a watch may be behind: of each object only what is newer is taken in. Versions of
//! an API server can be compared as numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use isthmus_model::component::{ComponentKind, Object};
use isthmus_model::name::Uid;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::connection;
use super::marks::{LABEL, Mark, Share};
use super::place::Key;
use super::plan::{ConnectionKey, Found, FoundConnection};
use crate::operator::difference::contains;

/// All that was seen.
#[derive(Debug)]
pub(crate) struct Seen {
    share: Share,
    found: BTreeMap<Key, Found>,
    connections: BTreeMap<ConnectionKey, FoundConnection>,
    /// Of each resource what it takes to know whether more than its status changed.
    faces: BTreeMap<Key, u64>,
    /// Gone from the watch, as what lost its label is, too: which object it was, and whose.
    former: BTreeMap<Key, (Box<str>, Mark)>,
    /// Not shown by the watch, which shows what has the label only.
    unwatched: BTreeSet<Key>,
    unwatched_connections: BTreeSet<ConnectionKey>,
    /// What the listings that go on have shown so far.
    listing: BTreeMap<Listing, BTreeSet<String>>,
}

/// What is watched: a kind of custom resources, or the ConfigMaps, of one namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listing {
    pub(crate) kind: Option<ComponentKind>,
    pub(crate) namespace: Box<str>,
}

impl Seen {
    pub(crate) fn new(share: Share) -> Self {
        Self {
            share,
            found: BTreeMap::new(),
            connections: BTreeMap::new(),
            faces: BTreeMap::new(),
            former: BTreeMap::new(),
            unwatched: BTreeSet::new(),
            unwatched_connections: BTreeSet::new(),
            listing: BTreeMap::new(),
        }
    }

    pub(crate) fn found(&self) -> &BTreeMap<Key, Found> {
        &self.found
    }

    pub(crate) fn connections(&self) -> &BTreeMap<ConnectionKey, FoundConnection> {
        &self.connections
    }

    /// Takes in what the watch of one kind in one namespace says. `body` gives what the resource of a component shall be.
    pub(crate) fn on_resource(
        &mut self,
        kind: ComponentKind,
        namespace: &str,
        event: Event<DynamicObject>,
        body: impl FnMut(Mark) -> Option<(Box<str>, Object)>,
    ) -> bool {
        let listing = Listing { kind: Some(kind), namespace: namespace.into() };
        match event {
            Event::Init => {
                self.listing.insert(listing, BTreeSet::new());
                false
            }
            Event::InitApply(live) => {
                if let Some(shown) = self.listing.get_mut(&listing) {
                    shown.extend(live.metadata.name.clone());
                }
                self.see(kind, namespace, &live, body)
            }
            Event::Apply(live) => self.see(kind, namespace, &live, body),
            Event::Delete(live) => self.lose(&key(kind, namespace, &live.metadata), &live.metadata),
            Event::InitDone => {
                let shown = self.listing.remove(&listing).unwrap_or_default();
                let lost = |key: &Key| {
                    key.kind == kind && *key.namespace == *namespace && !shown.contains(&*key.name)
                };
                let lost: Vec<Key> = self
                    .found
                    .keys()
                    .filter(|key| lost(key) && !self.unwatched.contains(*key))
                    .cloned()
                    .collect();
                for key in &lost {
                    self.forget(key);
                }
                !lost.is_empty()
            }
        }
    }

    /// The same of the ConfigMaps.
    pub(crate) fn on_connection(&mut self, namespace: &str, event: Event<ConfigMap>) -> bool {
        let listing = Listing { kind: None, namespace: namespace.into() };
        match event {
            Event::Init => {
                self.listing.insert(listing, BTreeSet::new());
                false
            }
            Event::InitApply(live) => {
                if let Some(shown) = self.listing.get_mut(&listing) {
                    shown.extend(live.metadata.name.clone());
                }
                self.see_connection(namespace, &live)
            }
            Event::Apply(live) => self.see_connection(namespace, &live),
            Event::Delete(live) => {
                let key = connection_key(namespace, &live.metadata);
                let known = self.connections.get(&key);
                let news = known.is_some_and(|known| !is_older(&live.metadata, &known.version));
                if news {
                    self.forget_connection(&key);
                }
                news
            }
            Event::InitDone => {
                let shown = self.listing.remove(&listing).unwrap_or_default();
                let lost = |key: &&ConnectionKey| {
                    *key.namespace == *namespace
                        && !shown.contains(&*key.name)
                        && !self.unwatched_connections.contains(*key)
                };
                let lost: Vec<ConnectionKey> = self.connections.keys().filter(lost).cloned().collect();
                for key in &lost {
                    self.forget_connection(key);
                }
                !lost.is_empty()
            }
        }
    }

    /// Takes in a resource as it is, wherever it was seen. Whether that is news.
    pub(crate) fn see(
        &mut self,
        kind: ComponentKind,
        namespace: &str,
        live: &DynamicObject,
        mut body: impl FnMut(Mark) -> Option<(Box<str>, Object)>,
    ) -> bool {
        let (key, metadata) = (key(kind, namespace, &live.metadata), &live.metadata);
        let known = self.found.get(&key);
        let object = metadata.uid.as_deref().unwrap_or_default();
        let same = known.filter(|known| *known.object == *object);
        if same.is_some_and(|known| is_older(metadata, &known.version)) {
            return false;
        }
        let face = face(metadata);
        let unchanged = same.is_some() && self.faces.get(&key) == Some(&face);
        let version = metadata.resource_version.as_deref().unwrap_or_default();
        if unchanged {
            if let Some(known) = self.found.get_mut(&key) {
                known.version = version.into();
            }
            return false;
        }
        // Whoever takes our annotations away has not made it theirs: it is the same object.
        let own = self.share.mark(metadata.annotations.as_ref());
        let before = same.and_then(|known| known.mark);
        let former = self.former.remove(&key).filter(|(former, _)| **former == *object).map(|(_, mark)| mark);
        let mark = own.or(before).or(former);
        let shall = own.and_then(&mut body);
        let is = shall.and_then(|(digest, body)| is(live, &body).then_some(digest));
        let connection = live.data.pointer("/spec/pulsar/pulsarConfig").and_then(Value::as_str);
        let found = Found {
            object: object.into(),
            version: version.into(),
            mark,
            is,
            connection: connection.unwrap_or_default().into(),
            deleting: metadata.deletion_timestamp.is_some(),
        };
        if has_label(metadata) {
            self.unwatched.remove(&key);
        } else {
            self.unwatched.insert(key.clone());
        }
        self.faces.insert(key.clone(), face);
        self.found.insert(key, found);
        true
    }

    /// The resource is exactly what this digest says, because it was just written: whatever the API server makes of it.
    pub(crate) fn wrote(&mut self, key: &Key, version: &str, digest: Box<str>) {
        if let Some(found) = self.found.get_mut(key).filter(|found| *found.version == *version) {
            found.is = Some(digest);
        }
    }

    /// A ConfigMap as it is. Whether that is news.
    pub(crate) fn see_connection(&mut self, namespace: &str, live: &ConfigMap) -> bool {
        let (key, metadata) = (connection_key(namespace, &live.metadata), &live.metadata);
        let object = metadata.uid.as_deref().unwrap_or_default();
        let known = self.connections.get(&key).filter(|known| *known.object == *object);
        if known.is_some_and(|known| is_older(metadata, &known.version)) {
            return false;
        }
        if has_label(metadata) {
            self.unwatched_connections.remove(&key);
        } else {
            self.unwatched_connections.insert(key.clone());
        }
        let found = FoundConnection {
            object: object.into(),
            version: metadata.resource_version.as_deref().unwrap_or_default().into(),
            state: connection::state(&self.share, &key.name, live),
        };
        self.connections.insert(key, found.clone()) != Some(found)
    }

    /// Its deletion was taken.
    pub(crate) fn deleting(&mut self, key: &Key, object: &str) {
        if let Some(found) = self.found.get_mut(key).filter(|found| *found.object == *object) {
            found.deleting = true;
        }
    }

    /// It is not there, as far as is known; what is not watched is asked for again.
    pub(crate) fn forget(&mut self, key: &Key) {
        self.found.remove(key);
        self.faces.remove(key);
        self.unwatched.remove(key);
    }

    /// The same of a ConfigMap.
    pub(crate) fn forget_connection(&mut self, key: &ConnectionKey) {
        self.connections.remove(key);
        self.unwatched_connections.remove(key);
    }

    /// Whether something was seen that no watch shows.
    pub(crate) fn has_foreign(&self) -> bool {
        !self.unwatched.is_empty() || !self.unwatched_connections.is_empty()
    }

    /// What no watch shows may have gone: it is as if it had not been seen.
    pub(crate) fn forget_foreign(&mut self) {
        for key in std::mem::take(&mut self.unwatched) {
            self.forget(&key);
        }
        for key in std::mem::take(&mut self.unwatched_connections) {
            self.forget_connection(&key);
        }
    }

    fn lose(&mut self, key: &Key, metadata: &ObjectMeta) -> bool {
        let known = self.found.get(key);
        let known = known.filter(|known| !is_older(metadata, &known.version));
        let Some(known) = known else { return false };
        if let Some(mark) = known.mark {
            self.former.insert(key.clone(), (known.object.clone(), mark));
        }
        self.forget(key);
        true
    }

    /// Nobody asks any more what became of the others.
    pub(crate) fn keep_former(&mut self, mut of: impl FnMut(Uid) -> bool) {
        self.former.retain(|_, (_, mark)| of(mark.uid));
    }
}

fn key(kind: ComponentKind, namespace: &str, metadata: &ObjectMeta) -> Key {
    Key { kind, namespace: namespace.into(), name: metadata.name.as_deref().unwrap_or_default().into() }
}

fn connection_key(namespace: &str, metadata: &ObjectMeta) -> ConnectionKey {
    ConnectionKey { namespace: namespace.into(), name: metadata.name.as_deref().unwrap_or_default().into() }
}

fn has_label(metadata: &ObjectMeta) -> bool {
    metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(LABEL))
}

fn is_older(metadata: &ObjectMeta, than: &str) -> bool {
    let number = |version: &str| version.parse::<u64>().ok();
    match (metadata.resource_version.as_deref().and_then(number), number(than)) {
        (Some(version), Some(than)) => version < than,
        _ => false,
    }
}

/// Another one when anything but the status changed. The API server counts changes of the spec.
fn face(metadata: &ObjectMeta) -> u64 {
    let mut hasher = DefaultHasher::new();
    metadata.generation.hash(&mut hasher);
    metadata.labels.hash(&mut hasher);
    metadata.annotations.hash(&mut hasher);
    metadata.deletion_timestamp.is_some().hash(&mut hasher);
    hasher.finish()
}

/// Whether everything that shall be there is there.
fn is(live: &DynamicObject, body: &Object) -> bool {
    let metadata = json!({"labels": live.metadata.labels, "annotations": live.metadata.annotations});
    let wanted = body.get("metadata");
    let part = |name: &str| {
        let (live, wanted) = (metadata.get(name), wanted.and_then(|wanted| wanted.get(name)));
        contains(live.unwrap_or(&Value::Null), wanted.unwrap_or(&Value::Null))
    };
    let spec = live.data.get("spec").unwrap_or(&Value::Null);
    part("labels") && part("annotations") && contains(spec, body.get("spec").unwrap_or(&Value::Null))
}

#[cfg(test)]
mod tests;
