//! What the gateway says that shall be, complete and decoded as far as this agent understands it.

use std::collections::BTreeSet;
use std::sync::Arc;

use isthmus_model::assignment::{Assignment, Removal};
use isthmus_model::name::Uid;
use isthmus_model::order::{Epoch, Generation, LogIndex, SetGeneration};
use isthmus_model::reason::Reason;
use isthmus_model::set_digest::SetDigest;

/// A change of the desired set: all parts of it, to be taken as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it says about what it does not name.
    pub scope: Scope,
    /// The set afterwards.
    pub to: SetGeneration,
    /// What must no longer run.
    pub removals: Vec<Removal>,
    /// What must run.
    pub upserts: Vec<Upsert>,
    /// The gateway's epoch.
    pub epoch: Epoch,
    /// The newest commit that this takes in.
    pub log_index: LogIndex,
}

/// What a change says about what it does not name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Nothing: it is a list of differences from this set.
    Differences(SetGeneration),
    /// What lies in one of these buckets and is not named goes; the rest stays as it is.
    Buckets(BTreeSet<u8>),
    /// What is not named goes.
    Whole,
}

/// One assignment, as sent and as understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upsert {
    /// The component's identity.
    pub uid: Uid,
    /// The commit that last changed the assignment.
    pub generation: Generation,
    /// As it came, to be kept: another version of this program may understand more of it.
    pub bytes: Vec<u8>,
    /// What it says, or why this agent cannot take it.
    pub content: Result<Arc<Assignment>, Refusal>,
}

/// Why an assignment cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The word.
    pub reason: Reason,
    /// The sentence.
    pub message: String,
}

/// An assignment that was not taken; it blocks no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedItem {
    /// The component's identity.
    pub uid: Uid,
    /// The generation that was not taken.
    pub generation: Generation,
    /// Why.
    pub refusal: Refusal,
}

/// Removals that wait for an operator's word, because they are more than the delete budget allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeldRemovals {
    /// How many.
    pub count: u32,
    /// Of how many that run here.
    pub total: u32,
    /// Over exactly these removals, by UID and the removal's generation.
    pub digest: SetDigest,
}

/// What this agent holds, as it tells the gateway at the begin of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// The highest epoch that it has seen.
    pub epoch: Epoch,
    /// The newest commit of that epoch that its set takes in.
    pub log_index: LogIndex,
    /// The set.
    pub set_generation: SetGeneration,
    /// Its digest.
    pub digest: SetDigest,
    /// The set was received whole at least once, even if it is empty.
    pub settled: bool,
    /// What waits for an operator.
    pub held: HeldRemovals,
}
