//! Effects as bytes.

use bytes::Bytes;
use isthmus_model::order::Revision;
use prost::Message;

use super::BadField;
use super::command::{parse_uid, uid_bytes};
use crate::placement::{ClusterId, PulsarId, Refusals};
use crate::store::commit::{Assigned, Effect};

/// What happened; the numbers are in the log and must not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum Kind {
    Unknown = 0,
    Created = 1,
    Updated = 2,
    Terminating = 3,
    Placed = 4,
    Stopped = 5,
    Gone = 6,
    ClusterJoined = 7,
    ClusterChanged = 8,
    ResourceChanged = 9,
    PulsarClusterCreated = 10,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct EffectRecord {
    #[prost(enumeration = "Kind", tag = "1")]
    kind: i32,
    #[prost(bytes = "bytes", tag = "2")]
    uid: Bytes,
    #[prost(uint64, tag = "3")]
    revision: u64,
    /// Cluster or PulsarCluster.
    #[prost(uint32, tag = "4")]
    id: u32,
    #[prost(message, repeated, tag = "5")]
    assigned: Vec<AssignedRecord>,
    #[prost(uint32, repeated, tag = "6")]
    removed: Vec<u32>,
    #[prost(uint32, optional, tag = "7")]
    waits: Option<u32>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(string, tag = "9")]
    component_kind: String,
}

#[derive(Clone, PartialEq, Message)]
struct AssignedRecord {
    #[prost(uint32, tag = "1")]
    cluster: u32,
    #[prost(uint32, tag = "2")]
    pulsar: u32,
    #[prost(uint64, tag = "3")]
    revision: u64,
    #[prost(uint32, tag = "4")]
    replicas: u32,
    #[prost(uint32, tag = "5")]
    reserved: u32,
}

pub(super) fn encode(effect: &Effect) -> EffectRecord {
    let mut record = EffectRecord::default();
    let kind = match effect {
        Effect::Created => Kind::Created,
        Effect::Updated { uid, revision } => {
            record.uid = uid_bytes(*uid);
            record.revision = revision.0;
            Kind::Updated
        }
        Effect::Terminating { uid } => {
            record.uid = uid_bytes(*uid);
            Kind::Terminating
        }
        Effect::Placed { uid, assigned, removed, waits } => {
            record.uid = uid_bytes(*uid);
            record.assigned = assigned.iter().map(assigned_record).collect();
            record.removed = removed.iter().map(|cluster| cluster.0).collect();
            record.waits = waits.map(Refusals::bits);
            Kind::Placed
        }
        Effect::Stopped { uid, cluster } => {
            record.uid = uid_bytes(*uid);
            record.id = cluster.0;
            Kind::Stopped
        }
        Effect::Gone { uid, name, kind } => {
            record.uid = uid_bytes(*uid);
            record.name = name.to_string();
            kind.as_str().clone_into(&mut record.component_kind);
            Kind::Gone
        }
        Effect::ClusterJoined { id } => {
            record.id = id.0;
            Kind::ClusterJoined
        }
        Effect::ClusterChanged => Kind::ClusterChanged,
        Effect::ResourceChanged => Kind::ResourceChanged,
        Effect::PulsarClusterCreated { id } => {
            record.id = id.0;
            Kind::PulsarClusterCreated
        }
    };
    record.set_kind(kind);
    record
}

pub(super) fn decode(record: EffectRecord) -> Result<Effect, BadField> {
    let kind = record.kind();
    let EffectRecord { kind: number, uid, revision, id, assigned, removed, waits, name, component_kind } =
        record;
    Ok(match kind {
        Kind::Unknown => return Err(BadField::new("effect", number)),
        Kind::Created => Effect::Created,
        Kind::Updated => Effect::Updated { uid: parse_uid(&uid)?, revision: Revision(revision) },
        Kind::Terminating => Effect::Terminating { uid: parse_uid(&uid)? },
        Kind::Placed => Effect::Placed {
            uid: parse_uid(&uid)?,
            assigned: assigned.iter().map(parse_assigned).collect(),
            removed: removed.into_iter().map(ClusterId).collect(),
            waits: waits.map(Refusals::from_bits),
        },
        Kind::Stopped => Effect::Stopped { uid: parse_uid(&uid)?, cluster: ClusterId(id) },
        Kind::Gone => Effect::Gone {
            uid: parse_uid(&uid)?,
            name: name.parse().map_err(|_| BadField::new("name", name))?,
            kind: component_kind.parse().map_err(|()| BadField::new("component kind", component_kind))?,
        },
        Kind::ClusterJoined => Effect::ClusterJoined { id: ClusterId(id) },
        Kind::ClusterChanged => Effect::ClusterChanged,
        Kind::ResourceChanged => Effect::ResourceChanged,
        Kind::PulsarClusterCreated => Effect::PulsarClusterCreated { id: PulsarId(id) },
    })
}

fn assigned_record(assigned: &Assigned) -> AssignedRecord {
    let Assigned { cluster, pulsar, revision, replicas, reserved } = *assigned;
    AssignedRecord { cluster: cluster.0, pulsar: pulsar.0, revision: revision.0, replicas, reserved }
}

fn parse_assigned(record: &AssignedRecord) -> Assigned {
    Assigned {
        cluster: ClusterId(record.cluster),
        pulsar: PulsarId(record.pulsar),
        revision: Revision(record.revision),
        replicas: record.replicas,
        reserved: record.reserved,
    }
}
