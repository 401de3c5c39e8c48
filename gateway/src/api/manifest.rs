//! `ManifestService`: a text with components, applied as one request with a result for each.
//!
//! Nothing is written unless everything in the text can be read and is admitted: half of a file is rarely what its author
//! meant. What the store then refuses, such as a stale revision, is each component's own.

use isthmus_dialects::document::Lines;
use isthmus_dialects::{self as dialects, Dialect, Options, Origin, Problem, Read, UnknownFields, Written};
use isthmus_model::access::Role;
use isthmus_model::component::{ComponentKind, Draft};
use isthmus_model::name::{FullName, Invalid};
use isthmus_model::reason::{Reason, Violation};
use isthmus_proto::component::v1 as wire;
use isthmus_proto::component::v1::manifest_result::Outcome;
use isthmus_proto::failure::embedded;
use tonic::{Request, Response, Status};

use super::prepare;
use super::resource::{Components, may};
use crate::auth::Caller;
use crate::auth::caller;
use crate::status_code;
use crate::store::command::{Delete, WriteMode};

/// Greatest size of a text.
const MOST_BYTES: usize = 1 << 20;

/// `ManifestService`.
#[derive(Debug, Clone)]
pub struct Manifests(pub Components);

#[tonic::async_trait]
impl wire::manifest_service_server::ManifestService for Manifests {
    async fn apply_manifest(
        &self,
        request: Request<wire::ApplyManifestRequest>,
    ) -> Result<Response<wire::ApplyManifestResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let read = dialects::read(&request.manifest, &options(&request));
        let Read { drafts, warnings } = read.map_err(|problems| refused(&request.manifest, problems))?;
        prepare::fits(&item_id(&request.request_id, drafts.len()))?;
        let warnings = warnings.iter().map(ToString::to_string).collect();
        let results = if request.delete {
            self.delete(&caller, drafts, &request).await?
        } else {
            self.apply(&caller, drafts, &request).await?
        };
        Ok(Response::new(wire::ApplyManifestResponse { results, warnings }))
    }
}

impl Manifests {
    async fn apply(
        &self,
        caller: &Caller,
        drafts: Vec<Written>,
        request: &wire::ApplyManifestRequest,
    ) -> Result<Vec<wire::ManifestResult>, Status> {
        let admitted = prepare::all_written(self.0.context.store(), drafts)
            .map_err(|problems| refused(&request.manifest, problems))?;
        for (_, component) in &admitted {
            may(caller, Role::Developer, &component.name)?;
        }
        let mut results = Vec::with_capacity(admitted.len());
        for (at, (position, component)) in admitted.into_iter().enumerate() {
            let prepared = prepare::prepare(component, WriteMode::Apply(None));
            let id = item_id(&request.request_id, at);
            let answer = self.0.write(caller, prepared, &id, request.dry_run).await;
            results.push(result(position.document, answer)?);
        }
        Ok(results)
    }

    async fn delete(
        &self,
        caller: &Caller,
        drafts: Vec<Written>,
        request: &wire::ApplyManifestRequest,
    ) -> Result<Vec<wire::ManifestResult>, Status> {
        // What is deleted need not be right in any other way than in its name.
        let mut named: Vec<(usize, ComponentKind, FullName)> = Vec::with_capacity(drafts.len());
        let mut unnamed = Vec::new();
        for written in drafts {
            let position = written.origin().position();
            let Draft { kind, tenant, namespace, name, .. } = written.draft();
            match FullName::new(tenant, namespace, name) {
                Ok(name) => named.push((position.document, *kind, name)),
                Err(error) => {
                    unnamed.push(Problem { position, violation: nameless(written.origin(), &error) });
                }
            }
        }
        if !unnamed.is_empty() {
            return Err(refused(&request.manifest, unnamed));
        }
        for (.., name) in &named {
            may(caller, Role::Developer, name)?;
        }
        let mut results = Vec::with_capacity(named.len());
        for (at, (document, kind, name)) in named.into_iter().enumerate() {
            let delete = Delete { name, kind, uid: None, revision: None };
            let answer = self.0.end(caller, delete, &item_id(&request.request_id, at), request.dry_run).await;
            results.push(result(document, answer)?);
        }
        Ok(results)
    }
}

fn options(request: &wire::ApplyManifestRequest) -> Options {
    let (dialect, kind) = match request.dialect() {
        wire::Dialect::Unspecified | wire::Dialect::Kubernetes => (None, None),
        wire::Dialect::FunctionConfig => (Some(Dialect::PulsarConfig), Some(ComponentKind::Function)),
        wire::Dialect::SourceConfig => (Some(Dialect::PulsarConfig), Some(ComponentKind::Source)),
        wire::Dialect::SinkConfig => (Some(Dialect::PulsarConfig), Some(ComponentKind::Sink)),
    };
    let unknown_fields = match request.unknown_fields() {
        wire::UnknownFields::Unspecified | wire::UnknownFields::Error => UnknownFields::Error,
        wire::UnknownFields::Warn => UnknownFields::Warn,
        wire::UnknownFields::Ignore => UnknownFields::Ignore,
    };
    Options { dialect, kind, unknown_fields, max_bytes: MOST_BYTES }
}

/// Why a name is none, at its place in the text.
fn nameless(origin: &Origin, error: &Invalid) -> Violation {
    let reason = if error.value.is_empty() { Reason::MissingField } else { Reason::InvalidField };
    let value = if error.value.is_empty() { String::new() } else { format!("{:?}", error.value) };
    let field = origin.dialect_path(&format!("metadata.{}", error.what));
    Violation::new(field, reason, error.rule).with_value(&value)
}

/// Each component of a text gets an id of its own, the same at every repetition of the request.
fn item_id(request_id: &str, at: usize) -> String {
    if request_id.is_empty() { String::new() } else { format!("{request_id}/{at}") }
}

/// Every problem with its line, which is looked up only now that there are some.
fn refused(text: &[u8], problems: Vec<Problem>) -> Status {
    let lines = Lines::of(text);
    let violations = problems.into_iter().map(|Problem { mut position, mut violation }| {
        position.line = lines.line(position.document, &violation.field).unwrap_or(position.line);
        violation.message = format!("{} ({position})", violation.message);
        violation
    });
    let violations: Vec<Violation> = violations.collect();
    let message = match violations.as_slice() {
        [only] if only.field.is_empty() => only.message.clone(),
        [only] => format!("{}: {}", only.field, only.message),
        all => format!("the text has {} problems, so that nothing of it was applied", all.len()),
    };
    status_code::invalid(message, violations)
}

/// A failure of the gateway itself fails the call; a refusal is the component's own.
fn result(
    document: usize,
    answer: Result<wire::ChangeResponse, Status>,
) -> Result<wire::ManifestResult, Status> {
    let outcome = match answer {
        Ok(change) => Outcome::Change(change),
        Err(status) if matches!(status.code(), tonic::Code::Unavailable | tonic::Code::Internal) => {
            return Err(status);
        }
        Err(status) => Outcome::Rejected(embedded(&status)),
    };
    Ok(wire::ManifestResult { document: u32::try_from(document).unwrap_or(u32::MAX), outcome: Some(outcome) })
}
