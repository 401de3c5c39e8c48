//! Clusters join, change and are forgotten.

use isthmus_model::name::ClusterName;
use isthmus_model::order::UnixMillis;
use isthmus_model::reason::Reason;

use super::Verdict;
use crate::placement::ClusterId;
use crate::store::command::{ClusterChange, SecretHash};
use crate::store::commit::Effect;
use crate::store::rejection::Rejection;
use crate::store::state::{ClusterView, State};

pub(super) fn change(
    state: &State,
    time: UnixMillis,
    name: &ClusterName,
    change: &ClusterChange,
) -> Result<Verdict, Rejection> {
    if let ClusterChange::Join { token, .. } = change {
        return join(state, time, name, token);
    }
    let view = state.cluster(name).ok_or_else(|| {
        Rejection::new(Reason::NotFound, format!("there is no cluster {name}; see `isthmus get clusters`"))
    })?;
    let cluster = view.cluster();
    let same = match change {
        ClusterChange::Join { .. } | ClusterChange::Forget => false,
        ClusterChange::Renew { certificate, renewal } => {
            let identity = view.identity();
            if state.access.certificate_revoked(&identity.certificate.serial) {
                return Err(Rejection::new(
                    Reason::CertificateRevoked,
                    format!("cluster {name} was revoked; it must join again with a new join token"),
                ));
            }
            identity.certificate == *certificate
                && renewal.as_ref().is_none_or(|renewal| *renewal == identity.renewal)
        }
        ClusterChange::Declare(declared) => cluster.declared == *declared,
        ClusterChange::Health(health) => view.health() == *health,
        ClusterChange::Update { labels, taints } => cluster.labels == *labels && cluster.taints == *taints,
        ClusterChange::Cordon => cluster.cordoned,
        ClusterChange::Uncordon => !cluster.cordoned,
        ClusterChange::Link { pulsar, link, default } => {
            if state.pulsar_cluster(pulsar).is_none() {
                return Err(Rejection::new(
                    Reason::NotFound,
                    format!(
                        "cluster {name} cannot be linked to PulsarCluster {pulsar}, which does not exist; create it first"
                    ),
                ));
            }
            let is_default = cluster.default_pulsar.as_ref() == Some(pulsar);
            cluster.links.get(pulsar) == Some(link) && (is_default || !default)
        }
        ClusterChange::Unlink { pulsar } => {
            if cluster.links.contains_key(pulsar) {
                unused(state, view, pulsar)?;
                false
            } else {
                true
            }
        }
        ClusterChange::ConfirmDeletions { digest } => view.confirmed_deletions() == Some(*digest),
    };
    if same {
        return Ok(Verdict::nothing(state));
    }
    let mut effects = vec![Effect::ClusterChanged];
    if *change == ClusterChange::Forget {
        effects.extend(gone_with(state, view.id()));
    }
    Ok(Verdict::Effects(effects))
}

fn join(
    state: &State,
    time: UnixMillis,
    name: &ClusterName,
    token: &SecretHash,
) -> Result<Verdict, Rejection> {
    let refuse = |reason, what: &str| {
        Err(Rejection::new(reason, format!("cluster {name} cannot join: {what}; make a new join token")))
    };
    let Some(token) = state.join_token(token) else {
        return refuse(Reason::TokenInvalid, "its join token is not known here");
    };
    if token.cluster != *name {
        return refuse(Reason::WrongCluster, "its join token is for another cluster");
    }
    if token.used_at.is_some() {
        return refuse(Reason::TokenUsed, "its join token was used before");
    }
    if token.expires_at <= time {
        return refuse(Reason::TokenExpired, "its join token has expired");
    }
    if state.cluster(name).is_some() {
        return Ok(Verdict::Effects(vec![Effect::ClusterChanged]));
    }
    Ok(Verdict::Effects(vec![Effect::ClusterJoined { id: ClusterId(state.next_cluster) }]))
}

fn unused(
    state: &State,
    view: ClusterView<'_>,
    pulsar: &isthmus_model::name::PulsarClusterName,
) -> Result<(), Rejection> {
    let (id, name) = (view.id(), &view.cluster().name);
    let Some(pulsar_id) = state.sites.pulsar(pulsar) else { return Ok(()) };
    let Some(cluster) = state.clusters.get(&id) else { return Ok(()) };
    let uses = |slot| {
        let component = state.components.get(slot)?;
        component.entry(id).filter(|entry| entry.pulsar == pulsar_id)
    };
    let count = cluster.desired.members().filter_map(uses).count();
    if count == 0 {
        return Ok(());
    }
    Err(Rejection::new(
        Reason::InUse,
        format!(
            "cluster {name} cannot be unlinked from PulsarCluster {pulsar}: {count} components there use it; move or delete \
             them first"
        ),
    ))
}

/// Components that are being deleted and of which this cluster alone has not said that they stopped, in the order of their
/// UIDs.
fn gone_with(state: &State, id: ClusterId) -> Vec<Effect> {
    let Some(cluster) = state.clusters.get(&id) else { return Vec::new() };
    let last = |slot| {
        let component = state.components.get(slot)?;
        (component.terminating() && component.entries.len() == 1).then_some(component.uid)
    };
    let mut gone: Vec<_> = cluster.desired.removals().filter_map(last).collect();
    gone.sort_unstable();
    gone.into_iter().filter_map(|uid| Some(state.component_by_uid(uid)?.gone())).collect()
}
