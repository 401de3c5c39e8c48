//! Commits as bytes: compact, and readable by later versions (protobuf; what changes seldom is JSON inside).

mod command;
mod effect;

use bytes::Bytes;
use isthmus_model::name::PrincipalName;
use isthmus_model::order::{Epoch, LogIndex, UnixMillis};
use prost::Message;
use sha2::{Digest as _, Sha256};

use super::command::{Command, RequestId, Submission};
use super::commit::{Commit, Effect, Request};

pub(crate) use command::{
    DemandRecord, LabelRecord, kind_number, parse_kind, parse_sealed, parse_uid, sealed_bytes, uid_bytes,
};

/// Why a record could not be understood.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not protobuf, or of another shape.
    #[error("record {index} is not what a commit is encoded as")]
    Shape {
        /// Which record.
        index: LogIndex,
        /// What is wrong.
        source: prost::DecodeError,
    },
    /// A part of it has a value that cannot be.
    #[error("record {index} has a {field} that cannot be: {what}")]
    Field {
        /// Which record.
        index: LogIndex,
        /// Which part.
        field: &'static str,
        /// What is wrong.
        what: String,
    },
}

/// A part of a record has a value that cannot be.
#[derive(Debug)]
pub(crate) struct BadField {
    pub(crate) field: &'static str,
    pub(crate) what: String,
}

impl BadField {
    pub(crate) fn new(field: &'static str, what: impl std::fmt::Display) -> Self {
        Self { field, what: what.to_string() }
    }
}

/// A submission, encoded as far as it can be before it is decided.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) principal: PrincipalName,
    pub(crate) time: UnixMillis,
    pub(crate) request: Option<Request>,
    pub(crate) command: Command,
    pub(crate) encoded: Bytes,
}

impl Prepared {
    pub(crate) fn new(submission: Submission) -> Self {
        let Submission { principal, time, request, command } = submission;
        let encoded = command::encode(&command);
        let request = request.map(|id| Request { id, content: content(&encoded) });
        Self { principal, time, request, command, encoded }
    }
}

fn content(encoded: &[u8]) -> [u8; 16] {
    let hash: [u8; 32] = Sha256::digest(encoded).into();
    let mut half = [0; 16];
    half.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    half
}

#[derive(Clone, PartialEq, Message)]
struct CommitRecord {
    #[prost(uint64, tag = "1")]
    epoch: u64,
    #[prost(uint64, tag = "2")]
    time: u64,
    #[prost(string, tag = "3")]
    principal: String,
    #[prost(bytes = "bytes", tag = "4")]
    request_id: Bytes,
    #[prost(bytes = "bytes", tag = "5")]
    request_content: Bytes,
    /// Of a write: the UID that was drawn for it. Beside the command, because a retry draws another.
    #[prost(bytes = "bytes", tag = "6")]
    uid: Bytes,
    #[prost(bytes = "bytes", tag = "7")]
    command: Bytes,
    #[prost(message, repeated, tag = "8")]
    effects: Vec<effect::EffectRecord>,
}

/// The record of a commit; `encoded` is its command, encoded when it was prepared.
pub(crate) fn encode(commit: &Commit, encoded: Bytes) -> Vec<u8> {
    let uid = match &commit.command {
        Command::Write(write) => Bytes::copy_from_slice(write.uid.as_bytes()),
        _ => Bytes::new(),
    };
    let record = CommitRecord {
        epoch: commit.epoch.0,
        time: commit.time.0,
        principal: commit.principal.as_str().to_owned(),
        request_id: commit.request.map(|request| Bytes::copy_from_slice(&request.id.0)).unwrap_or_default(),
        request_content: commit
            .request
            .map(|request| Bytes::copy_from_slice(&request.content))
            .unwrap_or_default(),
        uid,
        command: encoded,
        effects: commit.effects.iter().map(effect::encode).collect(),
    };
    record.encode_to_vec()
}

/// The commit of a record.
pub(crate) fn decode(index: LogIndex, bytes: &[u8]) -> Result<Commit, Error> {
    let shape = |source| Error::Shape { index, source };
    let field = |BadField { field, what }| Error::Field { index, field, what };
    // One copy of the record; its parts are slices of it.
    let record = CommitRecord::decode(Bytes::copy_from_slice(bytes)).map_err(shape)?;
    let principal = PrincipalName::new(&record.principal)
        .map_err(|invalid| field(BadField::new("principal", invalid)))?;
    let request = if record.request_id.is_empty() {
        None
    } else {
        let id = array("request id", &record.request_id).map_err(field)?;
        let content = array("request content", &record.request_content).map_err(field)?;
        Some(Request { id: RequestId(id), content })
    };
    let command = command::decode(&record.uid, record.command).map_err(|error| match error {
        command::Error::Shape(source) => shape(source),
        command::Error::Field(bad) => field(bad),
    })?;
    let effects: Vec<Effect> =
        record.effects.into_iter().map(effect::decode).collect::<Result<_, _>>().map_err(field)?;
    Ok(Commit {
        index,
        epoch: Epoch(record.epoch),
        time: UnixMillis(record.time),
        principal,
        request,
        command,
        effects,
    })
}

pub(crate) fn array<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], BadField> {
    bytes.try_into().map_err(|_| BadField::new(field, format!("{} bytes, not {N}", bytes.len())))
}
