//! From what a caller wrote to what the store takes: read, admitted, encoded once.

use std::sync::Arc;

use isthmus_admission::{self as admission, Facts};
use isthmus_dialects::{Position, Problem, Written};
use isthmus_model::component::{Component, ComponentKind, Runtime};
use isthmus_model::name::{Digest, FullName, PrincipalName, Uid};
use isthmus_model::order::Revision;
use isthmus_model::reason::Reason;
use isthmus_model::resources::Capacity;
use isthmus_proto::component::v1 as wire;
use isthmus_proto::convert;
use prost::Message as _;
use tonic::Status;

use crate::placement::Demand;
use crate::status_code;
use crate::store::Handle;
use crate::store::command::{RequestId, Write, WriteMode};

/// What is known of packages: the state of now. The store asks again when it decides.
struct Stored<'a>(&'a Handle);

impl Facts for Stored<'_> {
    fn stores(&self, package: &Digest) -> bool {
        self.0.peek(|state| state.package(package).is_some()).0
    }

    fn file(&self, package: &Digest) -> String {
        self.0.peek(|state| state.package(package).map(|package| package.name.clone())).0.unwrap_or_default()
    }
}

/// An admitted component, ready to be written.
#[derive(Debug)]
pub(super) struct Prepared {
    /// What the store takes.
    pub(super) write: Write,
    /// The same as the caller may see it.
    pub(super) shown: wire::Component,
}

/// Admits a component that came as a message; `kind` is what the called service is for.
pub(super) fn message(
    store: &Handle,
    component: wire::Component,
    kind: Option<ComponentKind>,
    mode: impl FnOnce(Option<Revision>) -> WriteMode,
) -> Result<Prepared, Status> {
    let revision = component.metadata.as_ref().map_or(0, |metadata| metadata.revision);
    let draft = convert::component::draft(component, kind).map_err(status_code::unreadable)?;
    let component = admission::admit(draft, &Stored(store)).map_err(status_code::inadmissible)?;
    Ok(prepare(component, mode((revision != 0).then_some(Revision(revision)))))
}

/// Admits the components that were read from a text, all or none.
pub(super) fn all_written(
    store: &Handle,
    drafts: Vec<Written>,
) -> Result<Vec<(Position, Component)>, Vec<Problem>> {
    admission::admit_all(drafts, &Stored(store))
}

/// Encodes an admitted component.
pub(super) fn prepare(component: Component, mode: WriteMode) -> Prepared {
    let demand = Arc::new(demand(&component));
    let packages = packages(&component);
    let (kind, name, labels) = (component.kind, component.name.clone(), component.labels.clone());
    let message = wire::Component::from(component);
    let spec = Arc::from(message.encode_to_vec());
    let uid = Uid(uuid::Uuid::new_v4());
    let write = Write { mode, uid, name, kind, spec, demand, labels, packages };
    Prepared { write, shown: convert::component::redact(message) }
}

/// The id that makes a retry safe.
pub(super) fn request_id(principal: &PrincipalName, text: &str) -> Result<Option<RequestId>, Status> {
    fits(text)?;
    Ok((!text.is_empty()).then(|| RequestId::new(principal, text)))
}

/// Whether a request id is short enough.
pub(super) fn fits(request_id: &str) -> Result<(), Status> {
    const LONGEST: usize = 64;
    if request_id.len() <= LONGEST {
        return Ok(());
    }
    let rule = format!("it must have at most {LONGEST} bytes");
    Err(status_code::invalid_field("requestId", Reason::TooLarge, rule, ""))
}

/// A component's name out of a request.
pub(super) fn name(name: Option<isthmus_proto::common::v1::FullName>) -> Result<FullName, Status> {
    let missing = || status_code::invalid_field("name", Reason::MissingField, "it must be given", "");
    name.ok_or_else(missing)?.try_into().map_err(|error: convert::Invalid| {
        let named = error.0.into_iter().map(|mut violation| {
            violation.field = format!("name.{}", violation.field);
            violation
        });
        status_code::unreadable(convert::Invalid(named.collect()))
    })
}

/// What placement needs to know of a component.
fn demand(component: &Component) -> Demand {
    let spec = &component.spec;
    Demand {
        runtime: spec.runtime.as_ref().map_or("", |runtime| runtime.word()).into(),
        replicas: spec.replicas,
        reserved: spec.max_replicas.unwrap_or(spec.replicas).max(spec.replicas),
        each: Capacity::of_instance(&spec.resources),
        pulsar: spec.pulsar.config.parse().ok(),
        policy: component.placement.clone(),
    }
}

/// The stored packages that a component needs.
fn packages(component: &Component) -> Vec<Digest> {
    let runtime = component.spec.runtime.as_ref().map(Runtime::package);
    let transform = component.spec.transform.as_ref().map(|transform| &transform.package);
    let mut digests: Vec<Digest> =
        runtime.into_iter().chain(transform).filter_map(|package| package.digest).collect();
    digests.sort_unstable();
    digests.dedup();
    digests
}
