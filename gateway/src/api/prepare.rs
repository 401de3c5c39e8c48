//! From what a caller wrote to what the store takes: read, admitted, encoded once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use isthmus_admission::{self as admission, Facts};
use isthmus_dialects::{Position, Problem, Written};
use isthmus_model::component::{Component, ComponentKind, Runtime, SecretRef};
use isthmus_model::name::{Digest, FullName, PrincipalName, Uid};
use isthmus_model::order::Revision;
use isthmus_model::reason::{Reason, Violation};
use isthmus_model::resources::Capacity;
use isthmus_model::sealed::{SealedSecrets, SealingKeyId};
use isthmus_proto::component::v1 as wire;
use isthmus_proto::convert;
use prost::Message as _;
use tonic::Status;

use crate::placement::Demand;
use crate::status_code;
use crate::store::command::{RequestId, Write, WriteMode};
use crate::store::{Handle, State};

/// What is known beside a component: the state of now, and the secrets that came with it. The store asks again for packages when
/// it decides.
struct Known<'a> {
    store: &'a Handle,
    sealed: Sealed<'a>,
    /// What was looked up, so that what is admitted is what is written.
    kept: RefCell<BTreeMap<FullName, Arc<SealedSecrets>>>,
}

/// Secrets that came sealed with a request.
enum Sealed<'a> {
    /// With its one component.
    One(Option<Arc<SealedSecrets>>),
    /// With some of its components.
    Some(&'a BTreeMap<FullName, Arc<SealedSecrets>>),
}

impl<'a> Known<'a> {
    fn new(store: &'a Handle, sealed: Sealed<'a>) -> Self {
        Self { store, sealed, kept: RefCell::default() }
    }

    /// The secrets to write with an admitted component: those that came with it, else of those that it had the ones that it needs.
    fn sealed_with(&self, component: &Component) -> Option<Arc<SealedSecrets>> {
        let given = self.sealed(&component.name);
        if given.is_some() || !component.has_sealed_secrets() {
            return given;
        }
        let kept = self.kept(&component.name)?;
        let needed = |name: &str| component.spec.secrets.get(name).is_some_and(SecretRef::is_sealed);
        if kept.values.keys().all(|name| needed(name)) {
            return Some(kept);
        }
        let values = kept.values.iter().filter(|(name, _)| needed(name));
        let values = Arc::new(values.map(|(name, value)| (name.clone(), value.clone())).collect());
        Some(Arc::new(SealedSecrets { keys: kept.keys.clone(), values }))
    }
}

impl Facts for Known<'_> {
    fn stores(&self, package: &Digest) -> bool {
        self.store.peek(|state| state.package(package).is_some()).0
    }

    fn file(&self, package: &Digest) -> String {
        let name = self.store.peek(|state| state.package(package).map(|package| package.name.clone())).0;
        name.unwrap_or_default()
    }

    fn sealed(&self, component: &FullName) -> Option<Arc<SealedSecrets>> {
        match &self.sealed {
            Sealed::One(sealed) => sealed.clone(),
            Sealed::Some(sealed) => sealed.get(component).cloned(),
        }
    }

    fn kept(&self, component: &FullName) -> Option<Arc<SealedSecrets>> {
        if let Some(kept) = self.kept.borrow().get(component) {
            return Some(kept.clone());
        }
        let sealed = |state: &State| state.component(component)?.current().details.sealed.clone();
        let found = self.store.peek(sealed).0?;
        self.kept.borrow_mut().insert(component.clone(), found.clone());
        Some(found)
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
    mut component: wire::Component,
    kind: Option<ComponentKind>,
    mode: impl FnOnce(Option<Revision>) -> WriteMode,
) -> Result<Prepared, Status> {
    let revision = component.metadata.as_ref().map_or(0, |metadata| metadata.revision);
    let sealed = component.sealed_secrets.take().map(|sealed| convert::sealed::written(*sealed)).transpose();
    let (draft, sealed) = match (convert::component::draft(component, kind), sealed) {
        (Ok(draft), Ok(sealed)) => (draft, sealed.map(Arc::new)),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => return Err(status_code::unreadable(error)),
        (Err(mut error), Err(more)) => {
            error.0.extend(more.0);
            return Err(status_code::unreadable(error));
        }
    };
    let known = Known::new(store, Sealed::One(sealed));
    let component = admission::admit(draft, &known).map_err(status_code::inadmissible)?;
    let sealed = known.sealed_with(&component);
    let mode = mode((revision != 0).then_some(Revision(revision)));
    prepare(component, sealed, mode).map_err(|Violation { field, reason, message, .. }| {
        status_code::invalid_field(&field, reason, message, "")
    })
}

/// Admits the components that were read from a text, all or none, to be applied.
pub(super) fn all_written(
    store: &Handle,
    drafts: Vec<Written>,
    sealed: &BTreeMap<FullName, Arc<SealedSecrets>>,
) -> Result<Vec<(Position, Prepared)>, Vec<Problem>> {
    let known = Known::new(store, Sealed::Some(sealed));
    let admitted = admission::admit_all(drafts, &known)?;
    let prepared = |(position, component): (Position, Component)| {
        let sealed = known.sealed_with(&component);
        let prepared = prepare(component, sealed, WriteMode::Apply(None));
        prepared
            .map(|prepared| (position, prepared))
            .map_err(|violation| vec![Problem { position, violation }])
    };
    admitted.into_iter().map(prepared).collect()
}

/// Greatest size of a component as it is stored and sent: what a commit, etcd and a custom resource can hold.
const MOST_BYTES: usize = 1 << 20;

/// Encodes an admitted component. It is here that its size is known, and counting it for a check of its own would cost
/// more than most checks.
fn prepare(
    component: Component,
    sealed: Option<Arc<SealedSecrets>>,
    mode: WriteMode,
) -> Result<Prepared, Violation> {
    let sealed_for = sealed.iter().flat_map(|sealed| sealed.keys.keys().copied()).collect();
    let demand = Arc::new(demand(&component, sealed_for));
    let packages = packages(&component);
    let (kind, name, labels) = (component.kind, component.name.clone(), component.labels.clone());
    let message = wire::Component::from(component);
    let spec = message.encode_to_vec();
    if spec.len() > MOST_BYTES {
        let message =
            format!("it must have at most {MOST_BYTES} bytes as it is stored, and has {}", spec.len());
        return Err(Violation::new("spec", Reason::TooLarge, message));
    }
    let spec = Arc::from(spec);
    let uid = Uid(uuid::Uuid::new_v4());
    let write = Write { mode, uid, name, kind, spec, demand, labels, packages, sealed };
    Ok(Prepared { write, shown: convert::component::redact(message) })
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
fn demand(component: &Component, sealed_for: Box<[SealingKeyId]>) -> Demand {
    let spec = &component.spec;
    Demand {
        runtime: spec.runtime.as_ref().map_or("", |runtime| runtime.word()).into(),
        replicas: spec.replicas,
        reserved: spec.max_replicas.unwrap_or(spec.replicas).max(spec.replicas),
        each: Capacity::of_instance(&spec.resources),
        pulsar: spec.pulsar.config.parse().ok(),
        policy: component.placement.clone(),
        sealed_for,
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
