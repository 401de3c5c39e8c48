//! The VerticalPodAutoscaler, of which Kubernetes itself knows nothing.

use isthmus_dialects::function_mesh::API_VERSION;
use serde_json::{Value, json};

use super::super::child::{Child, ChildKind};
use super::{Prepared, names};

pub(super) fn build(prepared: &Prepared<'_>) -> Option<Child> {
    let (owner, policy) = (prepared.owner, prepared.pod.vpa.as_ref()?);
    let mut spec = json!({
        "targetRef": {"apiVersion": API_VERSION, "kind": owner.kind.as_str(), "name": owner.name},
    });
    // Update and resource policy, word for word.
    if let (Some(spec), Ok(Value::Object(policy))) = (spec.as_object_mut(), serde_json::to_value(policy)) {
        spec.extend(policy);
    }
    let body = json!({
        "apiVersion": "autoscaling.k8s.io/v1",
        "kind": ChildKind::VerticalPodAutoscaler.as_str(),
        "metadata": names::metadata(owner, names::base(owner)),
        "spec": spec,
    });
    match body {
        Value::Object(body) => Some(Child::new(ChildKind::VerticalPodAutoscaler, body)),
        _ => None,
    }
}
