//! What is to be done for the members of a mesh, and in which order; pure.
//!
//! What left the mesh goes first, from the sources to the sinks, so that nothing is sent to what is gone. Then whoever reads a
//! topic comes before whoever writes it, so that nothing is sent to what is not there. Where topics run in a circle the order
//! is that of kinds and names.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use isthmus_dialects::function_mesh::API_VERSION;
use isthmus_model::component::{ComponentKind, Object};
use serde_json::{Value, json};

use super::super::child::CustomKind;
use super::super::difference::digest;
use super::super::owner::reference;
use super::MESH;
use super::dereference::Owner;
use super::members::{Key, Known};
use super::validate::{Member, Validated};

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Plan {
    /// Deleted in this order.
    pub(crate) removals: Vec<Removal>,
    /// Written where they differ: those of a wave at once, the waves in turn.
    pub(crate) waves: Vec<Vec<Wanted>>,
    /// Known to be as they shall be.
    pub(crate) kept: Vec<Key>,
}

/// A member that left the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Removal {
    pub(crate) key: Key,
    /// Of one that nothing but the status tells of it has to be looked up.
    pub(crate) uid: Option<String>,
}

/// A member's custom resource as it shall be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) key: Key,
    pub(crate) body: Object,
    pub(crate) digest: String,
    /// Somebody else sets its replicas, within these bounds.
    pub(crate) scaled: Option<(u64, u64)>,
}

/// `known` are the members that exist and are the mesh's, `named` those that its status names, by kind and name in the mesh.
pub(crate) fn plan(
    mesh: &Owner,
    validated: &Validated,
    known: &BTreeMap<Key, Known>,
    named: &BTreeSet<Key>,
) -> Plan {
    if !validated.violations.is_empty() {
        return Plan::default();
    }
    let mut plan = Plan { removals: removals(mesh, validated, known, named), ..Plan::default() };
    for wave in waves(&validated.members) {
        let wanted = wave.into_iter().map(|member| wanted(mesh, member));
        let (kept, written): (Vec<_>, Vec<_>) = wanted.partition(|wanted| {
            known.get(&wanted.key).is_some_and(|known| known.is_verified(&wanted.digest))
        });
        plan.kept.extend(kept.into_iter().map(|kept| kept.key));
        if !written.is_empty() {
            plan.waves.push(written);
        }
    }
    plan
}

/// The name of a member's custom resource.
pub(crate) fn resource_name(mesh: &Owner, member: &str) -> String {
    format!("{}-{member}", mesh.name)
}

/// A member's custom resource; `name` is its name in the mesh.
pub(crate) fn resource(mesh: &Owner, kind: ComponentKind, name: &str, spec: &Object) -> Object {
    let body = json!({
        "apiVersion": API_VERSION,
        "kind": kind.as_str(),
        "metadata": {
            "name": resource_name(mesh, name),
            "namespace": mesh.namespace,
            "labels": {MESH: mesh.name},
            "ownerReferences": [reference(CustomKind::FunctionMesh, &mesh.name, &mesh.uid)],
        },
        "spec": spec,
    });
    match body {
        Value::Object(body) => body,
        _ => Object::new(),
    }
}

fn removals(
    mesh: &Owner,
    validated: &Validated,
    known: &BTreeMap<Key, Known>,
    named: &BTreeSet<Key>,
) -> Vec<Removal> {
    let member = |kind: ComponentKind, name: &str| (kind, resource_name(mesh, name));
    let wanted: BTreeSet<Key> = validated.members.iter().map(|one| member(one.kind, &one.name)).collect();
    let seen = known
        .iter()
        .filter(|(_, known)| !known.is_going)
        .map(|(key, known)| (key.clone(), Some(known.uid.clone())));
    let told = named.iter().map(|(kind, name)| (member(*kind, name), None));
    let told = told.filter(|(key, _)| !known.contains_key(key));
    let left = seen.chain(told).filter(|(key, _)| !wanted.contains(key));
    let mut left: Vec<Removal> = left.map(|(key, uid)| Removal { key, uid }).collect();
    left.sort_by(|a, b| (start(b.key.0), &a.key.1).cmp(&(start(a.key.0), &b.key.1)));
    left
}

/// Where nothing else says it: what messages leave by is there before what they come in by.
fn start(kind: ComponentKind) -> u8 {
    match kind {
        ComponentKind::Sink => 0,
        ComponentKind::Function => 1,
        ComponentKind::Source => 2,
    }
}

/// The members that can be written, readers of a topic before its writers.
fn waves(members: &[Member]) -> Vec<Vec<&Member>> {
    let good = members.iter().filter_map(|member| Some((member, member.verdict.as_ref().ok()?)));
    let mut good: Vec<_> = good.collect();
    good.sort_by_key(|(member, _)| (start(member.kind), &member.name));
    let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, (_, topics)) in good.iter().enumerate() {
        for topic in &topics.reads {
            readers.entry(topic).or_default().push(index);
        }
    }
    let readers: Vec<&[usize]> = good
        .iter()
        .map(|(_, topics)| {
            topics.writes.as_deref().and_then(|topic| readers.get(topic)).map_or(&[][..], Vec::as_slice)
        })
        .collect();
    let mut waves = Vec::new();
    let mut done = BTreeSet::new();
    let mut left: Vec<usize> = (0..good.len()).collect();
    while !left.is_empty() {
        let free = |index: &usize| {
            readers
                .get(*index)
                .is_none_or(|readers| readers.iter().all(|of| of == index || done.contains(of)))
        };
        let (mut wave, rest): (Vec<_>, Vec<_>) = left.iter().copied().partition(free);
        left = rest;
        if wave.is_empty() {
            // A circle: it is entered somewhere.
            wave.push(left.remove(0));
        }
        done.extend(wave.iter().copied());
        waves.push(wave.into_iter().filter_map(|index| good.get(index)).map(|(member, _)| *member).collect());
    }
    waves
}

fn wanted(mesh: &Owner, member: &Member) -> Wanted {
    let name = resource_name(mesh, &member.name);
    let number = |field: &str| member.spec.get(field).and_then(Value::as_u64);
    let scaled = number("maxReplicas").map(|most| (number("minReplicas").unwrap_or(1), most));
    let body = |spec: &Object| resource(mesh, member.kind, &member.name, spec);
    let mut lasting = member.spec.clone();
    if scaled.is_some() {
        // Said once, when it is made; afterwards another number is no difference.
        lasting.remove("replicas");
    }
    let digest = digest(&body(&lasting));
    Wanted { key: (member.kind, name), body: body(&member.spec), digest, scaled }
}

#[cfg(test)]
mod tests;
