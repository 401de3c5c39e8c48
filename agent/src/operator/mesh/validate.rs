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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn function(name: &str) -> Value {
        json!({
            "name": name,
            "className": "org.example.Greet",
            "java": {"jar": "/pulsar/greet.jar"},
            "input": {"topics": [format!("{name}-in")]},
            "output": {"topic": format!("shop/orders/{name}-out")},
            "pulsar": {"pulsarConfig": "main"},
            "resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        })
    }

    fn mesh(spec: &Value) -> Value {
        json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "FunctionMesh", "metadata": {"name": "pipe"}, "spec": spec})
    }

    fn fields(member: &Member) -> Vec<&str> {
        let violations = member.verdict.as_ref().err().into_iter().flatten();
        let mut fields: Vec<_> = violations.map(|violation| violation.field.as_str()).collect();
        fields.sort_unstable();
        fields
    }

    #[test]
    fn each_member_has_all_that_is_wrong_with_it_in_paths_of_the_mesh() {
        let mut broken = function("b");
        broken["java"] = json!({});
        broken["input"] = json!({});
        let validated = validate(mesh(&json!({"functions": [function("a"), broken, function("c")]})));
        let wrong: Vec<_> = validated.members.iter().map(fields).collect();
        assert_eq!(wrong, [vec![], vec!["spec.functions[1].input", "spec.functions[1].java.jar"], vec![]]);
        let topics = validated.members[0].verdict.clone().unwrap();
        assert_eq!(topics.reads, BTreeSet::from(["persistent://public/default/a-in".to_owned()]));
        assert_eq!(topics.writes.as_deref(), Some("persistent://shop/orders/a-out"));
    }

    #[test]
    fn of_two_of_one_name_neither_is_touched() {
        let validated = validate(mesh(&json!({"functions": [function("a"), function("a"), function("b")]})));
        let named: Vec<_> =
            validated.members.iter().map(|member| (member.name.as_str(), fields(member))).collect();
        assert_eq!(named, [("a", vec!["spec.functions[1].name"]), ("b", vec![])]);
    }

    #[test]
    fn a_member_may_be_scaled_to_nothing_and_the_last_one_may_leave() {
        let mut stopped = function("a");
        stopped["replicas"] = json!(0);
        let validated = validate(mesh(&json!({"functions": [stopped]})));
        assert_eq!(fields(&validated.members[0]), Vec::<&str>::new());
        assert_eq!(validated.members[0].spec["replicas"], 0);
        assert_eq!(validate(mesh(&json!({}))), Validated { members: Vec::new(), violations: Vec::new() });
    }
}
