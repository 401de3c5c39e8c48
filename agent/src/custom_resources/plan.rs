//! What is to be done so that the cluster has exactly the desired custom resources; pure.
//!
//! ```text
//! deletions ▶ proofs that nothing is left ▶ connections to Pulsar ▶ resources ▶ what cannot be done
//! ```
//!
//! Deletions stand first: what they free may be what the others need, and a component that was created anew takes over a name
//! only when the one before is gone. A plan takes everything from what was seen; what it cannot do yet, because something else
//! has to happen first, stands in the next plan, for every change makes one.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_model::name::Uid;
use isthmus_model::order::Generation;
use isthmus_model::reason::Reason;

use super::marks::Mark;
use super::place::Key;

/// What is desired of one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// This custom resource.
    Run(Run),
    /// It cannot be a custom resource here. What runs of an older generation stays as it is.
    Refused { generation: Generation, replicas: u32, refusal: Refusal },
    /// Nothing.
    Stop { generation: Generation },
}

/// A custom resource as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) generation: Generation,
    pub(crate) replicas: u32,
    pub(crate) key: Key,
    /// Of the whole resource as it would be applied.
    pub(crate) digest: Box<str>,
    /// The ConfigMap that it reads Pulsar's addresses from.
    pub(crate) connection: ConnectionKey,
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

/// Namespace and name of a ConfigMap with the addresses of one Pulsar. The name says the content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionKey {
    pub(crate) namespace: Box<str>,
    pub(crate) name: Box<str>,
}

/// A custom resource as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The object's identity.
    pub(crate) object: Box<str>,
    /// Its `resourceVersion`.
    pub(crate) version: Box<str>,
    /// Whose it is; nothing where it is not of this share.
    pub(crate) mark: Option<Mark>,
    /// The digest of what it was seen to be exactly.
    pub(crate) is: Option<Box<str>>,
    /// The ConfigMap that it names.
    pub(crate) connection: Box<str>,
    /// Somebody deleted it, and it is not gone yet.
    pub(crate) deleting: bool,
}

/// A ConfigMap of the name of one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundConnection {
    pub(crate) object: Box<str>,
    pub(crate) version: Box<str>,
    pub(crate) state: ConnectionState,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionState {
    /// It says what its name says.
    Right,
    /// It is ours and says something else.
    Wrong,
    /// It is somebody else's.
    Foreign,
}

/// All that a plan is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) wanted: &'a BTreeMap<Uid, Wanted>,
    /// What is not desired is not to be there; until then it is left alone.
    pub(crate) settled: bool,
    pub(crate) found: &'a BTreeMap<Key, Found>,
    pub(crate) connections: &'a BTreeMap<ConnectionKey, FoundConnection>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Delete this object and no later one of the same name.
    Delete { key: Key, object: Box<str> },
    /// No resource stands for the component any more: see whether something of it still runs.
    Prove { uid: Uid, generation: Generation },
    /// Write the ConfigMap, over the one that was seen.
    Connect { key: ConnectionKey, over: Option<(Box<str>, Box<str>)> },
    /// Make the resource, which was not seen.
    Create { uid: Uid, key: Key },
    /// Make the resource what it shall be, if it still is the one that was seen.
    Replace { uid: Uid, key: Key, object: Box<str>, version: Box<str> },
    /// Say that the component cannot be had.
    Say { uid: Uid, generation: Generation, replicas: u32, refusal: Refusal },
    /// Delete a ConfigMap that nothing names any more.
    Disconnect { key: ConnectionKey, object: Box<str> },
}

/// The steps in their order. None where everything is as it shall be.
pub(crate) fn plan(view: View<'_>) -> Vec<Step> {
    let mut steps = deletions(view);
    let seen: BTreeMap<Uid, BTreeSet<&Key>> = by_component(view.found);
    for (uid, wanted) in view.wanted {
        if let Wanted::Stop { generation } = wanted
            && !seen.contains_key(uid)
        {
            steps.push(Step::Prove { uid: *uid, generation: *generation });
        }
    }
    steps.extend(connections(view));
    for (uid, wanted) in view.wanted {
        let elsewhere = |key: &Key| seen.get(uid).is_some_and(|keys| keys.iter().any(|at| *at != key));
        match wanted {
            Wanted::Run(run) if !elsewhere(&run.key) => steps.extend(resource(view, *uid, run)),
            // Where it stood before comes first.
            Wanted::Run(_) | Wanted::Stop { .. } => {}
            Wanted::Refused { generation, replicas, refusal } => steps.push(Step::Say {
                uid: *uid,
                generation: *generation,
                replicas: *replicas,
                refusal: refusal.clone(),
            }),
        }
    }
    steps.extend(unused_connections(view));
    steps
}

fn by_component(found: &BTreeMap<Key, Found>) -> BTreeMap<Uid, BTreeSet<&Key>> {
    let mut all: BTreeMap<Uid, BTreeSet<&Key>> = BTreeMap::new();
    for (key, found) in found {
        if let Some(mark) = found.mark {
            all.entry(mark.uid).or_default().insert(key);
        }
    }
    all
}

fn deletions(view: View<'_>) -> Vec<Step> {
    let goes = |(key, found): &(&Key, &Found)| {
        let Some(mark) = found.mark else { return false };
        match view.wanted.get(&mark.uid) {
            _ if found.deleting => false,
            // The configuration has led it elsewhere since.
            Some(Wanted::Run(run)) => run.key != **key && mark.generation <= run.generation,
            Some(Wanted::Stop { generation }) => mark.generation <= *generation,
            Some(Wanted::Refused { .. }) => false,
            None => view.settled,
        }
    };
    let going = view.found.iter().filter(goes);
    going.map(|(key, found)| Step::Delete { key: key.clone(), object: found.object.clone() }).collect()
}

/// The ConfigMaps that resources need and that do not say what they shall.
fn connections(view: View<'_>) -> Vec<Step> {
    let needed: BTreeSet<&ConnectionKey> = view
        .wanted
        .values()
        .filter_map(|wanted| match wanted {
            Wanted::Run(run) => Some(&run.connection),
            Wanted::Refused { .. } | Wanted::Stop { .. } => None,
        })
        .collect();
    let step = |key: &ConnectionKey| match view.connections.get(key) {
        None => Some(Step::Connect { key: key.clone(), over: None }),
        Some(FoundConnection { object, version, state: ConnectionState::Wrong }) => {
            Some(Step::Connect { key: key.clone(), over: Some((object.clone(), version.clone())) })
        }
        Some(_) => None,
    };
    needed.into_iter().filter_map(step).collect()
}

/// What is to be done for a component whose resource stands where it shall or nowhere.
fn resource(view: View<'_>, uid: Uid, run: &Run) -> Option<Step> {
    let Run { generation, replicas, key, digest, connection } = run;
    let (generation, replicas) = (*generation, *replicas);
    let say = |what: String| {
        let refusal = Refusal { reason: Reason::ForeignObject, message: what };
        Some(Step::Say { uid, generation, replicas, refusal })
    };
    match view.connections.get(connection).map(|found| found.state) {
        Some(ConnectionState::Right) => {}
        Some(ConnectionState::Foreign) => {
            let ConnectionKey { namespace, name } = connection;
            return say(format!(
                "ConfigMap {namespace}/{name}, which shall have Pulsar's addresses, was made by somebody else; delete or rename it"
            ));
        }
        Some(ConnectionState::Wrong) | None => return None,
    }
    let Some(found) = view.found.get(key) else { return Some(Step::Create { uid, key: key.clone() }) };
    match found.mark {
        None => {
            say(format!("{key} was made by somebody else; delete or rename it, or rename this component"))
        }
        // The one before has to go, and goes if it may.
        Some(mark) if mark.uid != uid => None,
        Some(_) if found.deleting => None,
        Some(mark) if mark.generation > generation => None,
        Some(mark) if mark.generation == generation && found.is.as_ref() == Some(digest) => None,
        Some(_) => Some(Step::Replace {
            uid,
            key: key.clone(),
            object: found.object.clone(),
            version: found.version.clone(),
        }),
    }
}

/// The ConfigMaps of ours that no component wants and no resource names.
fn unused_connections(view: View<'_>) -> Vec<Step> {
    if !view.settled {
        return Vec::new();
    }
    let wanted = |key: &ConnectionKey| {
        view.wanted.values().any(|wanted| matches!(wanted, Wanted::Run(run) if run.connection == *key))
    };
    let named = |key: &ConnectionKey| {
        view.found.iter().any(|(at, found)| at.namespace == key.namespace && found.connection == key.name)
    };
    let unused = view
        .connections
        .iter()
        .filter(|(key, found)| found.state != ConnectionState::Foreign && !wanted(key) && !named(key));
    unused.map(|(key, found)| Step::Disconnect { key: key.clone(), object: found.object.clone() }).collect()
}

#[cfg(test)]
mod tests;
