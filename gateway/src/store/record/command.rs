//! Commands as bytes.

use std::sync::Arc;

use bytes::Bytes;
use isthmus_model::assignment::Removal;
use isthmus_model::component::ComponentKind;
use isthmus_model::name::{
    ClusterName, Digest, FullName, LabelKey, LabelValue, Labels, PulsarClusterName, Uid,
};
use isthmus_model::order::{Generation, Revision};
use isthmus_model::policy::Placement;
use isthmus_model::resources::Capacity;
use isthmus_model::sealed::{SealedSecrets, SealingKeyId};
use isthmus_proto::component::v1::SealedSecrets as SealedMessage;
use prost::{Message, Oneof};

use super::{BadField, array};
use crate::placement::Demand;
use crate::store::command::{Command, Delete, Write, WriteMode};

/// Why a command could not be understood.
#[derive(Debug)]
pub(super) enum Error {
    Shape(prost::DecodeError),
    Field(BadField),
}

impl From<BadField> for Error {
    fn from(bad: BadField) -> Self {
        Self::Field(bad)
    }
}

#[derive(Clone, PartialEq, Message)]
struct CommandRecord {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Kind {
    #[prost(message, tag = "1")]
    Write(WriteRecord),
    #[prost(message, tag = "2")]
    Delete(DeleteRecord),
    #[prost(message, tag = "3")]
    Stopped(StoppedRecord),
    #[prost(message, tag = "4")]
    Replan(ReplanRecord),
    #[prost(message, tag = "5")]
    Cluster(ClusterRecord),
    #[prost(bytes = "bytes", tag = "6")]
    Resource(Bytes),
}

#[derive(Clone, PartialEq, Message)]
struct NameRecord {
    #[prost(string, tag = "1")]
    tenant: String,
    #[prost(string, tag = "2")]
    namespace: String,
    #[prost(string, tag = "3")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct WriteRecord {
    /// 1 create, 2 update, 3 apply.
    #[prost(uint32, tag = "1")]
    mode: u32,
    #[prost(uint64, optional, tag = "2")]
    expected: Option<u64>,
    #[prost(message, optional, tag = "3")]
    name: Option<NameRecord>,
    /// Position in [`ComponentKind::ALL`].
    #[prost(uint32, tag = "4")]
    kind: u32,
    #[prost(bytes = "bytes", tag = "5")]
    spec: Bytes,
    #[prost(message, optional, tag = "6")]
    demand: Option<DemandRecord>,
    #[prost(message, repeated, tag = "7")]
    labels: Vec<LabelRecord>,
    #[prost(bytes = "bytes", repeated, tag = "8")]
    packages: Vec<Bytes>,
    #[prost(message, optional, boxed, tag = "9")]
    sealed: Option<Box<SealedMessage>>,
}

#[derive(Clone, PartialEq, Message)]
struct DeleteRecord {
    #[prost(message, optional, tag = "1")]
    name: Option<NameRecord>,
    #[prost(uint32, tag = "2")]
    kind: u32,
    #[prost(bytes = "bytes", tag = "3")]
    uid: Bytes,
    #[prost(uint64, optional, tag = "4")]
    revision: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct StoppedRecord {
    #[prost(string, tag = "1")]
    cluster: String,
    #[prost(message, repeated, tag = "2")]
    stopped: Vec<RemovalRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct RemovalRecord {
    #[prost(bytes = "bytes", tag = "1")]
    uid: Bytes,
    #[prost(uint64, tag = "2")]
    generation: u64,
}

#[derive(Clone, PartialEq, Message)]
struct ReplanRecord {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    uids: Vec<Bytes>,
    #[prost(bool, tag = "2")]
    may_evict: bool,
}

#[derive(Clone, PartialEq, Message)]
struct ClusterRecord {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "bytes", tag = "2")]
    change: Bytes,
}

/// A demand as bytes.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub(crate) struct DemandRecord {
    #[prost(string, tag = "1")]
    runtime: String,
    #[prost(uint32, tag = "2")]
    replicas: u32,
    #[prost(uint32, tag = "3")]
    reserved: u32,
    #[prost(uint64, tag = "4")]
    cpu_millis: u64,
    #[prost(uint64, tag = "5")]
    memory_bytes: u64,
    #[prost(uint64, tag = "6")]
    instances: u64,
    #[prost(string, tag = "7")]
    pulsar: String,
    /// JSON; empty means the default policy.
    #[prost(bytes = "bytes", tag = "8")]
    policy: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "9")]
    sealed_for: Vec<Bytes>,
}

/// A label as bytes.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub(crate) struct LabelRecord {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

impl DemandRecord {
    pub(crate) fn new(demand: &Demand) -> Self {
        Self {
            runtime: demand.runtime.to_string(),
            replicas: demand.replicas,
            reserved: demand.reserved,
            cpu_millis: demand.each.cpu_millis,
            memory_bytes: demand.each.memory_bytes,
            instances: demand.each.instances,
            pulsar: demand.pulsar.as_ref().map(ToString::to_string).unwrap_or_default(),
            policy: if demand.policy == Placement::default() { Bytes::new() } else { json(&demand.policy) },
            sealed_for: demand.sealed_for.iter().map(|key| Bytes::copy_from_slice(&key.0)).collect(),
        }
    }

    pub(crate) fn parse(self) -> Result<Demand, BadField> {
        let pulsar = match self.pulsar.as_str() {
            "" => None,
            name => Some(PulsarClusterName::new(name).map_err(|invalid| BadField::new("pulsar", invalid))?),
        };
        Ok(Demand {
            runtime: self.runtime.into(),
            replicas: self.replicas,
            reserved: self.reserved,
            each: Capacity {
                cpu_millis: self.cpu_millis,
                memory_bytes: self.memory_bytes,
                instances: self.instances,
            },
            pulsar,
            policy: if self.policy.is_empty() {
                Placement::default()
            } else {
                parse("policy", &self.policy)?
            },
            sealed_for: self
                .sealed_for
                .iter()
                .map(|key| array("sealing key id", key).map(SealingKeyId))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl LabelRecord {
    pub(crate) fn all(labels: &Labels) -> Vec<Self> {
        labels.iter().map(|(key, value)| Self { key: key.to_string(), value: value.to_string() }).collect()
    }

    pub(crate) fn parse_all(labels: Vec<Self>) -> Result<Labels, BadField> {
        let label = |Self { key, value }: Self| {
            let key = LabelKey::new(&key).map_err(|invalid| BadField::new("label", invalid))?;
            let value = LabelValue::new(&value).map_err(|invalid| BadField::new("label", invalid))?;
            Ok((key, value))
        };
        labels.into_iter().map(label).collect()
    }
}

/// Everything of a command but the UID that a write draws.
pub(super) fn encode(command: &Command) -> Bytes {
    let kind = match command {
        Command::Write(write) => Kind::Write(write_record(write)),
        Command::Delete(delete) => Kind::Delete(DeleteRecord {
            name: Some(name_record(&delete.name)),
            kind: kind_number(delete.kind),
            uid: delete.uid.map(uid_bytes).unwrap_or_default(),
            revision: delete.revision.map(|revision| revision.0),
        }),
        Command::Stopped { cluster, stopped } => Kind::Stopped(StoppedRecord {
            cluster: cluster.to_string(),
            stopped: stopped
                .iter()
                .map(|removal| RemovalRecord {
                    uid: uid_bytes(removal.uid),
                    generation: removal.generation.0,
                })
                .collect(),
        }),
        Command::Replan { uids, may_evict } => Kind::Replan(ReplanRecord {
            uids: uids.iter().copied().map(uid_bytes).collect(),
            may_evict: *may_evict,
        }),
        Command::Cluster { name, change } => {
            Kind::Cluster(ClusterRecord { name: name.to_string(), change: json(change) })
        }
        Command::Resource(change) => Kind::Resource(json(change)),
    };
    CommandRecord { kind: Some(kind) }.encode_to_vec().into()
}

pub(super) fn decode(uid: &[u8], bytes: Bytes) -> Result<Command, Error> {
    let record = CommandRecord::decode(bytes).map_err(Error::Shape)?;
    Ok(match record.kind.ok_or_else(|| BadField::new("command", "missing, or of a later version"))? {
        Kind::Write(record) => Command::Write(parse_write(uid, record)?),
        Kind::Delete(record) => Command::Delete(Delete {
            name: parse_name(record.name)?,
            kind: parse_kind(record.kind)?,
            uid: if record.uid.is_empty() { None } else { Some(parse_uid(&record.uid)?) },
            revision: record.revision.map(Revision),
        }),
        Kind::Stopped(record) => Command::Stopped {
            cluster: parse_cluster(&record.cluster)?,
            stopped: record
                .stopped
                .iter()
                .map(|removal| {
                    Ok(Removal { uid: parse_uid(&removal.uid)?, generation: Generation(removal.generation) })
                })
                .collect::<Result<_, BadField>>()?,
        },
        Kind::Replan(record) => Command::Replan {
            uids: record.uids.iter().map(|uid| parse_uid(uid)).collect::<Result<_, _>>()?,
            may_evict: record.may_evict,
        },
        Kind::Cluster(record) => Command::Cluster {
            name: parse_cluster(&record.name)?,
            change: parse("cluster change", &record.change)?,
        },
        Kind::Resource(bytes) => Command::Resource(parse("resource change", &bytes)?),
    })
}

fn write_record(write: &Write) -> WriteRecord {
    let (mode, expected) = match write.mode {
        WriteMode::Create => (1, None),
        WriteMode::Update(expected) => (2, expected),
        WriteMode::Apply(expected) => (3, expected),
    };
    WriteRecord {
        mode,
        expected: expected.map(|revision| revision.0),
        name: Some(name_record(&write.name)),
        kind: kind_number(write.kind),
        spec: Bytes::from_owner(write.spec.clone()),
        demand: Some(DemandRecord::new(&write.demand)),
        labels: LabelRecord::all(&write.labels),
        packages: write.packages.iter().map(|digest| Bytes::copy_from_slice(&digest.0)).collect(),
        sealed: write.sealed.as_deref().map(|sealed| Box::new(sealed.into())),
    }
}

/// Sealed secrets as they are kept: none as no bytes at all.
pub(crate) fn sealed_bytes(sealed: Option<&SealedSecrets>) -> Bytes {
    let message = sealed.map(SealedMessage::from);
    message.map(|message| message.encode_to_vec().into()).unwrap_or_default()
}

pub(crate) fn parse_sealed(bytes: &[u8]) -> Result<Option<Arc<SealedSecrets>>, BadField> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let message = SealedMessage::decode(bytes).map_err(|error| BadField::new("sealed secrets", error))?;
    read_sealed(message).map(Some)
}

fn read_sealed(message: SealedMessage) -> Result<Arc<SealedSecrets>, BadField> {
    let sealed = isthmus_proto::convert::sealed::share(message);
    sealed.map(Arc::new).map_err(|error| BadField::new("sealed secrets", error))
}

fn parse_write(uid: &[u8], record: WriteRecord) -> Result<Write, BadField> {
    let expected = record.expected.map(Revision);
    Ok(Write {
        mode: match record.mode {
            1 => WriteMode::Create,
            2 => WriteMode::Update(expected),
            3 => WriteMode::Apply(expected),
            other => return Err(BadField::new("mode", other)),
        },
        uid: parse_uid(uid)?,
        name: parse_name(record.name)?,
        kind: parse_kind(record.kind)?,
        spec: Arc::from(record.spec.as_ref()),
        demand: Arc::new(record.demand.unwrap_or_default().parse()?),
        labels: LabelRecord::parse_all(record.labels)?,
        packages: record
            .packages
            .iter()
            .map(|digest| array("package", digest).map(Digest))
            .collect::<Result<_, _>>()?,
        sealed: record.sealed.map(|sealed| read_sealed(*sealed)).transpose()?,
    })
}

fn name_record(name: &FullName) -> NameRecord {
    NameRecord {
        tenant: name.tenant.to_string(),
        namespace: name.namespace.to_string(),
        name: name.name.to_string(),
    }
}

fn parse_name(record: Option<NameRecord>) -> Result<FullName, BadField> {
    let record = record.ok_or_else(|| BadField::new("name", "missing"))?;
    FullName::new(&record.tenant, &record.namespace, &record.name)
        .map_err(|invalid| BadField::new("name", invalid))
}

fn parse_cluster(name: &str) -> Result<ClusterName, BadField> {
    ClusterName::new(name).map_err(|invalid| BadField::new("cluster", invalid))
}

pub(crate) fn kind_number(kind: ComponentKind) -> u32 {
    match kind {
        ComponentKind::Function => 0,
        ComponentKind::Source => 1,
        ComponentKind::Sink => 2,
    }
}

pub(crate) fn parse_kind(number: u32) -> Result<ComponentKind, BadField> {
    ComponentKind::ALL
        .into_iter()
        .find(|kind| kind_number(*kind) == number)
        .ok_or_else(|| BadField::new("kind", number))
}

pub(crate) fn uid_bytes(uid: Uid) -> Bytes {
    Bytes::copy_from_slice(uid.as_bytes())
}

pub(crate) fn parse_uid(bytes: &[u8]) -> Result<Uid, BadField> {
    Uid::from_slice(bytes).map_err(|invalid| BadField::new("uid", invalid))
}

fn json<T: serde::Serialize>(value: &T) -> Bytes {
    // Plain data with text keys cannot fail to become JSON; an empty text would be refused when it is read.
    serde_json::to_vec(value).unwrap_or_default().into()
}

fn parse<T: serde::de::DeserializeOwned>(field: &'static str, bytes: &[u8]) -> Result<T, BadField> {
    serde_json::from_slice(bytes).map_err(|error| BadField::new(field, error))
}
