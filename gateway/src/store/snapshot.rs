//! The state at one LogIndex as a stream of bytes, taken without stopping the writer for long.
//!
//! Taking it clones the small records under the read lock (specs are shared, not cloned) and encodes them afterwards: some
//! hundred nanoseconds of the writer's time for each component, and no second form of the state to keep in step.

mod cold;
mod component;
mod frame;

use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use isthmus_model::order::{Epoch, LogIndex, Revision, UnixMillis};
use prost::{Message, Oneof};

use super::command::RequestId;
use super::commit::{Change, Outcome, Request};
use super::record::{
    BadField, DemandRecord, LabelRecord, array, parse_sealed, parse_uid, sealed_bytes, uid_bytes,
};
use super::state::{Component, Details, State};
use crate::placement::Demand;
use cold::Cold;
use component::ComponentRecord;
use frame::{FrameReader, FrameWriter};

/// Why a snapshot could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read it: {0}")]
    Read(#[source] io::Error),
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it has a part of an unknown shape: {0}")]
    Shape(#[source] prost::DecodeError),
    #[error("it has a {field} that cannot be: {what}")]
    Field { field: &'static str, what: String },
}

impl From<BadField> for Error {
    fn from(BadField { field, what }: BadField) -> Self {
        Self::Field { field, what }
    }
}

/// The state at one LogIndex, cloned as far as it must be.
pub(crate) struct Image {
    header: HeaderRecord,
    cold: Cold,
    namespaces: Vec<NamespaceRecord>,
    components: Vec<Held>,
    requests: Vec<RequestRecord>,
}

/// One component with what the state knows of it elsewhere.
struct Held {
    component: Component,
    woken: bool,
    driven: bool,
}

#[derive(Clone, PartialEq, Message)]
struct ItemRecord {
    #[prost(oneof = "Item", tags = "1, 2, 3, 4, 5, 6, 7")]
    item: Option<Item>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Item {
    #[prost(message, tag = "1")]
    Header(HeaderRecord),
    /// JSON of [`Cold`].
    #[prost(bytes = "bytes", tag = "2")]
    Cold(Bytes),
    #[prost(message, tag = "3")]
    Namespace(NamespaceRecord),
    #[prost(message, tag = "4")]
    Demand(DemandRecord),
    #[prost(message, tag = "5")]
    Details(DetailsRecord),
    #[prost(message, tag = "6")]
    Component(ComponentRecord),
    #[prost(message, tag = "7")]
    Request(RequestRecord),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
struct HeaderRecord {
    #[prost(uint64, tag = "1")]
    applied: u64,
    #[prost(uint64, tag = "2")]
    epoch: u64,
    #[prost(uint64, tag = "3")]
    time: u64,
}

/// The n-th of them is the namespace with the number n.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
struct NamespaceRecord {
    #[prost(string, tag = "1")]
    tenant: String,
    #[prost(string, tag = "2")]
    namespace: String,
}

/// The n-th of them is what versions name by the number n; demands alike.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
struct DetailsRecord {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<LabelRecord>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    packages: Vec<Bytes>,
    #[prost(bytes = "bytes", tag = "3")]
    sealed: Bytes,
}

#[derive(Clone, PartialEq, Eq, Hash, Message)]
struct RequestRecord {
    #[prost(bytes = "bytes", tag = "1")]
    id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    content: Bytes,
    #[prost(uint64, tag = "3")]
    index: u64,
    /// 0 done, 1 created, 2 updated, 3 deleted.
    #[prost(uint32, tag = "4")]
    change: u32,
    #[prost(bytes = "bytes", tag = "5")]
    uid: Bytes,
    #[prost(uint64, tag = "6")]
    revision: u64,
}

impl Image {
    /// Clones what there is.
    pub(crate) fn capture(state: &State) -> Self {
        let driven: std::collections::BTreeSet<_> = state.waiting.driven().collect();
        let held = |component: &Component| Held {
            woken: component
                .waiting
                .as_deref()
                .is_some_and(|waiting| state.waiting.is_woken(component.uid, *waiting)),
            driven: !driven.is_empty() && driven.contains(&component.uid),
            component: component.clone(),
        };
        let mut components = Vec::with_capacity(state.components.len());
        components.extend(state.components.iter().map(|(_, component)| held(component)));
        Self {
            header: HeaderRecord { applied: state.applied.0, epoch: state.epoch.0, time: state.time.0 },
            cold: Cold::capture(state),
            namespaces: state
                .namespaces
                .iter()
                .map(|entry| NamespaceRecord {
                    tenant: entry.tenant.to_string(),
                    namespace: entry.namespace.to_string(),
                })
                .collect(),
            components,
            requests: state.requests.iter().map(request_record).collect(),
        }
    }

    /// The LogIndex that it includes.
    pub(crate) fn applied(&self) -> LogIndex {
        LogIndex(self.header.applied)
    }

    /// Writes it; returns how many bytes that were.
    pub(crate) fn write(&self, to: &mut dyn Write) -> io::Result<u64> {
        let mut frames = FrameWriter::new(to);
        let mut put = |item| frames.put(&ItemRecord { item: Some(item) }.encode_to_vec());
        put(Item::Header(self.header))?;
        // Before anything that names one, quotas included, since their order is their numbers.
        for namespace in &self.namespaces {
            put(Item::Namespace(namespace.clone()))?;
        }
        put(Item::Cold(self.cold.to_json()?))?;
        let mut demands: HashMap<*const Demand, u32> = HashMap::new();
        let mut details: HashMap<*const Details, u32> = HashMap::new();
        for Held { component, woken, driven } in &self.components {
            for version in component.older.iter().flat_map(|older| older.iter()).chain([&component.current]) {
                let next = number(demands.len());
                if let hashbrown::hash_map::Entry::Vacant(entry) = demands.entry(Arc::as_ptr(&version.demand))
                {
                    entry.insert(next);
                    put(Item::Demand(DemandRecord::new(&version.demand)))?;
                }
                let next = number(details.len());
                if let hashbrown::hash_map::Entry::Vacant(entry) =
                    details.entry(Arc::as_ptr(&version.details))
                {
                    entry.insert(next);
                    put(Item::Details(details_record(&version.details)))?;
                }
            }
            let numbers = |version: &super::state::Version| {
                (
                    demands.get(&Arc::as_ptr(&version.demand)).copied().unwrap_or(u32::MAX),
                    details.get(&Arc::as_ptr(&version.details)).copied().unwrap_or(u32::MAX),
                )
            };
            put(Item::Component(ComponentRecord::new(component, *woken, *driven, numbers)))?;
        }
        for request in &self.requests {
            put(Item::Request(request.clone()))?;
        }
        frames.finish()
    }
}

/// Reads what [`Image::write`] wrote.
pub(crate) fn read(from: &mut dyn Read) -> Result<State, Error> {
    let mut frames = FrameReader::new(from);
    let mut state = State::default();
    let mut tables = Tables::default();
    while let Some(frame) = frames.next()? {
        let record = ItemRecord::decode(frame).map_err(Error::Shape)?;
        let item = record.item.ok_or_else(|| BadField::new("item", "of a later version"))?;
        match item {
            Item::Header(header) => {
                state.applied = LogIndex(header.applied);
                state.epoch = Epoch(header.epoch);
                state.time = UnixMillis(header.time);
            }
            Item::Cold(bytes) => Cold::from_json(&bytes)?.restore(&mut state),
            Item::Namespace(NamespaceRecord { tenant, namespace }) => {
                let bad = |invalid| BadField::new("namespace", invalid);
                state.namespaces.intern(&tenant.parse().map_err(bad)?, &namespace.parse().map_err(bad)?);
            }
            Item::Demand(record) => {
                let demand = state.demands.intern(Arc::new(record.parse()?));
                tables.demands.push(demand);
            }
            Item::Details(record) => {
                let details = state.details.intern(Arc::new(parse_details(record)?));
                tables.details.push(details);
            }
            Item::Component(record) => record.restore(&mut state, &tables)?,
            Item::Request(record) => {
                let (request, outcome) = parse_request(&record)?;
                state.requests.insert(request, outcome);
            }
        }
    }
    state.touched.clear();
    Ok(state)
}

/// What versions name by number.
#[derive(Default)]
struct Tables {
    demands: Vec<Arc<Demand>>,
    details: Vec<Arc<Details>>,
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn details_record(details: &Details) -> DetailsRecord {
    DetailsRecord {
        labels: LabelRecord::all(&details.labels),
        packages: details.packages.iter().map(|digest| Bytes::copy_from_slice(&digest.0)).collect(),
        sealed: sealed_bytes(details.sealed.as_deref()),
    }
}

fn parse_details(record: DetailsRecord) -> Result<Details, BadField> {
    let package = |bytes: &Bytes| array("package", bytes).map(isthmus_model::name::Digest);
    Ok(Details {
        labels: LabelRecord::parse_all(record.labels)?,
        packages: record.packages.iter().map(package).collect::<Result<_, _>>()?,
        sealed: parse_sealed(&record.sealed)?,
    })
}

fn request_record((request, outcome): (Request, Outcome)) -> RequestRecord {
    let (change, uid, revision) = match outcome.change {
        // The last two are never remembered, since nothing was written.
        Change::Done | Change::Nothing | Change::Unchanged { .. } => (0, Bytes::new(), 0),
        Change::Created { uid } => (1, uid_bytes(uid), 1),
        Change::Updated { uid, revision } => (2, uid_bytes(uid), revision.0),
        Change::Deleted { uid } => (3, uid_bytes(uid), 0),
    };
    RequestRecord {
        id: Bytes::copy_from_slice(&request.id.0),
        content: Bytes::copy_from_slice(&request.content),
        index: outcome.index.0,
        change,
        uid,
        revision,
    }
}

fn parse_request(record: &RequestRecord) -> Result<(Request, Outcome), BadField> {
    let request = Request {
        id: RequestId(array("request id", &record.id)?),
        content: array("request content", &record.content)?,
    };
    let change = match record.change {
        0 => Change::Done,
        1 => Change::Created { uid: parse_uid(&record.uid)? },
        2 => Change::Updated { uid: parse_uid(&record.uid)?, revision: Revision(record.revision) },
        3 => Change::Deleted { uid: parse_uid(&record.uid)? },
        other => return Err(BadField::new("change", other)),
    };
    Ok((request, Outcome { index: LogIndex(record.index), change }))
}
