//! One component as the gateway holds it: compact, because there are many.

use std::collections::VecDeque;
use std::sync::Arc;

use isthmus_model::component::ComponentKind;
use isthmus_model::name::{ComponentName, Digest, Labels, Uid};
use isthmus_model::order::{Generation, LogIndex, Revision, UnixMillis};
use isthmus_model::resources::Capacity;
use isthmus_model::sealed::SealedSecrets;

use super::namespaces::NamespaceId;
use crate::placement::Refusals;
use crate::placement::{ClusterId, Current, Demand, PulsarId};
use crate::store::quota::Usage;

/// Revisions that are kept of each component, the current one included; those that some cluster still runs are kept beyond it.
pub const KEPT_REVISIONS: usize = 10;

/// Where a component lies in memory. Another may lie there after it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(pub(crate) u32);

/// One immutable spec of a component.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its number.
    pub revision: Revision,
    /// The admitted component in the wire's encoding.
    pub spec: Arc<[u8]>,
    /// What placement needs to know of it.
    pub demand: Arc<Demand>,
    /// What else is known of it outside the spec.
    pub details: Arc<Details>,
    /// The commit that brought it.
    pub log_index: LogIndex,
    /// When.
    pub time: UnixMillis,
}

/// What is known of a spec without decoding it. Many components share one copy.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Details {
    /// Labels, for selecting.
    pub labels: Labels,
    /// Packages that it needs.
    pub packages: Vec<Digest>,
    /// Secrets that travel with it. Here, because a version without any then takes no room for them.
    pub sealed: Option<Arc<SealedSecrets>>,
}

/// What a cluster was told of a component.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) cluster: ClusterId,
    pub(crate) pulsar: PulsarId,
    pub(crate) replicas: u32,
    pub(crate) reserved: u32,
    pub(crate) generation: Generation,
    pub(crate) revision: Revision,
    /// When it was last told.
    pub(crate) since: UnixMillis,
    /// Of the revision: what a reserved instance takes.
    pub(crate) demand: Arc<Demand>,
    /// It shall run there no more, and the cluster has not said yet that it stopped.
    pub(crate) removed: bool,
}

/// Why a component is planned again when something changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// The commit since which it waits: who waits longer is planned first.
    pub(crate) since: LogIndex,
    /// What kept it from other clusters.
    pub(crate) refusals: Refusals,
}

/// When a component last turned from one state into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turns {
    /// When its deletion was asked for.
    pub(crate) deleted: Option<UnixMillis>,
    /// When it went from placed to placed nowhere, or back.
    pub(crate) placed: UnixMillis,
}

#[derive(Debug, Clone)]
pub(crate) struct Component {
    pub(crate) uid: Uid,
    pub(crate) name: ComponentName,
    pub(crate) namespace: NamespaceId,
    pub(crate) kind: ComponentKind,
    pub(crate) created: UnixMillis,
    /// `None` while it has stood as it was created; boxed because that holds for most.
    pub(crate) turns: Option<Box<Turns>>,
    /// The commit that last changed anything of it.
    pub(crate) changed: LogIndex,
    pub(crate) current: Version,
    /// Older revisions, oldest first; boxed because most components have none.
    #[expect(clippy::box_collection, reason = "8 bytes in each of very many components instead of 32")]
    pub(crate) older: Option<Box<VecDeque<Version>>>,
    pub(crate) entries: Box<[Entry]>,
    pub(crate) waiting: Option<Box<Waiting>>,
}

impl Component {
    /// When it last turned; at its creation it was placed, or not.
    pub(crate) fn turns(&self) -> Turns {
        self.turns.as_deref().copied().unwrap_or(Turns { deleted: None, placed: self.created })
    }

    /// Whether it is being deleted.
    pub(crate) fn terminating(&self) -> bool {
        self.turns.as_ref().is_some_and(|turns| turns.deleted.is_some())
    }

    /// Notes a turn.
    pub(crate) fn turn(&mut self, turn: impl FnOnce(&mut Turns)) {
        let before = self.turns();
        let mut after = before;
        turn(&mut after);
        if after != before {
            self.turns = Some(Box::new(after));
        }
    }

    /// The spec of a kept revision.
    pub(crate) fn version(&self, revision: Revision) -> Option<&Version> {
        if revision == self.current.revision {
            return Some(&self.current);
        }
        self.older.as_ref()?.iter().find(|version| version.revision == revision)
    }

    /// What is known of the spec that an entry is for, for the packages that it needs.
    pub(crate) fn details(&self, entry: &Entry) -> Option<Arc<Details>> {
        self.version(entry.revision).map(|version| version.details.clone())
    }

    pub(crate) fn entry(&self, cluster: ClusterId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.cluster == cluster)
    }

    /// What shall run, removals left out.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.removed)
    }

    /// What it has, as placement sees it.
    pub(crate) fn currents(&self) -> Vec<Current> {
        let current = |entry: &Entry| Current {
            cluster: entry.cluster,
            replicas: entry.replicas,
            reserved: entry.reserved,
            each: entry.demand.each,
            leaving: entry.removed,
        };
        self.entries.iter().map(current).collect()
    }

    /// What it counts for in quotas: what runs, or what it asks for while nothing does.
    pub(crate) fn usage(&self) -> Usage {
        let mut live = self.live().peekable();
        let amounts = if self.terminating() {
            Capacity::default()
        } else if live.peek().is_none() {
            self.current.demand.each.times(self.current.demand.reserved())
        } else {
            live.fold(Capacity::default(), |sum, entry| sum.plus(entry.demand.each.times(entry.reserved)))
        };
        Usage { components: 1, amounts }
    }

    /// Makes `version` the current one and returns those that are no longer kept.
    pub(crate) fn advance(&mut self, version: Version) -> Vec<Version> {
        let previous = std::mem::replace(&mut self.current, version);
        let older = self.older.get_or_insert_default();
        older.push_back(previous);
        self.prune()
    }

    /// Drops revisions that are neither among the newest nor run anywhere, and returns them.
    pub(crate) fn prune(&mut self) -> Vec<Version> {
        let Some(older) = &mut self.older else { return Vec::new() };
        let mut dropped = Vec::new();
        let surplus = (older.len() + 1).saturating_sub(KEPT_REVISIONS);
        for _ in 0..surplus {
            let entries = &self.entries;
            let used = |version: &Version| entries.iter().any(|entry| entry.revision == version.revision);
            match older.iter().position(|version| !used(version)).and_then(|at| older.remove(at)) {
                Some(version) => dropped.push(version),
                None => break,
            }
        }
        dropped
    }

    /// Replaces the entry of a cluster, or takes it out, and returns what was there.
    pub(crate) fn set_entry(&mut self, cluster: ClusterId, entry: Option<Entry>) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.cluster == cluster);
        if let (Some(old), Some(_)) = (at.and_then(|at| self.entries.get_mut(at)), &entry) {
            return entry.map(|entry| std::mem::replace(old, entry));
        }
        // A box of exactly the entries there are: most components have one, and a Vec would keep room for four.
        let mut entries = std::mem::take(&mut self.entries).into_vec();
        let old = at.map(|at| entries.remove(at));
        if let Some(entry) = entry {
            entries.reserve_exact(1);
            entries.push(entry);
        }
        self.entries = entries.into_boxed_slice();
        old
    }
}
