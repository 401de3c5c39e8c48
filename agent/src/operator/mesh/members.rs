//! What is known of members that exist: a few words each, never the resources.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use isthmus_dialects::function_mesh::status::Status;
use isthmus_model::component::ComponentKind;
use isthmus_model::reason::Reason;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::object::{NotUsed, Object};
use kube::runtime::watcher::Event;
use parking_lot::Mutex;

use super::super::children::{controller, mark_of_generation};
use super::dereference::Owner;

/// A member as the watch shows it.
pub(crate) type Watched = Object<NotUsed, Status>;

/// The condition that is about the whole.
const READY: &str = "Ready";

/// Of longer words the rest stands in the member's own status, which is where people look next.
const WORDS: usize = 200;

/// Which member: its kind and the name of its resource.
pub(crate) type Key = (ComponentKind, String);

/// What is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) uid: String,
    /// Name and identity of who controls it.
    pub(crate) owner: Option<(String, String)>,
    /// Another one when anything but the status changed.
    pub(crate) mark: u64,
    pub(crate) standing: Standing,
    /// It was deleted, and something still has to be cleaned up for it.
    pub(crate) is_going: bool,
    /// What it was seen to be as it shall be for, and at which mark.
    verified: Option<(u64, String)>,
}

impl Known {
    /// Whether it is known to be as this digest wants it.
    pub(crate) fn is_verified(&self, digest: &str) -> bool {
        self.verified.as_ref().is_some_and(|(mark, wanted)| *mark == self.mark && wanted == digest)
    }

    #[cfg(test)]
    pub(crate) fn of(uid: &str, owner: &str, digest: Option<&str>) -> Self {
        Self {
            uid: uid.to_owned(),
            owner: Some((String::new(), owner.to_owned())),
            mark: 0,
            standing: Standing::Starting,
            is_going: false,
            verified: digest.map(|digest| (0, digest.to_owned())),
        }
    }
}

/// How a member says that it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It works.
    Ready,
    /// It says nothing yet of what it shall be, or that it is on its way.
    Starting,
    /// It does not work: a reason and words.
    Trouble(String, String),
}

/// What is known of the members of all meshes.
#[derive(Debug, Default)]
pub(crate) struct Members(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// By namespace, so that those of one mesh are found among few.
    known: HashMap<String, BTreeMap<Key, Known>>,
    /// Marks of what was written and is not seen yet.
    written: HashMap<(String, Key), (u64, String)>,
    /// Seen since the last listing of a kind began.
    listing: HashMap<ComponentKind, BTreeSet<(String, String)>>,
}

impl Members {
    /// Takes in what the watch of one kind says; namespaces and names of the meshes that should look.
    pub(crate) fn on(&self, kind: ComponentKind, event: Event<Watched>) -> Vec<(String, String)> {
        let mut inner = self.0.lock();
        match event {
            Event::Init => {
                inner.listing.insert(kind, BTreeSet::new());
                Vec::new()
            }
            Event::InitApply(member) => {
                let Some((namespace, name, known)) = known(member) else { return Vec::new() };
                if let Some(listed) = inner.listing.get_mut(&kind) {
                    listed.insert((namespace.clone(), name.clone()));
                }
                inner.see(namespace, (kind, name), known).into_iter().collect()
            }
            Event::InitDone => {
                let listed = inner.listing.remove(&kind).unwrap_or_default();
                let all = inner.known.iter().flat_map(|(namespace, members)| {
                    members.keys().map(move |(kind, name)| (*kind, namespace.clone(), name.clone()))
                });
                let gone: Vec<_> = all
                    .filter(|(of, namespace, name)| {
                        *of == kind && !listed.contains(&(namespace.clone(), name.clone()))
                    })
                    .collect();
                gone.into_iter()
                    .filter_map(|(_, namespace, name)| inner.lose(namespace, &(kind, name)))
                    .collect()
            }
            Event::Apply(member) => {
                let seen = known(member);
                seen.and_then(|(namespace, name, known)| inner.see(namespace, (kind, name), known))
                    .into_iter()
                    .collect()
            }
            Event::Delete(member) => {
                let gone = known(member);
                gone.and_then(|(namespace, name, _)| inner.lose(namespace, &(kind, name)))
                    .into_iter()
                    .collect()
            }
        }
    }

    /// Those that this mesh controls.
    pub(crate) fn of(&self, mesh: &Owner) -> BTreeMap<Key, Known> {
        let inner = self.0.lock();
        let members = inner.known.get(&mesh.namespace).into_iter().flatten();
        let own = members.filter(|(_, known)| known.owner.as_ref().is_some_and(|(_, uid)| *uid == mesh.uid));
        own.map(|(key, known)| (key.clone(), known.clone())).collect()
    }

    /// Notes that the member, as it is in `metadata`, is as this digest wants it.
    pub(crate) fn verify(&self, namespace: &str, key: &Key, metadata: &ObjectMeta, digest: String) {
        let verified = (mark_of_generation(metadata), digest);
        let mut inner = self.0.lock();
        match inner.known.get_mut(namespace).and_then(|members| members.get_mut(key)) {
            Some(known) => known.verified = Some(verified),
            None => {
                inner.written.insert((namespace.to_owned(), key.clone()), verified);
            }
        }
    }
}

impl Inner {
    /// The mesh, if it should look: something changed that it did not do itself.
    fn see(&mut self, namespace: String, key: Key, mut now: Known) -> Option<(String, String)> {
        let members = self.known.entry(namespace.clone()).or_default();
        let before = members.get(&key);
        let written = self.written.remove(&(namespace.clone(), key.clone()));
        now.verified = before.and_then(|before| before.verified.clone()).or(written);
        let own_write = now.verified.as_ref().is_some_and(|(mark, _)| *mark == now.mark);
        let look = match before {
            Some(before) => {
                before.standing != now.standing
                    || before.uid != now.uid
                    || before.mark != now.mark && !own_write
            }
            None => !own_write || now.standing != Standing::Starting,
        };
        let mesh = now.owner.as_ref().map(|(name, _)| (namespace, name.clone()));
        members.insert(key, now);
        mesh.filter(|_| look)
    }

    fn lose(&mut self, namespace: String, key: &Key) -> Option<(String, String)> {
        let members = self.known.get_mut(&namespace)?;
        let known = members.remove(key)?;
        if members.is_empty() {
            self.known.remove(&namespace);
        }
        known.owner.map(|(name, _)| (namespace, name))
    }
}

fn known(member: Watched) -> Option<(String, String, Known)> {
    let mark = mark_of_generation(&member.metadata);
    let owner = controller(&member.metadata);
    let ObjectMeta { name, namespace, uid, generation, deletion_timestamp, .. } = member.metadata;
    let standing = standing(member.status.unwrap_or_default(), generation);
    let known = Known {
        uid: uid.unwrap_or_default(),
        owner,
        mark,
        standing,
        is_going: deletion_timestamp.is_some(),
        verified: None,
    };
    Some((namespace?, name?, known))
}

fn standing(mut status: Status, generation: Option<i64>) -> Standing {
    let current = status.observed_generation == generation;
    match status.conditions.remove(READY).filter(|_| current) {
        Some(ready) if ready.status == "True" => Standing::Ready,
        // How many pods there are changes often, and stands in the member's own status.
        Some(ready) if ready.reason != Reason::Starting.as_str() => {
            let mut words = ready.message;
            if words.chars().count() > WORDS {
                words = words.chars().take(WORDS).chain(['…']).collect();
            }
            Standing::Trouble(ready.reason, words)
        }
        _ => Standing::Starting,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KIND: ComponentKind = ComponentKind::Function;

    fn member(generation: i64, ready: &str) -> Watched {
        serde_json::from_value(json!({
            "metadata": {
                "name": "pipe-a", "namespace": "n", "uid": "u", "generation": generation,
                "ownerReferences": [{"apiVersion": "v", "kind": "FunctionMesh", "name": "pipe", "uid": "o", "controller": true}],
            },
            "spec": {},
            "status": {"observedGeneration": generation, "conditions": {"Ready": {"status": ready, "reason": "BackOff"}}},
        }))
        .unwrap()
    }

    fn key() -> Key {
        (KIND, "pipe-a".to_owned())
    }

    fn look() -> Vec<(String, String)> {
        vec![("n".to_owned(), "pipe".to_owned())]
    }

    fn mesh() -> Owner {
        Owner { namespace: "n".to_owned(), name: "pipe".to_owned(), uid: "o".to_owned() }
    }

    #[test]
    fn a_mesh_looks_when_a_member_changes_and_not_when_it_wrote_it_itself() {
        let members = Members::default();
        members.verify("n", &key(), &member(1, "").metadata, "d".to_owned());
        let mut fresh = member(1, "");
        fresh.status = None;
        assert_eq!(members.on(KIND, Event::Apply(fresh)), []);
        assert!(members.of(&mesh())[&key()].is_verified("d"));
        assert_eq!(members.on(KIND, Event::Apply(member(1, "True"))), look());
        assert_eq!(members.on(KIND, Event::Apply(member(1, "True"))), []);
        assert_eq!(members.on(KIND, Event::Apply(member(2, "True"))), look(), "somebody changed it");
        assert!(!members.of(&mesh())[&key()].is_verified("d"));
        assert_eq!(members.on(KIND, Event::Delete(member(2, "True"))), look());
        assert_eq!(members.of(&mesh()), BTreeMap::new());
    }

    #[test]
    fn what_a_new_listing_does_not_show_is_gone() {
        let members = Members::default();
        members.on(KIND, Event::Apply(member(1, "True")));
        members.on(ComponentKind::Sink, Event::Init);
        assert_eq!(members.on(ComponentKind::Sink, Event::InitDone), []);
        for event in [Event::Init, Event::InitApply(member(1, "True")), Event::InitDone, Event::Init] {
            assert_eq!(members.on(KIND, event), []);
        }
        assert_eq!(members.on(KIND, Event::InitDone), look());
    }

    #[test]
    fn what_is_said_of_an_older_generation_is_not_believed() {
        let mut old = member(2, "True");
        old.status.as_mut().unwrap().observed_generation = Some(1);
        let members = Members::default();
        members.on(KIND, Event::Apply(old));
        assert_eq!(members.of(&mesh())[&key()].standing, Standing::Starting);
        members.on(KIND, Event::Apply(member(2, "False")));
        let trouble = Standing::Trouble("BackOff".to_owned(), String::new());
        assert_eq!(members.of(&mesh())[&key()].standing, trouble);
    }
}
