//! How a component stands: what it was told, folded with what its clusters say. Pure, and in any order the same.
//!
//! What clusters say is soft: kept in memory, told again by every agent that connects, never written.

pub mod observed;

use isthmus_model::name::ClusterName;
use isthmus_model::observation::{Messages, Phase};
use isthmus_model::order::{Generation, UnixMillis};
use isthmus_model::reason::Reason;

pub use observed::{Observed, Seen};

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
    /// When that was, by its command.
    pub told: UnixMillis,
    /// The newest observation.
    pub seen: Option<&'a Seen>,
    /// Since when the cluster has no session; `None` when it has one.
    pub away: Option<UnixMillis>,
}

/// How one component stands, over all clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// One word for people.
    pub summary: Summary,
    /// Since when it is ready, or is not: since the last of its clusters became ready, or the first of those that are not
    /// ceased to be. `None` when it has no cluster.
    pub since: Option<UnixMillis>,
    /// Instances wanted.
    pub desired: u32,
    /// Instances that are ready.
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
    /// Instances that are ready there.
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
    /// Since when it is ready there, or is not.
    pub since: UnixMillis,
}

impl ClusterStatus {
    /// Whether everything that is wanted there is known to run.
    fn ready(&self) -> bool {
        self.standing == Standing::Seen(Phase::Ready) && !self.stale
    }
}

/// Folds shares into a status. `terminating`: the component is being deleted.
pub fn fold<'a>(terminating: bool, shares: impl IntoIterator<Item = Share<'a>>) -> Status {
    let mut clusters: Vec<ClusterStatus> = shares.into_iter().map(|share| of_cluster(&share)).collect();
    clusters.sort_unstable_by(|a, b| a.cluster.cmp(&b.cluster));
    let mut status = Status {
        summary: summary(terminating, &clusters),
        since: since(&clusters),
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

fn since(clusters: &[ClusterStatus]) -> Option<UnixMillis> {
    let unready = clusters.iter().filter(|cluster| !cluster.ready()).map(|cluster| cluster.since);
    unready.min().or_else(|| clusters.iter().map(|cluster| cluster.since).max())
}

fn of_cluster(share: &Share<'_>) -> ClusterStatus {
    let seen = share.seen.map(|seen| &seen.observation);
    let standing = match seen {
        None => Standing::Pending,
        Some(seen) if seen.generation < share.generation => Standing::Outdated,
        Some(seen) => Standing::Seen(seen.phase),
    };
    let reason = match (standing, seen) {
        (Standing::Seen(_), Some(seen)) => seen.reason,
        (Standing::Outdated, _) => Reason::Outdated,
        (Standing::Pending | Standing::Seen(_), _) if share.away.is_some() => Reason::Disconnected,
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
        stale: share.away.is_some(),
        since: match (standing, share.away) {
            (Standing::Seen(Phase::Ready), Some(away)) => away.max(share.told),
            (Standing::Seen(_), _) => share.seen.map_or(share.told, |seen| seen.since.max(share.told)),
            (Standing::Pending | Standing::Outdated, _) => share.told,
        },
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
    } else if clusters.iter().all(ClusterStatus::ready) {
        Summary::Ready
    } else {
        Summary::Progressing
    }
}

#[cfg(test)]
mod tests;
