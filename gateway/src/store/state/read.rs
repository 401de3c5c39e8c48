//! What may be read of the state. Views borrow; what outlives the lock is cloned by whoever needs it.

use std::sync::Arc;

use isthmus_model::access::{Binding, Scope};
use isthmus_model::assignment::{Assignment, Removal};
use isthmus_model::cluster::{Cluster, Health};
use isthmus_model::component::ComponentKind;
use isthmus_model::name::{ClusterName, Digest, FullName, Namespace, PulsarClusterName, Tenant, Uid};
use isthmus_model::order::{Generation, LogIndex, Revision, SetGeneration, UnixMillis};
use isthmus_model::pulsar_cluster::PulsarCluster;
use isthmus_model::set_digest::SetDigest;

use super::{ClusterState, Component, Entry, Identity, NamespaceEntry, Slot, State, Version};
use crate::placement::{ClusterId, Current, Refusals, Site};
use crate::store::command::{ApiToken, JoinToken, Package, SecretHash};
use crate::store::commit::Effect;
use crate::store::quota::{Quota, Usage};

/// One component.
#[derive(Debug, Clone, Copy)]
pub struct ComponentView<'s> {
    state: &'s State,
    component: &'s Component,
    namespace: &'s NamespaceEntry,
}

/// One component in one cluster.
#[derive(Debug, Clone, Copy)]
pub struct AssignmentView<'s> {
    entry: &'s Entry,
    cluster: &'s ClusterState,
}

/// One cluster.
#[derive(Debug, Clone, Copy)]
pub struct ClusterView<'s> {
    site: &'s Site,
    cluster: &'s ClusterState,
}

/// What one cluster shall run.
#[derive(Debug, Clone, Copy)]
pub struct DesiredView<'s> {
    state: &'s State,
    id: ClusterId,
    cluster: &'s ClusterState,
}

/// How one component stands in one cluster's desired set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// It shall run like this.
    Assigned(Assignment),
    /// It shall not run, and is not known to have stopped.
    Removed(Removal),
}

impl State {
    /// A component by its name, also while it is being deleted.
    pub fn component(&self, name: &FullName) -> Option<ComponentView<'_>> {
        self.view(self.namespaces.slot(name)?)
    }

    /// A component by its identity.
    pub fn component_by_uid(&self, uid: Uid) -> Option<ComponentView<'_>> {
        self.view(self.components.find(uid)?)
    }

    /// Components in the order of their full names: of all tenants or one, of all its namespaces or one, from behind
    /// `after`. Take a page at a time: the writer waits meanwhile.
    pub fn components<'s>(
        &'s self,
        tenant: Option<&'s Tenant>,
        namespace: Option<&'s Namespace>,
        after: Option<&'s FullName>,
    ) -> impl Iterator<Item = ComponentView<'s>> {
        self.namespaces.list(tenant, namespace, after).filter_map(|slot| self.view(slot))
    }

    /// How many components there are.
    pub fn component_count(&self) -> usize {
        self.components.len()
    }

    /// How many components wait for a place, or for another one.
    pub fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    /// A cluster by its name.
    pub fn cluster(&self, name: &ClusterName) -> Option<ClusterView<'_>> {
        let site = self.sites.named(name)?;
        Some(ClusterView { site, cluster: self.clusters.get(&site.id)? })
    }

    /// A cluster by its id.
    pub fn cluster_by_id(&self, id: ClusterId) -> Option<ClusterView<'_>> {
        Some(ClusterView { site: self.sites.get(id)?, cluster: self.clusters.get(&id)? })
    }

    /// All clusters, by name.
    pub fn clusters(&self) -> impl Iterator<Item = ClusterView<'_>> {
        let view = |site| Some(ClusterView { site, cluster: self.clusters.get(&site.id)? });
        self.sites.all().iter().filter_map(view)
    }

    /// What a cluster shall run.
    pub fn desired(&self, name: &ClusterName) -> Option<DesiredView<'_>> {
        let id = self.sites.named(name)?.id;
        Some(DesiredView { state: self, id, cluster: self.clusters.get(&id)? })
    }

    /// A PulsarCluster by its name.
    pub fn pulsar_cluster(&self, name: &PulsarClusterName) -> Option<&Arc<PulsarCluster>> {
        self.pulsar.get(name).map(|(_, cluster)| cluster)
    }

    /// All PulsarClusters, by name.
    pub fn pulsar_clusters(&self) -> impl Iterator<Item = &Arc<PulsarCluster>> {
        self.pulsar.values().map(|(_, cluster)| cluster)
    }

    /// A stored package.
    pub fn package(&self, digest: &Digest) -> Option<&Package> {
        self.packages.stored.get(digest)
    }

    /// All stored packages, by digest.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.stored.values()
    }

    /// Whether something that a cluster shall run refers to a package.
    pub fn needs_package(&self, cluster: &ClusterName, digest: &Digest) -> bool {
        let Some(site) = self.sites.named(cluster) else { return false };
        self.clusters.get(&site.id).is_some_and(|cluster| cluster.desired.needs(digest))
    }

    /// A join token, used or not.
    pub fn join_token(&self, hash: &SecretHash) -> Option<&JoinToken> {
        self.join_tokens.get(hash)
    }

    /// All API tokens, by id.
    pub fn api_tokens(&self) -> impl Iterator<Item = &ApiToken> {
        self.access.api_tokens.values()
    }

    /// Who may do what.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.access.bindings.iter()
    }

    /// The bound of a tenant or namespace. The federation has none.
    pub fn quota(&self, scope: &Scope) -> Option<Quota> {
        match scope {
            Scope::Federation => None,
            Scope::Tenant(tenant) => self.namespaces.tenant(tenant)?.quota,
            Scope::Namespace(tenant, namespace) => {
                self.namespaces.get(self.namespaces.find(tenant, namespace)?)?.quota
            }
        }
    }

    /// All bounds.
    pub fn quotas(&self) -> impl Iterator<Item = (Scope, Quota)> {
        self.namespaces.quotas().map(|(tenant, namespace, quota)| {
            let scope = match namespace {
                Some(namespace) => Scope::Namespace(tenant.clone(), namespace.clone()),
                None => Scope::Tenant(tenant.clone()),
            };
            (scope, quota)
        })
    }

    /// What a tenant or namespace has. The federation is not counted.
    pub fn usage(&self, scope: &Scope) -> Usage {
        match scope {
            Scope::Federation => None,
            Scope::Tenant(tenant) => self.namespaces.tenant(tenant).map(|entry| entry.usage),
            Scope::Namespace(tenant, namespace) => self
                .namespaces
                .find(tenant, namespace)
                .and_then(|id| self.namespaces.get(id))
                .map(|entry| entry.usage),
        }
        .unwrap_or_default()
    }

    fn view(&self, slot: Slot) -> Option<ComponentView<'_>> {
        let component = self.components.get(slot)?;
        Some(ComponentView { state: self, component, namespace: self.namespaces.get(component.namespace)? })
    }
}

impl<'s> ComponentView<'s> {
    /// Its identity.
    pub fn uid(&self) -> Uid {
        self.component.uid
    }

    /// Its name.
    pub fn name(&self) -> FullName {
        FullName {
            tenant: self.namespace.tenant.clone(),
            namespace: self.namespace.namespace.clone(),
            name: self.component.name.clone(),
        }
    }

    /// Function, source or sink.
    pub fn kind(&self) -> ComponentKind {
        self.component.kind
    }

    /// Whether it is being deleted.
    pub fn terminating(&self) -> bool {
        self.component.terminating()
    }

    /// When its deletion was asked for.
    pub fn deleted_at(&self) -> Option<UnixMillis> {
        self.component.turns().deleted
    }

    /// When it went from placed to placed nowhere, or back.
    pub fn placement_turned_at(&self) -> UnixMillis {
        self.component.turns().placed
    }

    /// When it was created.
    pub fn created_at(&self) -> UnixMillis {
        self.component.created
    }

    /// The commit that last changed anything of it, its placement included.
    pub fn log_index(&self) -> LogIndex {
        self.component.changed
    }

    /// Its current revision.
    pub fn current(&self) -> &'s Version {
        &self.component.current
    }

    /// A kept revision.
    pub fn revision(&self, revision: Revision) -> Option<&'s Version> {
        self.component.version(revision)
    }

    /// All kept revisions, oldest first.
    pub fn revisions(&self) -> impl Iterator<Item = &'s Version> + use<'s> {
        let component = self.component;
        component.older.iter().flat_map(|older| older.iter()).chain(std::iter::once(&component.current))
    }

    /// Where it shall run, and where it shall stop.
    pub fn assignments(&self) -> impl Iterator<Item = AssignmentView<'s>> + use<'s> {
        let state = self.state;
        self.component
            .entries
            .iter()
            .filter_map(|entry| Some(AssignmentView { entry, cluster: state.clusters.get(&entry.cluster)? }))
    }

    /// What keeps it from where it would like to run, too: `None` when it is placed and wants no other place.
    pub fn waits_for(&self) -> Option<Refusals> {
        self.component.waiting.as_ref().map(|waiting| waiting.refusals)
    }

    /// What it means that it is gone.
    pub(crate) fn gone(self) -> Effect {
        Effect::Gone { uid: self.uid(), name: self.name(), kind: self.kind() }
    }

    /// What it has, as placement sees it.
    pub fn currents(&self) -> Vec<Current> {
        self.component.currents()
    }
}

impl<'s> AssignmentView<'s> {
    /// Where.
    pub fn cluster(&self) -> &'s ClusterName {
        &self.cluster.name
    }

    /// The commit that last changed it.
    pub fn generation(&self) -> Generation {
        self.entry.generation
    }

    /// When it was last changed.
    pub fn since(&self) -> UnixMillis {
        self.entry.since
    }

    /// Which of the component's specs it is.
    pub fn revision(&self) -> Revision {
        self.entry.revision
    }

    /// Instances to run there.
    pub fn replicas(&self) -> u32 {
        self.entry.replicas
    }

    /// Instances that room is reserved for.
    pub fn reserved(&self) -> u32 {
        self.entry.reserved
    }

    /// Whether it shall run no more, and has not stopped yet.
    pub fn removed(&self) -> bool {
        self.entry.removed
    }

    /// The Pulsar cluster, as seen from there.
    pub fn pulsar(&self) -> Option<&'s Arc<PulsarCluster>> {
        self.cluster.seen.get(&self.entry.pulsar)
    }
}

impl<'s> ClusterView<'s> {
    /// Its short id.
    pub fn id(&self) -> ClusterId {
        self.site.id
    }

    /// Its properties.
    pub fn cluster(&self) -> &'s Arc<Cluster> {
        &self.site.cluster
    }

    /// How well its agent's session was last.
    pub fn health(&self) -> Health {
        self.site.health
    }

    /// When that last changed.
    pub fn health_since(&self) -> UnixMillis {
        self.cluster.health_since
    }

    /// What placement sees of it: what is reserved and what is free.
    pub fn site(&self) -> &'s Site {
        self.site
    }

    /// What its agent proves itself with.
    pub fn identity(&self) -> &'s Identity {
        &self.cluster.identity
    }

    /// Counts the changes of its desired set.
    pub fn set_generation(&self) -> SetGeneration {
        self.cluster.desired.generation()
    }

    /// Digest of the held removals that an operator confirmed last.
    pub fn confirmed_deletions(&self) -> Option<Digest> {
        self.cluster.confirmed
    }
}

impl<'s> DesiredView<'s> {
    /// Counts the changes of this set.
    pub fn set_generation(&self) -> SetGeneration {
        self.cluster.desired.generation()
    }

    /// Digest over what shall run; removals are not in it.
    pub fn digest(&self) -> SetDigest {
        self.cluster.desired.digest()
    }

    /// The same for each bucket, [`SetDigest::BUCKETS`] of them.
    pub fn buckets(&self) -> &'s [SetDigest] {
        self.cluster.desired.buckets()
    }

    /// How many components shall run there.
    pub fn len(&self) -> usize {
        self.cluster.desired.members().len()
    }

    /// Whether nothing shall run there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What may have changed since `from`, each once; `None` when that is not remembered: compare buckets then.
    pub fn changes_since(&self, from: SetGeneration) -> Option<Vec<Uid>> {
        let slots = self.cluster.desired.changes_since(from)?;
        Some(slots.into_iter().filter_map(|slot| self.uid(slot)).collect())
    }

    /// All that shall run there, in no particular order.
    pub fn uids(&self) -> impl Iterator<Item = Uid> {
        self.cluster.desired.members().filter_map(|slot| self.uid(slot))
    }

    /// What shall run there and lies in a bucket, with its generation.
    pub fn bucket(&self, bucket: u8) -> Vec<(Uid, Generation)> {
        let inside = |slot| {
            let component = self.state.components.get(slot)?;
            (SetDigest::bucket(component.uid) == bucket)
                .then_some((component.uid, component.entry(self.id)?.generation))
        };
        self.cluster.desired.members().filter_map(inside).collect()
    }

    /// All that shall not run and is not known to have stopped: told again at every connection, since the agent's answer
    /// may have been lost.
    pub fn removals(&self) -> Vec<Removal> {
        let removal = |slot| {
            let component = self.state.components.get(slot)?;
            Some(Removal { uid: component.uid, generation: component.entry(self.id)?.generation })
        };
        self.cluster.desired.removals().filter_map(removal).collect()
    }

    /// How a component stands here now; `None` when this cluster has nothing to do with it.
    pub fn item(&self, uid: Uid) -> Option<Item> {
        let view = self.state.component_by_uid(uid)?;
        let entry = view.component.entry(self.id)?;
        if entry.removed {
            return Some(Item::Removed(Removal { uid, generation: entry.generation }));
        }
        let version = view.component.version(entry.revision)?;
        let own_key = || self.state.sites.get(self.id)?.cluster.declared.sealing_key.map(|key| key.id());
        Some(Item::Assigned(Assignment {
            uid,
            name: view.name(),
            kind: view.kind(),
            generation: entry.generation,
            revision: entry.revision,
            replicas: entry.replicas,
            pulsar: self.cluster.seen.get(&entry.pulsar)?.clone(),
            spec: version.spec.clone(),
            sealed: version.details.sealed.as_ref().map(|sealed| Arc::new(sealed.share(own_key()))),
        }))
    }

    fn uid(&self, slot: Slot) -> Option<Uid> {
        Some(self.state.components.get(slot)?.uid)
    }
}
