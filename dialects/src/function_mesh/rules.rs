//! What only Function Mesh demands, in its own paths; what holds for every component is left to admission.

use isthmus_model::component::ComponentKind;
use isthmus_model::reason::{Reason, Violation};
use serde_json::json;

use super::resource::{PulsarMessaging, Spec};
use crate::path;
use crate::quantity::Quantity;

/// Longest name of a custom resource: its objects have suffixes and must stay labels.
const MAX_NAME: usize = 43;

pub(super) fn check(
    kind: ComponentKind,
    spec: &Spec,
    base: &str,
    object_name: &str,
    in_mesh: bool,
    violations: &mut Vec<Violation>,
) {
    let mut report =
        |field: String, reason, message: String| violations.push(Violation::new(field, reason, message));
    if in_mesh && spec.name.is_empty() {
        report(
            path::field(base, "name"),
            Reason::MissingField,
            "a component of a FunctionMesh must have a name".into(),
        );
    }
    one_runtime(spec, base, &mut report);
    memory(spec, base, &mut report);
    pulsar(spec.pulsar.as_ref(), &path::field(base, "pulsar"), true, &mut report);
    pulsar(
        spec.pulsar_package_service.as_ref(),
        &path::field(base, "pulsarPackageService"),
        false,
        &mut report,
    );
    if spec.java.is_some() && spec.class_name.is_empty() {
        report(path::field(base, "className"), Reason::MissingField, "the class must be given".to_owned());
    }
    let config = match kind {
        ComponentKind::Function => None,
        ComponentKind::Source => Some(("sourceConfig", spec.source_config.is_none())),
        ComponentKind::Sink => Some(("sinkConfig", spec.sink_config.is_none())),
    };
    if let Some((field, true)) = config {
        let message = "the connector's configuration must be given; write {} if it needs none";
        report(path::field(base, field), Reason::MissingField, message.to_owned());
    }
    if object_name.len() > MAX_NAME {
        let field = if in_mesh { path::field(base, "name") } else { "metadata.name".to_owned() };
        let message = format!(
            "the resource's name must have at most {MAX_NAME} characters; it has {}",
            object_name.len()
        );
        violations.push(
            Violation::new(field, Reason::InvalidField, message).with_value(&json!(object_name).to_string()),
        );
    }
}

fn one_runtime(spec: &Spec, base: &str, report: &mut impl FnMut(String, Reason, String)) {
    let given = [
        ("java", spec.java.is_some()),
        ("python", spec.python.is_some()),
        ("golang", spec.golang.is_some()),
        ("genericRuntime", spec.generic_runtime.is_some()),
    ];
    let mut given = given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name);
    if let Some(first) = given.next() {
        for other in given {
            let message = format!("there must be one runtime, and {first} is given, too; remove one of them");
            report(path::field(base, other), Reason::ConflictingFields, message);
        }
    }
}

/// The operator computes the Java heap from the memory limit, so that nothing sensible runs without one.
fn memory(spec: &Spec, base: &str, report: &mut impl FnMut(String, Reason, String)) {
    for (field, amounts) in [("requests", &spec.resources.requests), ("limits", &spec.resources.limits)] {
        let at = path::field(&path::field(&path::field(base, "resources"), field), "memory");
        match amounts.get("memory") {
            None => report(at, Reason::MissingField, format!("{field} of memory must be given")),
            Some(text) if Quantity::parse(&text.0).and_then(Quantity::units) == Ok(0) => {
                report(at, Reason::InvalidField, format!("{field} of memory must be more than 0"));
            }
            Some(_) => {}
        }
    }
}

fn pulsar(
    access: Option<&PulsarMessaging>,
    at: &str,
    needed: bool,
    report: &mut impl FnMut(String, Reason, String),
) {
    if access.map_or(needed, |access| access.pulsar_config.is_empty()) {
        let message = "it must name a PulsarCluster, or a ConfigMap that exists in the cluster";
        report(path::field(at, "pulsarConfig"), Reason::MissingField, message.to_owned());
    }
}
