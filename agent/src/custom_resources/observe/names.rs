//! How a component's pods are recognised and named: Function Mesh's contract, which our operator and others keep.

use isthmus_model::component::ComponentKind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::custom_resources::place::Key;

/// The label that all pods of components have, with the kind as its value.
pub(crate) const KIND_LABEL: &str = "compute.functionmesh.io/component";

/// The label with the custom resource's name.
const NAME_LABEL: &str = "compute.functionmesh.io/name";

/// The port on which every instance serves what it counts.
pub(crate) const METRICS_PORT: u16 = 9094;

/// The container that the instance runs in.
pub(crate) fn container(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Function => "pulsar-function",
        ComponentKind::Source => "pulsar-source",
        ComponentKind::Sink => "pulsar-sink",
    }
}

/// The pod of an instance.
pub(crate) fn pod(key: &Key, instance: u32) -> String {
    format!("{}-{}-{instance}", key.name, word(key.kind))
}

/// Whose pod this is, and which instance; `None` for pods that merely have such labels.
pub(super) fn whose(metadata: &ObjectMeta) -> Option<(Key, u32)> {
    let labels = metadata.labels.as_ref()?;
    let kind = labels.get(KIND_LABEL)?;
    let kind = ComponentKind::ALL.into_iter().find(|known| word(*known) == kind)?;
    let key = Key {
        kind,
        namespace: metadata.namespace.as_deref()?.into(),
        name: labels.get(NAME_LABEL)?.as_str().into(),
    };
    let (_, instance) = metadata.name.as_deref()?.rsplit_once('-')?;
    let instance = instance.parse().ok()?;
    (metadata.name.as_deref() == Some(&pod(&key, instance))).then_some((key, instance))
}

fn word(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Function => "function",
        ComponentKind::Source => "source",
        ComponentKind::Sink => "sink",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::operator::Config;
    use crate::operator::render::{Moment, render};

    fn key() -> Key {
        Key { kind: ComponentKind::Function, namespace: "n".into(), name: "greet".into() }
    }

    #[test]
    fn the_operators_own_pods_are_recognised() {
        let manifest = r#"{
            "apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "Function",
            "metadata": {"name": "greet", "namespace": "n"},
            "spec": {
                "className": "c", "resources": {"limits": {"cpu": "1", "memory": "1G"}, "requests": {"cpu": "1", "memory": "1G"}},
                "pulsar": {"pulsarConfig": "p"}, "java": {"jar": "j.jar"},
                "input": {"topics": ["persistent://public/default/in"], "typeClassName": "java.lang.String"}
            }
        }"#;
        let rendered = render(&[manifest.as_bytes().to_vec()], Moment::Creation, &Config::default()).unwrap();
        let objects: Vec<Value> =
            rendered.objects.iter().map(|object| serde_json::to_value(object).unwrap()).collect();
        let set = objects.iter().find(|object| object["kind"] == "StatefulSet").unwrap();
        let (name, template) = (set["metadata"]["name"].as_str().unwrap(), &set["spec"]["template"]);
        let metadata = json!({
            "name": format!("{name}-7"), "namespace": "n", "labels": template["metadata"]["labels"],
        });
        let metadata: ObjectMeta = serde_json::from_value(metadata).unwrap();
        assert_eq!(whose(&metadata), Some((key(), 7)));
        let containers = template["spec"]["containers"].as_array().unwrap();
        let main = containers.iter().find(|one| one["name"] == container(key().kind)).unwrap();
        let ports = main["ports"].as_array().unwrap();
        assert!(ports.iter().any(|port| port["containerPort"] == METRICS_PORT), "{ports:?}");
    }

    #[test]
    fn a_pod_that_only_has_the_labels_is_nobodys() {
        let labels = json!({KIND_LABEL: "function", NAME_LABEL: "greet"});
        for name in ["greet-function-x", "greet-function-07", "other-function-1", "greet", ""] {
            let metadata = json!({"name": name, "namespace": "n", "labels": labels});
            assert_eq!(whose(&serde_json::from_value(metadata).unwrap()), None, "{name:?}");
        }
    }
}
