//! A component as callers see it: its spec, its history, and how it stands.

use std::sync::Arc;

use isthmus_model::component::ComponentKind;
use isthmus_model::name::{FullName, Uid};
use isthmus_model::order::{LogIndex, Revision, UnixMillis};
use isthmus_model::reason::Reason;
use isthmus_proto::common::v1::{Condition, Metadata};
use isthmus_proto::component::v1 as wire;
use isthmus_proto::convert::{self, time};
use prost::Message as _;
use tonic::Status;

use crate::placement::Refusals;
use crate::status::{self, ClusterStatus, Observed, Share, Summary};
use crate::status_code;
use crate::store::State;
use crate::store::state::ComponentView;
use crate::sync::registry::Registry;

/// What is read of a component under the store's lock: no bytes are decoded or copied there.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) uid: Uid,
    pub(super) name: FullName,
    pub(super) kind: ComponentKind,
    pub(super) spec: Arc<[u8]>,
    pub(super) history: History,
    pub(super) status: status::Status,
    waits: Option<Refusals>,
}

/// What the store knows of a component beside its spec.
#[derive(Debug, Clone, Copy)]
pub(super) struct History {
    pub(super) revision: Revision,
    pub(super) log_index: LogIndex,
    created: UnixMillis,
    updated: UnixMillis,
    deleted: Option<UnixMillis>,
    placement_turned: UnixMillis,
}

/// What statuses are folded from, beside the store.
#[derive(Debug, Clone)]
pub(super) struct Eyes {
    pub(super) observed: Arc<Observed>,
    pub(super) registry: Arc<Registry>,
}

impl Eyes {
    /// Looks at a component. Called under the store's lock.
    pub(super) fn look(&self, state: &State, view: ComponentView<'_>) -> Seen {
        let current = view.current();
        Seen {
            uid: view.uid(),
            name: view.name(),
            kind: view.kind(),
            spec: current.spec.clone(),
            history: History {
                revision: current.revision,
                log_index: view.log_index(),
                created: view.created_at(),
                updated: current.time,
                deleted: view.deleted_at(),
                placement_turned: view.placement_turned_at(),
            },
            status: self.status(state, view),
            waits: view.waits_for(),
        }
    }

    fn status(&self, state: &State, view: ComponentView<'_>) -> status::Status {
        self.observed.of(view.uid(), |seen| {
            let shares = view.assignments().map(|assignment| {
                let cluster = assignment.cluster();
                let view = state.cluster(cluster);
                let id = view.map(|view| view.id());
                let away = (!self.registry.is_connected(cluster)).then(|| {
                    let stored = || view.map(|view| view.health_since()).unwrap_or_default();
                    self.registry.past(cluster).map_or_else(stored, |past| past.last_heard)
                });
                Share {
                    cluster,
                    pulsar: assignment.pulsar().map_or("", |pulsar| pulsar.name.as_str()),
                    generation: assignment.generation(),
                    replicas: assignment.replicas(),
                    removed: assignment.removed(),
                    told: assignment.since(),
                    seen: seen.iter().find(|seen| Some(seen.cluster) == id),
                    away,
                }
            });
            status::fold(view.terminating(), shares)
        })
    }
}

impl Seen {
    /// The whole component.
    pub(super) fn into_message(self) -> Result<wire::Component, Status> {
        let message = wire::Component::decode(&*self.spec)
            .map_err(|error| status_code::internal("read a stored component", &error))?;
        Ok(self.dress(convert::component::redact(message)))
    }

    /// The component without its spec: only how it stands.
    pub(super) fn into_status(self) -> wire::Component {
        let bare = bare(&self.name, self.kind, self.uid);
        self.dress(bare)
    }

    /// Adds history and status to a spec that is at hand already.
    pub(super) fn dress(self, mut message: wire::Component) -> wire::Component {
        let History { revision, log_index, created, updated, deleted, placement_turned: _ } = self.history;
        let metadata = message.metadata.get_or_insert_default();
        metadata.uid = self.uid.to_string();
        metadata.revision = revision.0;
        metadata.log_index = log_index.0;
        metadata.create_time = Some(time::timestamp(created));
        metadata.update_time = Some(time::timestamp(updated));
        metadata.delete_time = deleted.map(time::timestamp);
        message.status = Some(self.status_message());
        message
    }

    fn status_message(self) -> wire::Status {
        let conditions = self.conditions();
        let status::Status { summary, since: _, desired, ready, restarts, messages, clusters } = self.status;
        wire::Status {
            conditions,
            desired,
            ready,
            restarts,
            messages: Some(messages.into()),
            clusters: clusters.into_iter().map(cluster_message).collect(),
            phase: summary.as_str().to_owned(),
        }
    }

    fn conditions(&self) -> Vec<Condition> {
        let summary = self.status.summary;
        let History { placement_turned, deleted, .. } = self.history;
        let since = move |kind: &str| match kind {
            "Placed" => placement_turned,
            "Terminating" => deleted.unwrap_or_default(),
            // What runs nowhere has not been ready since it lost its last place, or ever was.
            _ => self.status.since.unwrap_or(placement_turned),
        };
        let condition = |kind: &str, holds: bool, reason: Reason, message: String| Condition {
            r#type: kind.to_owned(),
            status: if holds { "True" } else { "False" }.to_owned(),
            reason: reason.to_string(),
            message,
            observed_revision: self.history.revision.0,
            last_transition_time: Some(time::timestamp(since(kind))),
        };
        let mut all = vec![self.placed(&condition), self.ready(&condition)];
        if summary == Summary::Terminating {
            let left: Vec<&str> =
                self.status.clusters.iter().map(|cluster| cluster.cluster.as_str()).collect();
            let message =
                format!("it is being deleted, and has not been seen to stop on {} yet", left.join(", "));
            all.push(condition("Terminating", true, Reason::Terminating, message));
        }
        all
    }

    fn placed(&self, condition: &impl Fn(&str, bool, Reason, String) -> Condition) -> Condition {
        let clusters: Vec<&str> =
            self.status.clusters.iter().map(|cluster| cluster.cluster.as_str()).collect();
        match self.waits.and_then(|refusals| refusals.iter().next().map(|first| (first, refusals))) {
            _ if !clusters.is_empty() => {
                condition("Placed", true, Reason::Placed, format!("it is placed on {}", clusters.join(", ")))
            }
            Some((first, refusals)) => {
                let words: Vec<&str> = refusals.iter().map(Reason::as_str).collect();
                let message =
                    format!("no cluster can take it ({}); `isthmus explain` says more", words.join(", "));
                condition("Placed", false, first, message)
            }
            None => condition("Placed", false, Reason::Pending, "it is placed nowhere".to_owned()),
        }
    }

    fn ready(&self, condition: &impl Fn(&str, bool, Reason, String) -> Condition) -> Condition {
        let status = &self.status;
        if status.summary == Summary::Ready {
            let message = format!("all {} instances are ready", status.desired);
            return condition("Ready", true, Reason::Ready, message);
        }
        // The first cluster, by name, that has something to say.
        let unready = status.clusters.iter().find(|cluster| cluster.reason != Reason::Ready);
        let reason = unready.map_or(Reason::Pending, |cluster| cluster.reason);
        let at = unready.map(|cluster| format!("; cluster {}: {}", cluster.cluster, told(cluster)));
        let message =
            format!("{} of {} instances are ready{}", status.ready, status.desired, at.unwrap_or_default());
        condition("Ready", false, reason, message)
    }
}

fn told(cluster: &ClusterStatus) -> String {
    if cluster.last_error.is_empty() { cluster.reason.to_string() } else { cluster.last_error.clone() }
}

fn cluster_message(status: ClusterStatus) -> wire::ClusterStatus {
    let ClusterStatus {
        cluster,
        pulsar,
        generation,
        observed_generation,
        standing,
        desired,
        ready,
        restarts,
        reason,
        last_error,
        messages,
        observed_at,
        stale,
        since: _,
    } = status;
    wire::ClusterStatus {
        cluster: cluster.into(),
        pulsar_cluster: pulsar,
        generation: generation.0,
        observed_generation: observed_generation.0,
        desired,
        ready,
        restarts,
        reason: reason.to_string(),
        last_error,
        messages: Some(messages.into()),
        observed_at_unix_ms: observed_at.0,
        stale,
        phase: standing.as_str().to_owned(),
    }
}

/// A component of which only the name is told.
pub(super) fn bare(name: &FullName, kind: ComponentKind, uid: Uid) -> wire::Component {
    wire::Component {
        kind: wire::Kind::from(kind).into(),
        metadata: Some(Metadata {
            tenant: name.tenant.to_string(),
            namespace: name.namespace.to_string(),
            name: name.name.to_string(),
            uid: uid.to_string(),
            ..Metadata::default()
        }),
        ..wire::Component::default()
    }
}
