//! What one cluster says it sees of one assignment.

use serde::{Deserialize, Serialize};

use crate::name::Uid;
use crate::order::{Generation, UnixMillis};
use crate::reason::Reason;

/// Observed state of one component in one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// The component's identity.
    pub uid: Uid,
    /// The generation that is observed: older than the assigned one means that the change is still on its way.
    pub generation: Generation,
    /// How it stands.
    pub phase: Phase,
    /// Instances wanted here.
    pub desired: u32,
    /// Instances that are ready: on a host, those that run and whose consumer is seen in Pulsar (a source: whose producer is); in
    /// Kubernetes, those whose pod is ready and that answer.
    pub ready: u32,
    /// Starts after the first, over all instances.
    pub restarts: u64,
    /// Why it is not ready, or [`Reason::Ready`].
    pub reason: Reason,
    /// The last error as a sentence; empty when there was none.
    pub last_error: String,
    /// Counts from the instances.
    pub messages: Messages,
    /// When it was observed, by the agent's clock.
    pub observed_at: UnixMillis,
}

/// How an assignment stands at its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// On its way to running.
    Progressing,
    /// All instances are ready.
    Ready,
    /// Some instances are not ready and there is an error.
    Degraded,
    /// Being stopped.
    Stopping,
    /// Nothing of it runs: the only proof that another cluster may take over.
    Stopped,
    /// The agent cannot run it.
    Refused,
}

/// Totals since the instances started, over all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Messages {
    /// Received from the input.
    pub received: u64,
    /// Processed successfully.
    pub processed: u64,
    /// Failed in the user's code.
    pub user_exceptions: u64,
    /// Failed around it.
    pub system_exceptions: u64,
}

impl Messages {
    /// Failed at all.
    pub fn failed(&self) -> u64 {
        self.user_exceptions.saturating_add(self.system_exceptions)
    }

    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            received: self.received.saturating_add(other.received),
            processed: self.processed.saturating_add(other.processed),
            user_exceptions: self.user_exceptions.saturating_add(other.user_exceptions),
            system_exceptions: self.system_exceptions.saturating_add(other.system_exceptions),
        }
    }
}
