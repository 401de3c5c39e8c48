//! `ManifestService`: a text with components, applied as one request with a result for each.
//!
//! Nothing is written unless everything in the text can be read and is admitted: half of a file is rarely what its author
//! meant. What the store then refuses, such as a stale revision, is each component's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use isthmus_dialects::document::Lines;
use isthmus_dialects::{
    self as dialects, Dialect, Options, Origin, Position, Problem, Read, UnknownFields, Written,
};
use isthmus_model::access::Role;
use isthmus_model::component::{ComponentKind, Draft};
use isthmus_model::name::{FullName, Invalid, PrincipalName};
use isthmus_model::reason::{Reason, Violation};
use isthmus_model::sealed::SealedSecrets;
use isthmus_proto::component::v1 as wire;
use isthmus_proto::component::v1::manifest_result::Outcome;
use isthmus_proto::convert;
use isthmus_proto::failure::embedded;
use tonic::{Request, Response, Status};

use super::prepare::{self, Prepared};
use super::resource::{Components, answer, find, may};
use super::show::Seen;
use crate::auth::Caller;
use crate::auth::caller;
use crate::status_code;
use crate::store::command::Delete;
use crate::store::{Command, State, Submission};

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
        let mut request = request.into_inner();
        let read = dialects::read(&request.manifest, &options(&request));
        let Read { drafts, warnings } = read.map_err(|problems| refused(&request.manifest, problems))?;
        prepare::fits(&item_id(&request.request_id, drafts.len()))?;
        let sealed = sealed(std::mem::take(&mut request.sealed_secrets), &drafts)?;
        let warnings = warnings.iter().map(ToString::to_string).collect();
        let changes = if request.delete {
            deletions(drafts, &request.manifest)?
        } else {
            self.writes(drafts, &request.manifest, &sealed)?
        };
        let results = self.change(&caller, changes, &request).await?;
        Ok(Response::new(wire::ApplyManifestResponse { results, warnings }))
    }
}

impl Manifests {
    fn writes(
        &self,
        drafts: Vec<Written>,
        text: &[u8],
        sealed: &BTreeMap<FullName, Arc<SealedSecrets>>,
    ) -> Result<Vec<(usize, Change)>, Status> {
        let prepared = prepare::all_written(self.0.context.store(), drafts, sealed)
            .map_err(|problems| refused(text, problems))?;
        let write = |(position, prepared): (Position, Prepared)| {
            (position.document, Change::Write(Box::new(prepared)))
        };
        Ok(prepared.into_iter().map(write).collect())
    }

    /// Changes the components of a text, or says what would become of each. They are handed to the store together, so that they
    /// share its commits, and are decided in their order.
    async fn change(
        &self,
        caller: &Caller,
        changes: Vec<(usize, Change)>,
        request: &wire::ApplyManifestRequest,
    ) -> Result<Vec<wire::ManifestResult>, Status> {
        // Before anything is asked of the store: who may not change one of them changes none.
        let principals: Vec<PrincipalName> = changes
            .iter()
            .map(|(_, change)| may(caller, Role::Developer, change.name()))
            .collect::<Result<_, _>>()?;
        let mut results = Vec::with_capacity(changes.len());
        if request.dry_run {
            for (document, change) in changes {
                let answer = match change {
                    Change::Write(prepared) => self.0.write(caller, *prepared, "", true).await,
                    Change::End(delete) => self.0.end(caller, delete, "", true).await,
                };
                results.push(result(document, answer)?);
            }
            return Ok(results);
        }
        let time = self.0.context.now();
        let (mut asked, mut submissions) = (Vec::new(), Vec::new());
        for (at, ((document, change), principal)) in changes.into_iter().zip(principals).enumerate() {
            let (kind, name) = (change.kind(), change.name().clone());
            let (command, shown) = match change {
                Change::Write(prepared) => {
                    let Prepared { write, shown } = *prepared;
                    (Command::Write(write), Some(shown))
                }
                Change::End(delete) => (Command::Delete(delete), None),
            };
            let request = prepare::request_id(&principal, &item_id(&request.request_id, at))?;
            submissions.push(Submission { principal, time, request, command });
            asked.push((document, kind, name, shown));
        }
        let (eyes, named) =
            (self.0.eyes.clone(), asked.iter().map(|(_, kind, name, _)| (*kind, name.clone())));
        let named: Vec<_> = named.collect();
        let look = move |state: &State, _: &[_]| -> Vec<Option<Seen>> {
            let look = |(kind, name)| find(state, kind, &name).map(|view| eyes.look(state, view));
            named.into_iter().map(look).collect()
        };
        let (answers, seen) = self.0.context.store().submit_all_and_look(submissions, look).await;
        let seen = seen.unwrap_or_default().into_iter().chain(std::iter::repeat(None));
        for (((document, _, _, shown), answer), seen) in asked.into_iter().zip(answers).zip(seen) {
            let answer = match answer {
                Ok(outcome) => self::answer(outcome, seen, shown),
                Err(rejection) => Err(status_code::rejected(rejection)),
            };
            results.push(result(document, answer)?);
        }
        Ok(results)
    }
}

/// What a text asks for of one component.
enum Change {
    Write(Box<Prepared>),
    End(Delete),
}

impl Change {
    fn kind(&self) -> ComponentKind {
        match self {
            Self::Write(prepared) => prepared.write.kind,
            Self::End(delete) => delete.kind,
        }
    }

    fn name(&self) -> &FullName {
        match self {
            Self::Write(prepared) => &prepared.write.name,
            Self::End(delete) => &delete.name,
        }
    }
}

/// The secrets that came sealed with components of the text.
fn sealed(
    sealed: BTreeMap<String, wire::SealedSecrets>,
    drafts: &[Written],
) -> Result<BTreeMap<FullName, Arc<SealedSecrets>>, Status> {
    let (mut read, mut wrong) = (BTreeMap::new(), Vec::new());
    for (name, sealed) in sealed {
        let field = format!("{}[{name}]", convert::sealed::FIELD);
        let is_there = |written: &Written| {
            let Draft { tenant, namespace, name: component, .. } = written.draft();
            name == format!("{tenant}/{namespace}/{component}")
        };
        match (name.parse::<FullName>(), convert::sealed::written(sealed)) {
            (Ok(parsed), Ok(sealed)) if drafts.iter().any(is_there) => {
                read.insert(parsed, Arc::new(sealed));
            }
            (_, Err(invalid)) => wrong.extend(invalid.0.into_iter().map(|mut violation| {
                violation.field = violation.field.replacen(convert::sealed::FIELD, &field, 1);
                violation
            })),
            (_, Ok(_)) => {
                let message =
                    "no component of the text has this full name; write it as tenant/namespace/name";
                wrong.push(Violation::new(field, Reason::ConflictingFields, message));
            }
        }
    }
    if wrong.is_empty() { Ok(read) } else { Err(status_code::unreadable(convert::Invalid(wrong))) }
}

/// What is deleted need not be right in any other way than in its name.
fn deletions(drafts: Vec<Written>, text: &[u8]) -> Result<Vec<(usize, Change)>, Status> {
    let (mut named, mut unnamed) = (Vec::with_capacity(drafts.len()), Vec::new());
    for written in drafts {
        let position = written.origin().position();
        let Draft { kind, tenant, namespace, name, .. } = written.draft();
        match FullName::new(tenant, namespace, name) {
            Ok(name) => {
                let delete = Delete { name, kind: *kind, uid: None, revision: None };
                named.push((position.document, Change::End(delete)));
            }
            Err(error) => unnamed.push(Problem { position, violation: nameless(written.origin(), &error) }),
        }
    }
    if unnamed.is_empty() { Ok(named) } else { Err(refused(text, unnamed)) }
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
