//! Functions, sources and sinks: as a caller wrote them, as they are stored and sent, and as they are shown.

use bytes::Bytes;
use isthmus_model::component::{Component, ComponentKind, Draft};
use isthmus_model::name::{FullName, Namespace, Tenant};
use isthmus_model::policy::Placement;
use isthmus_model::reason::Reason;
use prost::Message as _;

use super::problems::{Invalid, Path, Problems};
use super::{names, placement, spec};
use crate::common::v1::Metadata;
use crate::component::v1 as wire;

/// Why stored or sent bytes are not a component.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// They are not protobuf, or not of this message.
    #[error("the bytes are not an encoded component")]
    NotAComponent(#[source] prost::DecodeError),
    /// They say something that no admitted component says; a newer version may have written them.
    #[error("the encoded component is not one that this version understands")]
    Invalid(#[source] Invalid),
}

/// Reads what a caller wrote, with this dialect's defaults: a tenant or namespace that is not given is `public` or `default`,
/// replicas that are not given are 1, and `auto_ack` and `forward_source_message_property` are on unless they are given.
///
/// `kind` is what the called service is for; the component may repeat it and must not differ from it. Without it the
/// component must say its kind. Fields that are marked as output are passed over, and so are sealed secrets: see
/// [`super::sealed`].
pub fn draft(component: wire::Component, kind: Option<ComponentKind>) -> Result<Draft, Invalid> {
    let mut problems = Problems::default();
    let draft = read(component, kind, &mut problems);
    spec::refuse_redacted(&draft.spec, &Path::ROOT.field("spec"), &mut problems);
    problems.finish(draft)
}

fn read(component: wire::Component, kind: Option<ComponentKind>, problems: &mut Problems) -> Draft {
    let wire::Component { kind: written, metadata, placement, spec, status: _, sealed_secrets: _ } =
        component;
    let root = Path::ROOT;
    let written = read_kind(problems.enumeration(&root.field("kind"), written).unwrap_or_default());
    match (written, kind) {
        (None, None) => {
            problems.add(
                &root.field("kind"),
                Reason::MissingField,
                "say whether it is a function, source or sink",
            );
        }
        (Some(written), Some(kind)) if written != kind => {
            let message =
                format!("this service is for {}; call that for {}", kind.plural(), written.plural());
            problems.conflict(&root.field("kind"), message, written.as_str());
        }
        _ => {}
    }
    let Metadata { tenant, namespace, name, labels, annotations, .. } = metadata.unwrap_or_default();
    Draft {
        kind: kind.or(written).unwrap_or_default(),
        tenant: names::or(tenant, Tenant::DEFAULT),
        namespace: names::or(namespace, Namespace::DEFAULT),
        name,
        labels,
        annotations,
        placement: placement::read(placement.unwrap_or_default(), &root.field("placement"), problems),
        spec: Box::new(spec::read(*spec.unwrap_or_default(), &root.field("spec"), problems)),
    }
}

impl From<Component> for wire::Component {
    /// The whole component, credentials included; see [`shown`].
    fn from(component: Component) -> Self {
        let Component {
            kind,
            name: FullName { tenant, namespace, name },
            labels,
            annotations,
            placement,
            spec,
        } = component;
        Self {
            kind: wire::Kind::from(kind).into(),
            metadata: Some(Metadata {
                tenant: tenant.into(),
                namespace: namespace.into(),
                name: name.into(),
                labels: names::wire_labels(labels),
                annotations,
                ..Metadata::default()
            }),
            placement: (placement != Placement::default()).then(|| placement.into()),
            spec: Some(Box::new((*spec).into())),
            status: None,
            sealed_secrets: None,
        }
    }
}

impl From<&Component> for wire::Component {
    fn from(component: &Component) -> Self {
        component.clone().into()
    }
}

/// A component as callers may see it: the same, with every text that may hold a credential replaced.
pub fn shown(component: Component) -> wire::Component {
    redact(component.into())
}

/// Replaces every text that may hold a credential.
pub fn redact(mut component: wire::Component) -> wire::Component {
    if let Some(spec) = component.spec.as_mut() {
        spec::redact(spec);
    }
    component
}

/// The bytes that are stored and sent to agents, credentials included. Equal components have equal bytes.
pub fn encode(component: &Component) -> Bytes {
    wire::Component::from(component).encode_to_vec().into()
}

/// Reads what [`encode`] wrote. What a newer version added is passed over.
pub fn decode(bytes: &[u8]) -> Result<Component, DecodeError> {
    let component = wire::Component::decode(bytes).map_err(DecodeError::NotAComponent)?;
    Component::try_from(component).map_err(DecodeError::Invalid)
}

impl TryFrom<wire::Component> for Component {
    type Error = Invalid;

    /// For components that were admitted before: only their form is checked, not whether they may run.
    fn try_from(component: wire::Component) -> Result<Self, Invalid> {
        let mut problems = Problems::default();
        let Draft { kind, tenant, namespace, name, labels, annotations, placement, spec } =
            read(component, None, &mut problems);
        let metadata = Path::ROOT.field("metadata");
        let labels = names::parse_labels(&labels, &metadata.field("labels"), &mut problems);
        let tenant = problems.parse(&metadata.field("tenant"), &tenant);
        let namespace = problems.parse(&metadata.field("namespace"), &namespace);
        let name = problems.parse(&metadata.field("name"), &name);
        match (tenant, namespace, name) {
            (Some(tenant), Some(namespace), Some(name)) => {
                let name = FullName { tenant, namespace, name };
                problems.finish(Self { kind, name, labels, annotations, placement, spec })
            }
            _ => Err(problems.into()),
        }
    }
}

impl From<ComponentKind> for wire::Kind {
    fn from(kind: ComponentKind) -> Self {
        match kind {
            ComponentKind::Function => Self::Function,
            ComponentKind::Source => Self::Source,
            ComponentKind::Sink => Self::Sink,
        }
    }
}

/// The kind, unless none is said.
pub fn read_kind(kind: wire::Kind) -> Option<ComponentKind> {
    match kind {
        wire::Kind::Unspecified => None,
        wire::Kind::Function => Some(ComponentKind::Function),
        wire::Kind::Source => Some(ComponentKind::Source),
        wire::Kind::Sink => Some(ComponentKind::Sink),
    }
}

#[cfg(test)]
mod tests;
