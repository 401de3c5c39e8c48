//! What is known of the children that exist: a few numbers each, never the objects.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::object::{NotUsed, Object};
use kube::runtime::watcher::Event;
use parking_lot::Mutex;
use serde::Deserialize;

use super::child::ChildKind;

/// A child as the watch shows it: of the object that is read only what is looked at.
pub(crate) type Watched = Object<NotUsed, WatchedStatus>;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct WatchedStatus {
    ready_replicas: i32,
    updated_replicas: i32,
    observed_generation: i64,
}

/// Which child.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) kind: ChildKind,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// What is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) uid: String,
    /// Name and identity of the resource that controls it.
    pub(crate) owner: Option<(String, String)>,
    /// Another one when anything but the status changed.
    pub(crate) mark: u64,
    /// Of a StatefulSet: pods that are ready and of the newest form.
    pub(crate) ready: i32,
    pub(crate) updated: i32,
    /// The newest form is the one that these numbers are about.
    pub(crate) current: bool,
}

/// What is known of all of a controller's, and of which of them it was seen that they are as they shall be.
#[derive(Debug, Default)]
pub(crate) struct Children {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<Key, Known>,
    /// The mark at which a child was as this digest wants it.
    verified: HashMap<Key, (u64, String)>,
    /// Seen since the last listing of a kind began.
    listing: HashMap<ChildKind, BTreeSet<Key>>,
    /// Kinds of which all that there were have been seen.
    listed: BTreeSet<ChildKind>,
}

impl Children {
    /// Takes in what the watch of one kind says; namespaces and names of the resources that should be looked at because of
    /// it.
    pub(crate) fn on(&self, kind: ChildKind, event: Event<Watched>) -> Vec<(String, String)> {
        let mut inner = self.inner.lock();
        match event {
            Event::Init => {
                inner.listing.insert(kind, BTreeSet::new());
                Vec::new()
            }
            Event::InitApply(child) => {
                let Some((key, known)) = known(kind, child) else { return Vec::new() };
                if let Some(listed) = inner.listing.get_mut(&kind) {
                    listed.insert(key.clone());
                }
                inner.see(key, known).into_iter().collect()
            }
            Event::InitDone => {
                inner.listed.insert(kind);
                let listed = inner.listing.remove(&kind).unwrap_or_default();
                let gone = inner.known.keys().filter(|key| key.kind == kind && !listed.contains(*key));
                let gone: Vec<Key> = gone.cloned().collect();
                gone.iter().filter_map(|key| inner.lose(key)).collect()
            }
            Event::Apply(child) => {
                known(kind, child).and_then(|(key, known)| inner.see(key, known)).into_iter().collect()
            }
            Event::Delete(child) => {
                known(kind, child).and_then(|(key, _)| inner.lose(&key)).into_iter().collect()
            }
        }
    }

    /// What is known of a child.
    pub(crate) fn known(&self, key: &Key) -> Option<Known> {
        self.inner.lock().known.get(key).cloned()
    }

    /// Whether there is no such child as far as is known, and all that there were have been seen.
    pub(crate) fn is_absent(&self, key: &Key) -> bool {
        let inner = self.inner.lock();
        inner.listed.contains(&key.kind) && !inner.known.contains_key(key)
    }

    /// Whether the child is known to be as this digest wants it.
    pub(crate) fn is_verified(&self, key: &Key, digest: &str) -> bool {
        let inner = self.inner.lock();
        let mark = inner.known.get(key).map(|known| known.mark);
        inner.verified.get(key).is_some_and(|(at, wanted)| Some(*at) == mark && wanted == digest)
    }

    /// Notes that the child, as it is in `metadata`, is as this digest wants it. Of what is not watched it is not noted: nobody
    /// would tell when that is no longer so.
    pub(crate) fn verify(&self, key: Key, metadata: &ObjectMeta, digest: String) {
        if !ChildKind::WATCHED.contains(&key.kind) {
            return;
        }
        let mark = mark(key.kind, metadata);
        self.inner.lock().verified.insert(key, (mark, digest));
    }
}

impl Inner {
    /// The owner, if it should look: something changed that it did not do itself.
    fn see(&mut self, key: Key, known: Known) -> Option<(String, String)> {
        let before = self.known.get(&key);
        let own_write = self.verified.get(&key).is_some_and(|(mark, _)| *mark == known.mark);
        let status = |known: &Known| (known.ready, known.updated, known.current);
        let look = match before {
            Some(before) => {
                *before != known
                    && !(own_write && status(before) == status(&known) && before.uid == known.uid)
            }
            None => !own_write || status(&known) != (0, 0, false),
        };
        let owner = known.owner.as_ref().map(|(name, _)| (key.namespace.clone(), name.clone()));
        self.known.insert(key, known);
        owner.filter(|_| look)
    }

    fn lose(&mut self, key: &Key) -> Option<(String, String)> {
        self.verified.remove(key);
        let known = self.known.remove(key)?;
        known.owner.map(|(name, _)| (key.namespace.clone(), name))
    }
}

fn known(kind: ChildKind, child: Watched) -> Option<(Key, Known)> {
    let mark = mark(kind, &child.metadata);
    let owner = controller(&child.metadata);
    let ObjectMeta { name, namespace, uid, generation, .. } = child.metadata;
    let status = child.status.unwrap_or_default();
    let known = Known {
        uid: uid.unwrap_or_default(),
        owner,
        mark,
        ready: status.ready_replicas,
        updated: status.updated_replicas,
        current: generation.is_some_and(|generation| status.observed_generation >= generation),
    };
    Some((Key { kind, namespace: namespace?, name: name? }, known))
}

/// Name and identity of who controls an object.
pub(crate) fn controller(metadata: &ObjectMeta) -> Option<(String, String)> {
    let mut owners = metadata.owner_references.iter().flatten();
    let owner = owners.find(|owner| owner.controller == Some(true))?;
    Some((owner.name.clone(), owner.uid.clone()))
}

/// Of a StatefulSet the generation counts changes of the spec, so that its status can change without anybody looking. The others
/// have no such number, or none that is counted.
fn mark(kind: ChildKind, metadata: &ObjectMeta) -> u64 {
    if kind == ChildKind::StatefulSet {
        return mark_of_generation(metadata);
    }
    let mut hasher = DefaultHasher::new();
    metadata.uid.hash(&mut hasher);
    metadata.resource_version.hash(&mut hasher);
    hasher.finish()
}

/// Another one when anything but the status changed, of an object whose generation counts changes of its spec.
pub(super) fn mark_of_generation(metadata: &ObjectMeta) -> u64 {
    let mut hasher = DefaultHasher::new();
    metadata.uid.hash(&mut hasher);
    metadata.generation.hash(&mut hasher);
    metadata.labels.hash(&mut hasher);
    metadata.annotations.hash(&mut hasher);
    controller(metadata).hash(&mut hasher);
    metadata.deletion_timestamp.is_some().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(generation: i64, ready: i32) -> Watched {
        serde_json::from_value(json!({
            "metadata": {
                "name": "a-function", "namespace": "n", "uid": "u", "generation": generation, "resourceVersion": "7",
                "ownerReferences": [{"apiVersion": "v", "kind": "Function", "name": "a", "uid": "o", "controller": true}],
            },
            "spec": {},
            "status": {"readyReplicas": ready, "observedGeneration": generation},
        }))
        .unwrap()
    }

    fn look() -> Vec<(String, String)> {
        vec![("n".to_owned(), "a".to_owned())]
    }

    const KIND: ChildKind = ChildKind::StatefulSet;

    #[test]
    fn a_change_wakes_the_owner_and_a_repetition_does_not() {
        let children = Children::default();
        assert_eq!(children.on(KIND, Event::Apply(set(1, 0))), look());
        assert_eq!(children.on(KIND, Event::Apply(set(1, 0))), []);
        assert_eq!(children.on(KIND, Event::Apply(set(1, 1))), look());
        assert_eq!(children.on(KIND, Event::Delete(set(1, 1))), look());
    }

    #[test]
    fn what_the_operator_wrote_itself_wakes_nobody_and_is_known_to_be_right() {
        let children = Children::default();
        let key = Key { kind: KIND, namespace: "n".to_owned(), name: "a-function".to_owned() };
        children.on(KIND, Event::Apply(set(1, 0)));
        children.verify(key.clone(), &set(2, 0).metadata, "d".to_owned());
        assert!(!children.is_verified(&key, "d"), "the watch has not shown it yet");
        assert_eq!(children.on(KIND, Event::Apply(set(2, 0))), []);
        assert!(children.is_verified(&key, "d") && !children.is_verified(&key, "e"));
        assert_eq!(children.on(KIND, Event::Apply(set(3, 0))), look());
        assert!(!children.is_verified(&key, "d"), "somebody changed it");
    }

    #[test]
    fn before_the_first_listing_has_ended_nothing_is_known_to_be_absent() {
        let children = Children::default();
        let key = |name: &str| Key { kind: KIND, namespace: "n".to_owned(), name: name.to_owned() };
        for event in [Event::Init, Event::InitApply(set(1, 1))] {
            children.on(KIND, event);
            assert!(!children.is_absent(&key("b")));
        }
        children.on(KIND, Event::InitDone);
        assert!(children.is_absent(&key("b")) && !children.is_absent(&key("a-function")));
        children.on(KIND, Event::Delete(set(1, 1)));
        assert!(children.is_absent(&key("a-function")));
    }

    #[test]
    fn what_a_new_listing_does_not_show_is_gone() {
        let children = Children::default();
        children.on(KIND, Event::Apply(set(1, 1)));
        for event in [Event::Init, Event::InitApply(set(1, 1)), Event::InitDone] {
            assert_eq!(children.on(KIND, event), []);
        }
        let key = Key { kind: KIND, namespace: "n".to_owned(), name: "a-function".to_owned() };
        assert!(children.known(&key).is_some());
        assert_eq!(children.on(KIND, Event::Init), []);
        assert_eq!(children.on(KIND, Event::InitDone), look());
        assert_eq!(children.known(&key), None);
    }
}
