//! Function Mesh's custom resources, `compute.functionmesh.io/v1alpha1`, as people have them in their repositories.
//!
//! ```text
//! resource (what is written) ▶ draft { rules · topics · connector · resources … } ▶ Draft, with Function Mesh's defaults
//! Component ▶ write ▶ a resource's spec
//! ```
//!
//! One type serves the specs of functions, sources and sinks; [`resource::not_for`] says which fields a kind does not have.
//! Where to run is written in the annotation [`PLACEMENT`], since the resource definitions allow no field for it.

use isthmus_model::component::{ComponentKind, Draft};
use isthmus_model::name::{Namespace, Tenant};
use isthmus_model::policy::Placement;
use isthmus_model::reason::{Reason, Violation};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use crate::document::{self, Position};
use crate::path;
use crate::shape::{Shaped, shape};
use crate::written::{Dialect, Names, Origin, Reading};

pub mod definition;
pub mod status;
mod resource;
pub mod pod;
mod rules;
mod draft;
mod names;
mod write;

pub use write::write;

/// The `apiVersion` of these resources.
pub const API_VERSION: &str = "compute.functionmesh.io/v1alpha1";

/// The annotation that holds a placement, as YAML or JSON of the model's `placement`.
pub const PLACEMENT: &str = "isthmus.io/placement";

/// What a custom resource is, as far as it can be submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Component(ComponentKind),
    FunctionMesh,
}

impl Kind {
    /// Parses the `kind` field.
    pub(crate) fn of(text: &str) -> Result<Self, Violation> {
        let component = ComponentKind::ALL.into_iter().find(|kind| kind.as_str() == text);
        match (component, text) {
            (Some(kind), _) => Ok(Self::Component(kind)),
            (None, "FunctionMesh") => Ok(Self::FunctionMesh),
            (None, "BackendConfig") => {
                let message = "a BackendConfig adds environment and pod settings to what the operator of one Kubernetes cluster \
                               builds; apply it there with kubectl, and leave it out here";
                Err(Violation::new("kind", Reason::InvalidField, message)
                    .with_value(&json!(text).to_string()))
            }
            (None, _) => {
                let message =
                    "this kind is not known here; it must be Function, Source, Sink or FunctionMesh";
                Err(Violation::new("kind", Reason::InvalidField, message)
                    .with_value(&json!(text).to_string()))
            }
        }
    }
}

/// One resource to the drafts that it stands for.
pub(crate) fn read(mut value: Value, kind: Kind, position: Position) -> Result<Vec<Reading>, Vec<Violation>> {
    let mut take = |name: &str| value.as_object_mut().and_then(|fields| fields.shift_remove(name));
    for known in ["apiVersion", "kind", "status"] {
        take(known);
    }
    let metadata = take("metadata").unwrap_or_else(|| json!({}));
    let spec = take("spec").unwrap_or_else(|| json!({}));
    let unknown = value.as_object().into_iter().flat_map(|fields| fields.keys().cloned()).collect();
    let head = Head::read(metadata, position, unknown);
    match kind {
        Kind::Component(kind) => Ok(vec![head.component(kind, spec, "spec", None)]),
        Kind::FunctionMesh => mesh(&head, spec),
    }
}

/// The components of a FunctionMesh; what is wrong with the mesh itself is said of the first of them.
fn mesh(head: &Head, mut spec: Value) -> Result<Vec<Reading>, Vec<Violation>> {
    let mut readings = Vec::new();
    let mut broken = Vec::new();
    for (kind, field) in [
        (ComponentKind::Function, "functions"),
        (ComponentKind::Source, "sources"),
        (ComponentKind::Sink, "sinks"),
    ] {
        let at = path::field("spec", field);
        match spec.as_object_mut().and_then(|fields| fields.shift_remove(field)) {
            None | Some(Value::Null) => {}
            Some(Value::Array(members)) => {
                let members = members.into_iter().enumerate();
                readings.extend(members.map(|(index, member)| {
                    head.component(kind, member, &path::index(&at, index), head.metadata.name.as_deref())
                }));
            }
            Some(other) => {
                let violation = Violation::new(at, Reason::InvalidField, "it must be a list of components");
                broken.push(violation.with_value(&other.to_string()));
            }
        }
    }
    if readings.is_empty() && broken.is_empty() {
        let message = "a FunctionMesh must have at least one function, source or sink";
        broken.push(Violation::new("spec", Reason::MissingField, message));
    }
    if !broken.is_empty() {
        return Err(broken);
    }
    let left = spec.as_object().into_iter().flat_map(|fields| fields.keys());
    let left: Vec<String> = left.map(|name| path::field("spec", name)).collect();
    if let Some(first) = readings.first_mut() {
        first.violations.extend(head.violations.iter().cloned());
        first.unknown.extend(left);
        first.unknown.extend(head.unknown.iter().cloned());
    }
    Ok(readings)
}

/// What stands above the spec.
#[derive(Debug)]
struct Head {
    position: Position,
    metadata: ObjectMeta,
    placement: Placement,
    violations: Vec<Violation>,
    unknown: Vec<String>,
}

impl Head {
    fn read(metadata: Value, position: Position, mut unknown: Vec<String>) -> Self {
        let Shaped { value: mut metadata, mut violations, unknown: more, .. } =
            shape::<ObjectMeta>(metadata, "metadata");
        unknown.extend(more);
        let text = metadata.annotations.as_mut().and_then(|annotations| annotations.remove(PLACEMENT));
        let placement = text.map(|text| placement(&text, &mut violations, &mut unknown)).unwrap_or_default();
        if metadata.name.as_deref().unwrap_or("").is_empty() {
            violations.push(Violation::new("metadata.name", Reason::MissingField, "it must be given"));
        }
        Self { position, metadata, placement, violations, unknown }
    }

    /// The component whose spec stands at `base`, in a mesh of this name or by itself.
    fn component(&self, kind: ComponentKind, spec: Value, base: &str, mesh: Option<&str>) -> Reading {
        let mut unknown = resource::not_for(kind, &spec, base);
        let Shaped { value: spec, mut violations, unknown: more, .. } = shape::<resource::Spec>(spec, base);
        unknown.extend(more);
        if mesh.is_none() {
            violations.extend(self.violations.iter().cloned());
            unknown.extend(self.unknown.iter().cloned());
        }
        let object_name = match mesh {
            Some(mesh) => format!("{mesh}-{}", spec.name),
            None => self.metadata.name.clone().unwrap_or_default(),
        };
        let mut names = names::names(kind, &spec, base, mesh.is_some());
        rules::check(kind, &spec, base, &object_name, mesh.is_some(), &mut violations);
        let mut context = draft::Context {
            kind,
            base,
            names: &mut names,
            violations: &mut violations,
            unknown: &mut unknown,
        };
        let spec_name = if spec.name.is_empty() { object_name } else { spec.name.clone() };
        let (tenant, namespace) =
            (draft::or(&spec.tenant, Tenant::DEFAULT), draft::or(&spec.namespace, Namespace::DEFAULT));
        let spec = draft::spec(spec, (&tenant, &namespace, &spec_name), &mut context);
        let draft = Draft {
            kind,
            tenant,
            namespace,
            name: spec_name,
            labels: self.metadata.labels.clone().unwrap_or_default(),
            annotations: self.metadata.annotations.clone().unwrap_or_default(),
            placement: self.placement.clone(),
            spec: Box::new(spec),
        };
        Reading { draft, origin: self.origin(names), violations, unknown }
    }

    fn origin(&self, names: Names) -> Origin {
        Origin { dialect: Dialect::FunctionMesh, position: self.position, names, ..Origin::default() }
    }
}

/// The placement that an annotation holds.
fn placement(text: &str, violations: &mut Vec<Violation>, unknown: &mut Vec<String>) -> Placement {
    let at = path::key("metadata.annotations", PLACEMENT);
    match document::parse(text.as_bytes(), text.len()) {
        Ok(mut documents) if documents.len() == 1 => {
            let value = documents.pop().map(|document| document.value).unwrap_or_default();
            let Shaped { value, violations: found, unknown: more, .. } = shape::<Placement>(value, &at);
            violations.extend(found);
            unknown.extend(more);
            value
        }
        Ok(_) => {
            violations.push(Violation::new(at, Reason::MalformedDocument, "it must hold one placement"));
            Placement::default()
        }
        Err(problem) => {
            violations.push(Violation::new(at, problem.violation.reason, problem.violation.message));
            Placement::default()
        }
    }
}

#[cfg(test)]
mod tests;
