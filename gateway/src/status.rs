//! How a component stands: what it was told, folded with what its clusters say. Pure, and in any order the same.
//!
//! What clusters say is soft: kept in memory, told again by every agent that connects, never written.

pub mod observed;

use isthmus_model::name::ClusterName;
use isthmus_model::observation::{Messages, Observation, Phase};
use isthmus_model::order::{Generation, UnixMillis};
use isthmus_model::reason::Reason;

pub use observed::Observed;

/// One cluster's share, as told and as seen.
#[derive(Debug, Clone, Copy)]
pub struct Share<'a> {
    /// The cluster.
    pub cluster: &'a ClusterName,
    /// Name of the PulsarCluster there; empty when the link is gone.
    pub pulsar: &'a str,
    /// The commit that last changed the assignment.
    pub generation: Generation,
    /// Instances wanted there.
    pub replicas: u32,
    /// It shall run there no more.
    pub removed: bool,
    /// The newest observation.
    pub seen: Option<&'a Observation>,
    /// The cluster has a session.
    pub connected: bool,
}

/// How one component stands, over all clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// One word for people.
    pub summary: Summary,
    /// Instances wanted.
    pub desired: u32,
    /// Instances that run and are seen in Pulsar.
    pub ready: u32,
    /// Starts after the first.
    pub restarts: u64,
    /// Counts from the instances.
    pub messages: Messages,
    /// By the clusters' names.
    pub clusters: Vec<ClusterStatus>,
}

/// One word for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Summary {
    /// It is being deleted.
    Terminating,
    /// No cluster runs it.
    Parked,
    /// Something is wrong somewhere.
    Degraded,
    /// It is on its way.
    Progressing,
    /// Everything that is wanted runs.
    Ready,
}

impl Summary {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terminating => "Terminating",
            Self::Parked => "Parked",
            Self::Degraded => "Degraded",
            Self::Progressing => "Progressing",
            Self::Ready => "Ready",
        }
    }
}

/// How one cluster's share stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was heard of it yet.
    Pending,
    /// The cluster may still run an older generation.
    Outdated,
    /// What the cluster says of the newest generation.
    Seen(Phase),
}

impl Standing {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Outdated => "Outdated",
            Self::Seen(Phase::Progressing) => "Progressing",
            Self::Seen(Phase::Ready) => "Ready",
            Self::Seen(Phase::Degraded) => "Degraded",
            Self::Seen(Phase::Stopping) => "Stopping",
            Self::Seen(Phase::Stopped) => "Stopped",
            Self::Seen(Phase::Refused) => "Refused",
        }
    }
}

/// How one cluster's share stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStatus {
    /// The cluster.
    pub cluster: ClusterName,
    /// Name of the PulsarCluster there.
    pub pulsar: String,
    /// The commit that last changed the assignment.
    pub generation: Generation,
    /// The generation that was seen; 0 when none was.
    pub observed_generation: Generation,
    /// How it stands.
    pub standing: Standing,
    /// Instances wanted there.
    pub desired: u32,
    /// Instances that run there and are seen in Pulsar.
    pub ready: u32,
    /// Starts after the first.
    pub restarts: u64,
    /// Why it is not ready.
    pub reason: Reason,
    /// The last error.
    pub last_error: String,
    /// Counts from the instances there.
    pub messages: Messages,
    /// When the cluster saw this; 0 when it saw nothing.
    pub observed_at: UnixMillis,
    /// The cluster has no session: this is the last that was known.
    pub stale: bool,
}

/// Folds shares into a status. `terminating`: the component is being deleted.
pub fn fold<'a>(terminating: bool, shares: impl IntoIterator<Item = Share<'a>>) -> Status {
    let mut clusters: Vec<ClusterStatus> = shares.into_iter().map(|share| of_cluster(&share)).collect();
    clusters.sort_unstable_by(|a, b| a.cluster.cmp(&b.cluster));
    let mut status = Status {
        summary: summary(terminating, &clusters),
        desired: 0,
        ready: 0,
        restarts: 0,
        messages: Messages::default(),
        clusters: Vec::new(),
    };
    for cluster in &clusters {
        status.desired = status.desired.saturating_add(cluster.desired);
        status.ready = status.ready.saturating_add(cluster.ready);
        status.restarts = status.restarts.saturating_add(cluster.restarts);
        status.messages = status.messages.plus(cluster.messages);
    }
    Status { clusters, ..status }
}

fn of_cluster(share: &Share<'_>) -> ClusterStatus {
    let standing = match share.seen {
        None => Standing::Pending,
        Some(seen) if seen.generation < share.generation => Standing::Outdated,
        Some(seen) => Standing::Seen(seen.phase),
    };
    let seen = share.seen;
    let reason = match (standing, seen) {
        (Standing::Seen(_), Some(seen)) => seen.reason,
        (Standing::Outdated, _) => Reason::Outdated,
        (Standing::Pending | Standing::Seen(_), _) if !share.connected => Reason::Disconnected,
        (Standing::Pending | Standing::Seen(_), _) => Reason::Pending,
    };
    ClusterStatus {
        cluster: share.cluster.clone(),
        pulsar: share.pulsar.to_owned(),
        generation: share.generation,
        observed_generation: seen.map_or(Generation(0), |seen| seen.generation),
        standing,
        desired: if share.removed { 0 } else { share.replicas },
        // Instances of an older generation run all the same, and process messages.
        ready: seen.map_or(0, |seen| seen.ready),
        restarts: seen.map_or(0, |seen| seen.restarts),
        reason,
        last_error: seen.map(|seen| seen.last_error.clone()).unwrap_or_default(),
        messages: seen.map(|seen| seen.messages).unwrap_or_default(),
        observed_at: seen.map_or(UnixMillis(0), |seen| seen.observed_at),
        stale: !share.connected,
    }
}

fn summary(terminating: bool, clusters: &[ClusterStatus]) -> Summary {
    let any = |phase: Phase| clusters.iter().any(|cluster| cluster.standing == Standing::Seen(phase));
    if terminating {
        Summary::Terminating
    } else if clusters.is_empty() {
        Summary::Parked
    } else if any(Phase::Degraded) || any(Phase::Refused) {
        Summary::Degraded
    } else if clusters
        .iter()
        .all(|cluster| cluster.standing == Standing::Seen(Phase::Ready) && !cluster.stale)
    {
        Summary::Ready
    } else {
        Summary::Progressing
    }
}

#[cfg(test)]
mod tests;
