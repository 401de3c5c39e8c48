//! Components and their assignments.

use std::sync::Arc;

use isthmus_model::name::Uid;
use isthmus_model::order::Revision;

use crate::placement::{ClusterId, Refusals};
use crate::store::command::Write;
use crate::store::commit::{Assigned, Commit};
use crate::store::quota::Usage;
use crate::store::state::{CAPACITY, Component, Details, Entry, Slot, State, Version, Waiting};

pub(super) fn create(state: &mut State, commit: &Commit, write: &Write) {
    let current = version(state, commit, write, Revision(1));
    let namespace = state.namespaces.intern(&write.name.tenant, &write.name.namespace);
    let component = Component {
        uid: write.uid,
        name: write.name.name.clone(),
        namespace,
        kind: write.kind,
        created: commit.time,
        turns: None,
        changed: commit.index,
        current,
        older: None,
        entries: Box::default(),
        waiting: None,
    };
    let usage = component.usage();
    let slot = state.components.insert(component);
    state.namespaces.insert(namespace, write.name.name.clone(), slot);
    state.namespaces.account(namespace, Usage::default(), usage);
}

pub(super) fn update(state: &mut State, commit: &Commit, write: &Write, uid: Uid, revision: Revision) {
    let version = version(state, commit, write, revision);
    change(state, commit, uid, |state, slot| {
        let Some(component) = state.components.get_mut(slot) else { return };
        component.changed = commit.index;
        let dropped = component.advance(version);
        release(state, &dropped);
    });
}

fn version(state: &mut State, commit: &Commit, write: &Write, revision: Revision) -> Version {
    state.packages.hold(&write.packages);
    let details = Details {
        labels: write.labels.clone(),
        packages: write.packages.clone(),
        sealed: write.sealed.clone(),
    };
    Version {
        revision,
        spec: write.spec.clone(),
        demand: state.demands.intern(write.demand.clone()),
        details: state.details.intern(Arc::new(details)),
        log_index: commit.index,
        time: commit.time,
    }
}

fn release<'v>(state: &mut State, versions: impl IntoIterator<Item = &'v Version>) {
    for version in versions {
        state.packages.release(&version.details.packages);
    }
}

pub(super) fn place(
    state: &mut State,
    commit: &Commit,
    uid: Uid,
    assigned: &[Assigned],
    removed: &[ClusterId],
    waits: Option<Refusals>,
) {
    change(state, commit, uid, |state, slot| {
        let Some(component) = state.components.get_mut(slot) else { return };
        component.changed = commit.index;
        let waited = component.waiting.as_deref().copied();
        let waiting = waits
            .map(|refusals| Waiting { since: waited.map_or(commit.index, |waited| waited.since), refusals });
        component.waiting = waiting.map(Box::new);
        if let Some(waited) = waited {
            state.waiting.remove(uid, waited);
        }
        if let Some(waiting) = waiting {
            state.waiting.insert(uid, waiting);
        }
        // Removals first: their room is not given back before they stopped, but their sessions should hear of them first.
        for cluster in removed {
            remove(state, commit, slot, *cluster);
        }
        for share in assigned {
            assign(state, commit, slot, share);
        }
        let dropped = state.components.get_mut(slot).map(Component::prune).unwrap_or_default();
        release(state, &dropped);
    });
}

fn assign(state: &mut State, commit: &Commit, slot: Slot, share: &Assigned) {
    let Some(component) = state.components.get_mut(slot) else { return };
    let uid = component.uid;
    let Some(demand) = component.version(share.revision).map(|version| version.demand.clone()) else {
        return;
    };
    let amount = demand.each.times(share.reserved);
    let entry = Entry {
        cluster: share.cluster,
        pulsar: share.pulsar,
        replicas: share.replicas,
        reserved: share.reserved,
        generation: commit.index.into(),
        revision: share.revision,
        since: commit.time,
        demand,
        removed: false,
    };
    let needs = component.details(&entry);
    let old = component.set_entry(share.cluster, Some(entry));
    let needed = old.as_ref().filter(|old| !old.removed).and_then(|old| component.details(old));
    if let Some(old) = &old {
        state.sites.release(share.cluster, old.demand.each.times(old.reserved));
        state.waiting.wake(CAPACITY);
    }
    state.sites.reserve(share.cluster, amount);
    if let Some(cluster) = state.clusters.get_mut(&share.cluster) {
        let held = old.filter(|old| !old.removed).map(|old| old.generation);
        cluster.desired.upsert(slot, uid, held, commit.index.into());
        cluster.desired.hold(needs.as_deref());
        cluster.desired.release(needed.as_deref());
        state.touch(share.cluster);
    }
}

/// An assignment becomes a removal. What it reserved stays reserved until it stopped.
fn remove(state: &mut State, commit: &Commit, slot: Slot, id: ClusterId) {
    let Some(component) = state.components.get_mut(slot) else { return };
    let uid = component.uid;
    let Some(entry) = component.entries.iter_mut().find(|entry| entry.cluster == id && !entry.removed) else {
        return;
    };
    entry.removed = true;
    entry.since = commit.time;
    let held = std::mem::replace(&mut entry.generation, commit.index.into());
    let needed = component.entry(id).and_then(|entry| component.details(entry));
    if let Some(cluster) = state.clusters.get_mut(&id) {
        cluster.desired.remove(slot, uid, Some(held));
        cluster.desired.release(needed.as_deref());
        state.touch(id);
    }
}

pub(super) fn terminate(state: &mut State, commit: &Commit, uid: Uid) {
    change(state, commit, uid, |state, slot| {
        let Some(component) = state.components.get_mut(slot) else { return };
        component.changed = commit.index;
        component.turn(|turns| turns.deleted = Some(commit.time));
        let clusters: Vec<ClusterId> = component.live().map(|entry| entry.cluster).collect();
        if let Some(waited) = component.waiting.take() {
            state.waiting.remove(uid, *waited);
        }
        state.waiting.forget(uid);
        for cluster in clusters {
            remove(state, commit, slot, cluster);
        }
    });
}

pub(super) fn stopped(state: &mut State, commit: &Commit, uid: Uid, cluster: ClusterId) {
    change(state, commit, uid, |state, slot| {
        drop_entry(state, slot, cluster);
        if let Some(component) = state.components.get_mut(slot) {
            component.changed = commit.index;
        }
    });
}

/// Nothing of it is there any more: its room is free.
pub(super) fn drop_entry(state: &mut State, slot: Slot, id: ClusterId) {
    let Some(component) = state.components.get_mut(slot) else { return };
    let Some(old) = component.set_entry(id, None) else { return };
    let dropped = component.prune();
    release(state, &dropped);
    state.sites.release(id, old.demand.each.times(old.reserved));
    if let Some(cluster) = state.clusters.get_mut(&id) {
        cluster.desired.forget(slot);
    }
    state.waiting.wake(CAPACITY);
}

pub(super) fn gone(state: &mut State, uid: Uid) {
    let Some(slot) = state.components.find(uid) else { return };
    let Some(component) = state.components.remove(slot) else { return };
    state.namespaces.account(component.namespace, component.usage(), Usage::default());
    state.namespaces.remove(component.namespace, &component.name);
    if let Some(waited) = &component.waiting {
        state.waiting.remove(uid, **waited);
    }
    state.waiting.forget(uid);
    state.waiting.wake(CAPACITY);
    let older = component.older.iter().flat_map(|older| older.iter());
    release(state, older.chain([&component.current]));
}

/// Changes a component, notes when it was placed or lost its last place, and keeps the account of what its namespace uses.
pub(super) fn change(state: &mut State, commit: &Commit, uid: Uid, change: impl FnOnce(&mut State, Slot)) {
    let Some(slot) = state.components.find(uid) else { return };
    let Some(component) = state.components.get(slot) else { return };
    let (before, was_placed) = (component.usage(), !component.entries.is_empty());
    change(state, slot);
    if let Some(component) = state.components.get_mut(slot) {
        if was_placed == component.entries.is_empty() {
            component.turn(|turns| turns.placed = commit.time);
        }
        let after = component.usage();
        if after != before {
            state.namespaces.account(component.namespace, before, after);
        }
    }
}
