//! Of the snapshot: one component.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use isthmus_model::name::ComponentName;
use isthmus_model::order::{Generation, LogIndex, Revision, UnixMillis};
use prost::Message;

use super::{Error, Tables};
use crate::placement::{ClusterId, PulsarId, Refusals};
use crate::store::quota::Usage;
use crate::store::record::{BadField, kind_number, parse_kind, parse_uid, uid_bytes};
use crate::store::state::{Component, Entry, NamespaceId, State, Version, Waiting};

#[derive(Clone, PartialEq, Message)]
pub(super) struct ComponentRecord {
    #[prost(bytes = "bytes", tag = "1")]
    uid: Bytes,
    #[prost(uint32, tag = "2")]
    namespace: u32,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(uint32, tag = "4")]
    kind: u32,
    /// When its deletion was asked for.
    #[prost(uint64, optional, tag = "5")]
    deleted: Option<u64>,
    #[prost(uint64, tag = "6")]
    created: u64,
    #[prost(uint64, tag = "7")]
    changed: u64,
    /// Oldest first; the last is the current one.
    #[prost(message, repeated, tag = "8")]
    versions: Vec<VersionRecord>,
    #[prost(message, repeated, tag = "9")]
    entries: Vec<EntryRecord>,
    #[prost(message, optional, tag = "10")]
    waiting: Option<WaitingRecord>,
    /// A taint drives it away from where it is.
    #[prost(bool, tag = "11")]
    driven: bool,
    /// When it went from placed to placed nowhere, or back, if it did since it was created.
    #[prost(uint64, optional, tag = "12")]
    placement_turned: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct VersionRecord {
    #[prost(uint64, tag = "1")]
    revision: u64,
    #[prost(bytes = "bytes", tag = "2")]
    spec: Bytes,
    #[prost(uint32, tag = "3")]
    demand: u32,
    #[prost(uint32, tag = "4")]
    details: u32,
    #[prost(uint64, tag = "5")]
    log_index: u64,
    #[prost(uint64, tag = "6")]
    time: u64,
}

#[derive(Clone, PartialEq, Message)]
struct EntryRecord {
    #[prost(uint32, tag = "1")]
    cluster: u32,
    #[prost(uint32, tag = "2")]
    pulsar: u32,
    #[prost(uint32, tag = "3")]
    replicas: u32,
    #[prost(uint32, tag = "4")]
    reserved: u32,
    #[prost(uint64, tag = "5")]
    generation: u64,
    #[prost(uint64, tag = "6")]
    revision: u64,
    #[prost(bool, tag = "7")]
    removed: bool,
    #[prost(uint64, tag = "8")]
    since: u64,
}

#[derive(Clone, PartialEq, Message)]
struct WaitingRecord {
    #[prost(uint64, tag = "1")]
    since: u64,
    #[prost(uint32, tag = "2")]
    refusals: u32,
    #[prost(bool, tag = "3")]
    woken: bool,
}

impl ComponentRecord {
    pub(super) fn new(
        component: &Component,
        woken: bool,
        driven: bool,
        numbers: impl Fn(&Version) -> (u32, u32),
    ) -> Self {
        let version = |version: &Version| {
            let (demand, details) = numbers(version);
            VersionRecord {
                revision: version.revision.0,
                spec: Bytes::from_owner(version.spec.clone()),
                demand,
                details,
                log_index: version.log_index.0,
                time: version.time.0,
            }
        };
        let entry = |entry: &Entry| EntryRecord {
            cluster: entry.cluster.0,
            pulsar: entry.pulsar.0,
            replicas: entry.replicas,
            reserved: entry.reserved,
            generation: entry.generation.0,
            revision: entry.revision.0,
            removed: entry.removed,
            since: entry.since.0,
        };
        let older = component.older.iter().flat_map(|older| older.iter());
        Self {
            uid: uid_bytes(component.uid),
            namespace: component.namespace.0,
            name: component.name.to_string(),
            kind: kind_number(component.kind),
            deleted: component.turns().deleted.map(|at| at.0),
            created: component.created.0,
            changed: component.changed.0,
            versions: older.chain([&component.current]).map(version).collect(),
            entries: component.entries.iter().map(entry).collect(),
            waiting: component.waiting.as_ref().map(|waiting| WaitingRecord {
                since: waiting.since.0,
                refusals: waiting.refusals.bits(),
                woken,
            }),
            driven,
            placement_turned: component.turns.as_ref().map(|turns| turns.placed.0),
        }
    }

    pub(super) fn restore(self, state: &mut State, tables: &Tables) -> Result<(), Error> {
        let mut versions: VecDeque<Version> =
            self.versions.into_iter().map(|version| version.parse(tables)).collect::<Result<_, _>>()?;
        let current = versions.pop_back().ok_or_else(|| BadField::new("component", "without a version"))?;
        let uid = parse_uid(&self.uid)?;
        let namespace = NamespaceId(self.namespace);
        let name = ComponentName::new(&self.name).map_err(|invalid| BadField::new("name", invalid))?;
        let waiting = self.waiting.as_ref().map(|waiting| Waiting {
            since: LogIndex(waiting.since),
            refusals: Refusals::from_bits(waiting.refusals),
        });
        let mut component = Component {
            uid,
            name: name.clone(),
            namespace,
            kind: parse_kind(self.kind)?,
            created: UnixMillis(self.created),
            turns: None,
            changed: LogIndex(self.changed),
            current,
            older: if versions.is_empty() { None } else { Some(Box::new(versions)) },
            entries: Box::default(),
            waiting: waiting.map(Box::new),
        };
        component.turn(|turns| {
            turns.deleted = self.deleted.map(UnixMillis);
            turns.placed = self.placement_turned.map_or(turns.placed, UnixMillis);
        });
        let entries: Result<Box<[Entry]>, BadField> =
            self.entries.into_iter().map(|entry| entry.parse(&component)).collect();
        component.entries = entries?;
        if let Some(waiting) = waiting {
            state.waiting.insert(uid, waiting);
            if self.waiting.is_some_and(|waiting| waiting.woken) {
                state.waiting.wake_one(uid, waiting);
            }
        }
        if self.driven {
            state.waiting.drive(uid);
        }
        for version in component.older.iter().flat_map(|older| older.iter()).chain([&component.current]) {
            state.packages.hold(&version.details.packages);
        }
        let usage = component.usage();
        let slot = state.components.insert(component);
        state.namespaces.insert(namespace, name, slot);
        state.namespaces.account(namespace, Usage::default(), usage);
        let entries =
            state.components.get(slot).map(|component| component.entries.as_ref()).unwrap_or_default();
        for entry in entries {
            state.sites.reserve(entry.cluster, entry.demand.each.times(entry.reserved));
            let Some(cluster) = state.clusters.get_mut(&entry.cluster) else { continue };
            if entry.removed {
                cluster.desired.load_removal(slot);
                continue;
            }
            cluster.desired.load_upsert(slot, uid, None, entry.generation);
            let needs = state.components.get(slot).and_then(|component| component.details(entry));
            cluster.desired.hold(needs.as_deref());
        }
        Ok(())
    }
}

impl VersionRecord {
    fn parse(self, tables: &Tables) -> Result<Version, BadField> {
        let demand = tables.demands.get(self.demand as usize).cloned();
        let details = tables.details.get(self.details as usize).cloned();
        Ok(Version {
            revision: Revision(self.revision),
            spec: Arc::from(self.spec.as_ref()),
            demand: demand.ok_or_else(|| BadField::new("demand", self.demand))?,
            details: details.ok_or_else(|| BadField::new("details", self.details))?,
            log_index: LogIndex(self.log_index),
            time: UnixMillis(self.time),
        })
    }
}

impl EntryRecord {
    fn parse(self, component: &Component) -> Result<Entry, BadField> {
        let revision = Revision(self.revision);
        let version = component.version(revision).ok_or_else(|| BadField::new("revision", revision))?;
        Ok(Entry {
            cluster: ClusterId(self.cluster),
            pulsar: PulsarId(self.pulsar),
            replicas: self.replicas,
            reserved: self.reserved,
            generation: Generation(self.generation),
            revision,
            since: UnixMillis(self.since),
            demand: version.demand.clone(),
            removed: self.removed,
        })
    }
}
