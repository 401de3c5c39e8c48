//! Kubernetes objects compared with those that Function Mesh's own operator made.
//!
//! ```text
//! objects ▶ form (identities by name, no defaults, quantities as numbers) { command (steps, program, flags, details) } ▶ differences
//! ```
//!
//! The suite of the goldens and whoever looks at a running operator compare by this, so that both mean the same by "alike".

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

mod form;
mod defaults;
mod command;

pub use form::form;

/// A place at which two objects differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// `KIND/NAME` and the path within it.
    pub at: String,
    /// What stands there on our side; null for nothing.
    pub ours: Value,
    /// What stands there on theirs.
    pub theirs: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    ours {}\n  theirs {}", self.at, self.ours, self.theirs)
    }
}

/// Every place at which the objects of both sides differ. What only the API server, a person or the original's clean-up makes is
/// not looked at: the resources themselves and Jobs.
pub fn differences(ours: &[Value], theirs: &[Value]) -> Vec<Difference> {
    let (ours, theirs) = (forms(ours), forms(theirs));
    let mut found = Vec::new();
    for name in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
        between(name, pick(&ours, name), pick(&theirs, name), &mut found);
    }
    found
}

/// The objects that are compared, in their form, by kind and name.
fn forms(objects: &[Value]) -> BTreeMap<String, Value> {
    let named = objects.iter().filter(|object| is_compared(object)).map(|object| {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        (format!("{}/{}", text("/kind"), text("/metadata/name")), form(object))
    });
    named.collect()
}

fn is_compared(object: &Value) -> bool {
    match object.get("kind").and_then(Value::as_str) {
        Some("Function" | "Source" | "Sink") => {
            object.pointer("/metadata/ownerReferences/0/kind").is_some_and(|owner| owner == "FunctionMesh")
        }
        Some("FunctionMesh" | "BackendConfig" | "Job") | None => false,
        Some(_) => true,
    }
}

fn pick<'v>(of: &'v BTreeMap<String, Value>, name: &str) -> &'v Value {
    of.get(name).unwrap_or(&Value::Null)
}

fn between(at: &str, ours: &Value, theirs: &Value, found: &mut Vec<Difference>) {
    match (ours, theirs) {
        (Value::Object(one), Value::Object(other)) => {
            let member = |of: &Map<String, Value>, name: &str| of.get(name).cloned().unwrap_or_default();
            for name in one.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
                between(&format!("{at}.{name}"), &member(one, name), &member(other, name), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                between(&format!("{at}[{index}]"), one, other, found);
            }
        }
        _ if ours == theirs => {}
        _ => found.push(Difference { at: at.to_owned(), ours: ours.clone(), theirs: theirs.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(uid: &str, cpu: &str, script: &str) -> Value {
        json!({
            "kind": "StatefulSet",
            "metadata": {"name": "a-function", "uid": "x", "ownerReferences": [{"kind": "Function", "name": "a", "uid": uid}]},
            "spec": {"template": {"spec": {"containers": [{
                "image": "i:1",
                "imagePullPolicy": "IfNotPresent",
                "command": ["bash", "-c", script],
                "resources": {"requests": {"cpu": cpu}},
            }]}}},
            "status": {"replicas": 1},
        })
    }

    #[test]
    fn what_means_the_same_is_alike_whoever_wrote_it_and_how() {
        let ours = set(
            "1-2",
            "0.1",
            r#"S=1 && echo 'mine' > /pulsar/conf/a.xml && exec java -x --function_id 0-1-2 --function_details '{"b":1,"a":"{\"d\":1,\"c\":2}"}'"#,
        );
        let theirs = set(
            "UID(Function/a)",
            "100m",
            r#"S=1 && echo "theirs" > /pulsar/conf/a.xml && exec java -x  --function_id 0-UID(Function/a) --function_details '{"a": "{\"c\":2,\"d\":1}", "b": 1}'"#,
        );
        assert_eq!(differences(&[ours], &[theirs]), []);
    }

    #[test]
    fn what_is_different_is_named_with_its_place() {
        let (ours, theirs) = (set("u", "1", "exec a --port 1"), set("u", "2", "exec a --port 2 --more"));
        let found = differences(std::slice::from_ref(&ours), &[theirs]);
        let at: Vec<&str> = found.iter().map(|one| one.at.as_str()).collect();
        let container = "StatefulSet/a-function.spec.template.spec.containers[0]";
        assert_eq!(
            at,
            [format!("{container}.command.arguments"), format!("{container}.resources.requests.cpu")]
        );
        assert_eq!(differences(&[ours], &[]).len(), 1);
    }
}
