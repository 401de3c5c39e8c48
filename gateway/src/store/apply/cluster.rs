//! Clusters: what is known of them, and who is woken or driven away by it.

use std::sync::Arc;

use hashbrown::HashMap;
use isthmus_model::cluster::{Cluster, Declared, Health};
use isthmus_model::name::{ClusterName, Uid};
use isthmus_model::order::LogIndex;
use isthmus_model::policy::TaintEffect;
use isthmus_model::pulsar_cluster::PulsarCluster;
use isthmus_model::reason::Reason;
use isthmus_model::sealed::{SealedSecrets, SealingKeyId};

use super::component;
use crate::placement::{ClusterId, PulsarId, Refusals};
use crate::store::command::ClusterChange;
use crate::store::commit::Commit;
use crate::store::state::{ClusterState, Component, DesiredSet, Entry, Identity, Slot, State, Waiting};

pub(super) fn joined(
    state: &mut State,
    commit: &Commit,
    id: ClusterId,
    name: &ClusterName,
    change: &ClusterChange,
) {
    let ClusterChange::Join { token, certificate, renewal } = change else { return };
    let labels = state.join_tokens.get(token).map(|token| token.labels.clone()).unwrap_or_default();
    let cluster = Cluster {
        name: name.clone(),
        labels,
        taints: Vec::new(),
        cordoned: false,
        links: std::collections::BTreeMap::new(),
        default_pulsar: None,
        declared: Declared::default(),
        joined_at: commit.time,
        log_index: commit.index,
    };
    state.next_cluster = id.0 + 1;
    state.sites.put(id, Arc::new(cluster), Health::Disconnected);
    state.clusters.insert(
        id,
        ClusterState {
            name: name.clone(),
            desired: DesiredSet::default(),
            seen: HashMap::new(),
            identity: Identity::new(certificate.clone(), *renewal),
            confirmed: None,
            health_since: commit.time,
        },
    );
    use_up(state, commit, change);
    state.waiting.wake_all();
}

fn use_up(state: &mut State, commit: &Commit, change: &ClusterChange) {
    if let ClusterChange::Join { token, .. } = change
        && let Some(token) = state.join_tokens.get_mut(token)
    {
        token.used_at = Some(commit.time);
    }
}

pub(super) fn changed(state: &mut State, commit: &Commit, name: &ClusterName, change: &ClusterChange) {
    let Some(site) = state.sites.named(name) else { return };
    let (id, health) = (site.id, site.health);
    let mut cluster = Cluster::clone(&site.cluster);
    cluster.log_index = commit.index;
    match change {
        ClusterChange::Join { certificate, renewal, .. } => {
            identify(state, id, |identity| {
                identity.succeed(certificate.clone(), commit.time);
                identity.renewal = *renewal;
            });
            use_up(state, commit, change);
        }
        ClusterChange::Renew { certificate, renewal } => identify(state, id, |identity| {
            identity.succeed(certificate.clone(), commit.time);
            identity.renewal = renewal.unwrap_or(identity.renewal);
        }),
        ClusterChange::Declare(declared) => {
            let known = std::mem::replace(&mut cluster.declared, declared.clone());
            if known.sealing_key.is_some_and(|key| declared.sealing_key != Some(key)) {
                drive_away_sealed(state, id);
            }
            let key = |declared: &Declared| declared.sealing_key.map(|key| key.id());
            let (before, now) = (key(&known), key(declared));
            if before != now {
                let share = |key: Option<SealingKeyId>, sealed: &SealedSecrets| {
                    key.filter(|key| sealed.keys.contains_key(key))
                };
                look_another_way(state, id, commit.index, |component, entry| {
                    let version = component.version(entry.revision);
                    version
                        .and_then(|version| version.details.sealed.as_deref())
                        .is_some_and(|sealed| share(before, sealed) != share(now, sealed))
                });
            }
        }
        ClusterChange::Update { labels, taints } => {
            cluster.labels.clone_from(labels);
            let known = std::mem::replace(&mut cluster.taints, taints.clone());
            if known != *taints && taints.iter().any(|taint| taint.effect == TaintEffect::Evict) {
                drive_away(state, id);
            }
        }
        ClusterChange::Cordon => cluster.cordoned = true,
        ClusterChange::Uncordon => cluster.cordoned = false,
        ClusterChange::Link { pulsar, link, default } => {
            cluster.links.insert(pulsar.clone(), link.clone());
            if *default || cluster.default_pulsar.is_none() {
                cluster.default_pulsar = Some(pulsar.clone());
            }
        }
        ClusterChange::Unlink { pulsar } => {
            cluster.links.remove(pulsar);
            if cluster.default_pulsar.as_ref() == Some(pulsar) {
                cluster.default_pulsar = cluster.links.keys().next().cloned();
            }
        }
        ClusterChange::ConfirmDeletions { digest } => {
            if let Some(cluster) = state.clusters.get_mut(&id) {
                cluster.confirmed = Some(*digest);
            }
        }
        ClusterChange::Forget => return forget(state, commit, id),
        ClusterChange::Health(_) => {
            if let Some(cluster) = state.clusters.get_mut(&id) {
                cluster.health_since = commit.time;
            }
        }
    }
    let health = if let ClusterChange::Health(health) = change { *health } else { health };
    state.sites.put(id, Arc::new(cluster), health);
    if let ClusterChange::Link { .. } | ClusterChange::Unlink { .. } = change {
        see(state, id, commit.index);
    }
    state.waiting.wake(helped(change));
}

/// The reasons that a change may do away with. The spread counts in all clusters that may be used, so it may change with
/// each of them.
fn helped(change: &ClusterChange) -> &'static [Reason] {
    match change {
        ClusterChange::Declare(_) => &[
            Reason::MissingCapability,
            Reason::NotSealed,
            Reason::InsufficientCapacity,
            Reason::SpreadUnsatisfied,
        ],
        ClusterChange::Health(_) => &[Reason::Disconnected, Reason::SpreadUnsatisfied],
        ClusterChange::Update { .. } => {
            &[Reason::SelectorMismatch, Reason::UntoleratedTaint, Reason::SpreadUnsatisfied]
        }
        ClusterChange::Uncordon => &[Reason::Cordoned, Reason::SpreadUnsatisfied],
        ClusterChange::Link { .. } | ClusterChange::Unlink { .. } => {
            &[Reason::PulsarNotLinked, Reason::SpreadUnsatisfied]
        }
        ClusterChange::Join { .. }
        | ClusterChange::Renew { .. }
        | ClusterChange::Cordon
        | ClusterChange::ConfirmDeletions { .. }
        | ClusterChange::Forget => &[],
    }
}

fn identify(state: &mut State, id: ClusterId, change: impl FnOnce(&mut Identity)) {
    if let Some(cluster) = state.clusters.get_mut(&id) {
        change(&mut cluster.identity);
    }
}

fn drive_away(state: &mut State, id: ClusterId) {
    for (_, uid) in members(state, id) {
        state.waiting.drive(uid);
    }
}

/// What travels with secrets that the cluster cannot open any more cannot be started there again: it goes where it can be, if
/// there is such a place, and else stays.
fn drive_away_sealed(state: &mut State, id: ClusterId) {
    for (slot, uid) in members(state, id) {
        let component = state.components.get(slot);
        if component.is_some_and(|component| !component.current.demand.sealed_for.is_empty()) {
            state.waiting.drive(uid);
        }
    }
}

fn members(state: &State, id: ClusterId) -> Vec<(Slot, Uid)> {
    let Some(cluster) = state.clusters.get(&id) else { return Vec::new() };
    let all = cluster.desired.members();
    all.filter_map(|slot| Some((slot, state.components.get(slot)?.uid))).collect()
}

/// The PulsarClusters as seen from a cluster are made anew. Assignments that use one that looks another way now get a new
/// generation, since what their agent has is no longer right.
pub(crate) fn see(state: &mut State, id: ClusterId, index: LogIndex) {
    let Some(site) = state.sites.get(id) else { return };
    let seen: HashMap<PulsarId, Arc<PulsarCluster>> = site
        .cluster
        .links
        .iter()
        .filter_map(|(name, link)| {
            let (pulsar, cluster) = state.pulsar.get(name)?;
            let mut cluster = PulsarCluster::clone(cluster);
            if let Some(url) = &link.service_url {
                cluster.service_url.clone_from(url);
            }
            if let Some(url) = &link.admin_url {
                cluster.admin_url.clone_from(url);
            }
            Some((*pulsar, Arc::new(cluster)))
        })
        .collect();
    let Some(cluster) = state.clusters.get_mut(&id) else { return };
    let before = std::mem::replace(&mut cluster.seen, seen);
    let cluster = &*cluster;
    let differs =
        |pulsar: &PulsarId| before.get(pulsar).is_some_and(|old| cluster.seen.get(pulsar) != Some(old));
    let changed: Vec<PulsarId> = before.keys().copied().filter(differs).collect();
    if changed.is_empty() {
        return;
    }
    look_another_way(state, id, index, |_, entry| changed.contains(&entry.pulsar));
}

/// The assignments of a cluster for which this holds look another way now. They get a new generation, since what their agent has is
/// no longer right.
fn look_another_way(
    state: &mut State,
    id: ClusterId,
    index: LogIndex,
    differs: impl Fn(&Component, &Entry) -> bool,
) {
    let now = state.time;
    for (slot, uid) in members(state, id) {
        let Some(component) = state.components.get_mut(slot) else { continue };
        let Some(position) = component.entries.iter().position(|entry| entry.cluster == id) else { continue };
        if !component.entries.get(position).is_some_and(|entry| differs(component, entry)) {
            continue;
        }
        let Some(entry) = component.entries.get_mut(position) else { continue };
        let held = std::mem::replace(&mut entry.generation, index.into());
        entry.since = now;
        component.changed = index;
        if let Some(cluster) = state.clusters.get_mut(&id) {
            cluster.desired.upsert(slot, uid, Some(held), index.into());
        }
        state.touch(id);
    }
}

/// What ran there counts as stopped. What shall run still is planned again.
fn forget(state: &mut State, commit: &Commit, id: ClusterId) {
    let Some(cluster) = state.clusters.get(&id) else { return };
    let slots: Vec<Slot> = cluster.desired.members().chain(cluster.desired.removals()).collect();
    for slot in slots {
        let Some(uid) = state.components.get(slot).map(|component| component.uid) else { continue };
        component::change(state, commit, uid, |state, slot| {
            component::drop_entry(state, slot, id);
            let Some(component) = state.components.get_mut(slot).filter(|component| !component.terminating())
            else {
                return;
            };
            component.changed = commit.index;
            let waiting = component.waiting.get_or_insert_with(|| {
                Box::new(Waiting { since: commit.index, refusals: Refusals::default() })
            });
            let waiting = **waiting;
            state.waiting.insert(uid, waiting);
            state.waiting.wake_one(uid, waiting);
        });
    }
    state.clusters.remove(&id);
    state.sites.remove(id);
}
