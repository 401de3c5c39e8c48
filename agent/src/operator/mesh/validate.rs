//! The members of a mesh, each with what is wrong with it, in paths of the mesh.
//!
//! The rules are those for components by themselves. A member that breaks one keeps no other from its way.

use std::collections::BTreeSet;

use isthmus_admission::{Offline, admit_written};
use isthmus_dialects::{Options, UnknownFields, Written, read_mesh};
use isthmus_model::component::{Component, ComponentKind, Object};
use isthmus_model::reason::{Reason, Violation};
use serde_json::Value;

use super::super::validate::as_few_as_it_may;

/// The lists of a mesh, in the order in which they are read.
pub(crate) const LISTS: [(&str, ComponentKind); 3] = [
    ("functions", ComponentKind::Function),
    ("sources", ComponentKind::Source),
    ("sinks", ComponentKind::Sink),
];

/// A mesh whose members are known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Validated {
    /// Without two of one kind and name.
    pub(crate) members: Vec<Member>,
    /// What is wrong with the whole: then nothing is known of the members.
    pub(crate) violations: Vec<Violation>,
}

/// A component of a mesh.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub(crate) kind: ComponentKind,
    /// In the mesh.
    pub(crate) name: String,
    /// As it is written.
    pub(crate) spec: Object,
    /// What it reads and writes, or what is wrong with it.
    pub(crate) verdict: Result<Topics, Vec<Violation>>,
}

/// The topics of a component, by their full names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Topics {
    pub(crate) reads: BTreeSet<String>,
    pub(crate) writes: Option<String>,
}

/// `resource` is the whole of the mesh. Fields that are not known are left out, as the API server does.
pub(crate) fn validate(mut resource: Value) -> Validated {
    let members = written(&resource);
    for (field, _) in LISTS {
        let list =
            resource.get_mut("spec").and_then(|spec| spec.get_mut(field)).and_then(Value::as_array_mut);
        list.into_iter().flatten().filter_map(Value::as_object_mut).for_each(|spec| {
            as_few_as_it_may(spec);
        });
    }
    let options = Options { unknown_fields: UnknownFields::Ignore, ..Options::default() };
    // A mesh that lost its last member is no mistake: what it had is removed.
    if members.is_empty() {
        return Validated { members: Vec::new(), violations: Vec::new() };
    }
    let read = match read_mesh(resource, &options) {
        Ok(read) => read,
        Err(violations) => return Validated { members: Vec::new(), violations },
    };
    let mut validated: Vec<Member> = Vec::with_capacity(members.len());
    let mut seen = BTreeSet::new();
    let mut twice = Vec::new();
    for ((kind, name, spec), read) in members.into_iter().zip(read) {
        let at = read.origin().dialect_path("metadata.name");
        if seen.insert((kind.as_str(), name.clone())) {
            validated.push(Member { kind, name, spec, verdict: verdict(read) });
        } else {
            twice.push((kind, name, at));
        }
    }
    // Which of the two is meant nobody can tell: what runs under the name stays as it is.
    for (kind, name, at) in twice {
        let message = format!("another {kind} of this mesh has this name; give one of them another");
        let violation =
            Violation::new(at, Reason::ConflictingFields, message).with_value(&format!("\"{name}\""));
        for member in validated.iter_mut().filter(|member| member.kind == kind && member.name == name) {
            match &mut member.verdict {
                Ok(_) => member.verdict = Err(vec![violation.clone()]),
                Err(violations) => violations.push(violation.clone()),
            }
        }
    }
    Validated { members: validated, violations: Vec::new() }
}

/// Kind, name and spec of each member in the order in which they are read.
fn written(resource: &Value) -> Vec<(ComponentKind, String, Object)> {
    let lists = LISTS.into_iter().flat_map(|(field, kind)| {
        let list = resource.get("spec").and_then(|spec| spec.get(field)).and_then(Value::as_array);
        list.into_iter().flatten().map(move |member| (kind, member.as_object().cloned().unwrap_or_default()))
    });
    let named = lists.map(|(kind, spec)| {
        let name = spec.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        (kind, name, spec)
    });
    named.collect()
}

fn verdict(written: Written) -> Result<Topics, Vec<Violation>> {
    match admit_written(written, &Offline) {
        Ok(component) => Ok(topics(&component)),
        Err(rejection) => Err(rejection.violations),
    }
}

fn topics(component: &Component) -> Topics {
    let input = component.spec.input.iter().flat_map(|input| input.topics.keys());
    let output = component.spec.output.as_ref().map(|output| output.topic.as_str());
    Topics {
        reads: input.map(|topic| full(topic)).collect(),
        writes: output.filter(|topic| !topic.is_empty()).map(full),
    }
}

/// A topic's name as Pulsar completes it.
fn full(topic: &str) -> String {
    match (topic.contains("://"), topic.contains('/')) {
        (true, _) => topic.to_owned(),
        (false, true) => format!("persistent://{topic}"),
        (false, false) => format!("persistent://public/default/{topic}"),
    }
}
