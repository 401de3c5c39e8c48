//! What a change means for what is held: a pure function, so that every rule can be tried without a disk.
//!
//! Removals stand before what shall run: room is made before it is taken. Of a component only a newer generation is ever
//! taken, and an item that cannot be taken is named and blocks no other.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use isthmus_model::assignment::{Assignment, Removal};
use isthmus_model::name::Uid;
use isthmus_model::order::{Epoch, Generation, LogIndex, SetGeneration};
use isthmus_model::reason::Reason;
use isthmus_model::set_digest::SetDigest;

use super::budget::Budget;
use super::change::{Change, HeldRemovals, Refusal, RefusedItem, Scope, Upsert};
use super::holdings::{Entry, Head, Holdings};

/// Why a change is not taken at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The gateway knows less than it did.
    #[error(
        "the gateway stands at epoch {epoch}, commit {log_index}, but this agent has followed it to epoch {held_epoch}, commit {held_log_index}: it was probably restored from an older backup; start it as a new epoch, or let the agent join anew with an empty data directory, and in Kubernetes without the ConfigMap isthmus-share-CLUSTER"
    )]
    Regressed {
        /// The gateway's.
        epoch: Epoch,
        /// The gateway's.
        log_index: LogIndex,
        /// The agent's.
        held_epoch: Epoch,
        /// The agent's.
        held_log_index: LogIndex,
    },
    /// The change starts from another set than the one that is held.
    #[error("the change starts from set {from}, but set {holds} is held")]
    Gap {
        /// What it starts from.
        from: SetGeneration,
        /// What is held.
        holds: SetGeneration,
    },
    /// A confirmation names other removals than those that wait.
    #[error("the confirmation names the removals {named}, but those that wait are {held}")]
    OtherRemovals {
        /// What it names.
        named: SetDigest,
        /// What waits.
        held: SetDigest,
    },
}

/// What is written and told, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Components that stand differently.
    pub steps: Vec<Step>,
    /// Where the set stands afterwards.
    pub head: Head,
    /// The head must be written although no component stands differently.
    pub head_moves: bool,
    /// What was not taken.
    pub refused: Vec<RefusedItem>,
}

/// One component that stands differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is stopped.
    Stop(Removal),
    /// It goes on until an operator confirms the removal.
    Hold {
        /// What was asked.
        removal: Removal,
        /// What runs.
        generation: Generation,
    },
    /// It runs, from now on as this.
    Run {
        /// What is kept.
        bytes: Vec<u8>,
        /// What the target gets.
        assignment: Arc<Assignment>,
    },
    /// It cannot be taken. What ran of it before goes on.
    Refuse {
        /// The component's identity.
        uid: Uid,
        /// The generation that was not taken.
        generation: Generation,
        /// What is kept, for another version of this program.
        bytes: Vec<u8>,
        /// Something of it runs.
        runs: bool,
        /// Why.
        refusal: Refusal,
    },
}

impl Step {
    /// Which component, and how it stands afterwards.
    pub fn entry(&self) -> (Uid, Entry) {
        match self {
            Self::Stop(removal) => (removal.uid, Entry::Stopping { removal: removal.generation }),
            Self::Hold { removal, generation } => {
                (removal.uid, Entry::Held { generation: *generation, removal: removal.generation })
            }
            Self::Run { assignment, .. } => {
                (assignment.uid, Entry::Wanted { generation: assignment.generation, runs: true })
            }
            Self::Refuse { uid, generation, runs, .. } => {
                (*uid, Entry::Wanted { generation: *generation, runs: *runs })
            }
        }
    }
}

impl Plan {
    /// Nothing needs to be written.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && !self.head_moves
    }

    /// What is held once the plan is carried out.
    pub fn apply_to(&self, holdings: &mut Holdings) {
        for (uid, entry) in self.steps.iter().map(Step::entry) {
            holdings.set(uid, entry);
        }
        holdings.move_to(self.head);
    }
}

/// Refuses a gateway that knows less than it did.
pub fn check_order(head: Head, epoch: Epoch, log_index: LogIndex) -> Result<(), Error> {
    if (epoch, log_index) < (head.epoch, head.log_index) {
        return Err(Error::Regressed {
            epoch,
            log_index,
            held_epoch: head.epoch,
            held_log_index: head.log_index,
        });
    }
    Ok(())
}

/// What `change` means for what is held.
pub fn plan(holdings: &Holdings, change: Change, budget: Budget) -> Result<Plan, Error> {
    let head = holdings.head();
    check_order(head, change.epoch, change.log_index)?;
    let removals = removals(holdings, &change)?;
    let Change { scope, to, removals: _, upserts, epoch, log_index } = change;
    // A new leader that knows fewer commits than the last was restored from a backup: it may not know what it removes.
    let lost_memory = log_index < head.log_index;
    let hold = lost_memory || exceeds(budget, holdings, &removals, &upserts);
    let mut plan = Plan {
        head: Head { epoch, log_index, set_generation: to, settled: head.settled || scope == Scope::Whole },
        ..Plan::default()
    };
    plan.steps.extend(removals.into_iter().filter_map(|removal| step_of_removal(holdings, removal, hold)));
    // Steps of this very change count as held, should it name a component twice.
    let mut changed: HashMap<Uid, Entry> = plan.steps.iter().map(Step::entry).collect();
    for upsert in upserts {
        let held = changed.get(&upsert.uid).copied().or_else(|| holdings.get(upsert.uid));
        let before = plan.steps.len();
        take(held, upsert, &mut plan);
        changed.extend(plan.steps.iter().skip(before).map(Step::entry));
    }
    plan.head_moves = (plan.head.epoch, plan.head.set_generation, plan.head.settled)
        != (head.epoch, head.set_generation, head.settled);
    Ok(plan)
}

/// The removals that a confirmation lets go: exactly those that it names.
pub fn confirm(holdings: &Holdings, digest: SetDigest) -> Result<Plan, Error> {
    let HeldRemovals { count, digest: held, .. } = holdings.held();
    if count > 0 && held != digest {
        return Err(Error::OtherRemovals { named: digest, held });
    }
    let steps = holdings.held_removals().map(Step::Stop).collect();
    Ok(Plan { steps, head: holdings.head(), ..Plan::default() })
}

/// The named removals, and those that the change's scope implies. What is implied has no commit of its own, so it counts as
/// taken away by the newest one.
fn removals(holdings: &Holdings, change: &Change) -> Result<Vec<Removal>, Error> {
    let holds = holdings.head().set_generation;
    let in_scope: Box<dyn Fn(Uid) -> bool + '_> = match &change.scope {
        Scope::Differences(from) if *from != holds => return Err(Error::Gap { from: *from, holds }),
        Scope::Differences(_) => return Ok(change.removals.clone()),
        Scope::Buckets(buckets) => Box::new(|uid| buckets.contains(&SetDigest::bucket(uid))),
        Scope::Whole => Box::new(|_| true),
    };
    let named: HashSet<Uid> = (change.upserts.iter().map(|upsert| upsert.uid))
        .chain(change.removals.iter().map(|removal| removal.uid))
        .collect();
    let implied = holdings.entries().filter_map(|(uid, entry)| match entry {
        Entry::Wanted { generation, .. } if in_scope(uid) && !named.contains(&uid) => {
            Some(Removal { uid, generation: generation.max(change.log_index.into()) })
        }
        _ => None,
    });
    let mut all: Vec<Removal> = change.removals.iter().copied().chain(implied).collect();
    // Hash maps have no order of their own, and the same input must lead to the same plan.
    all.sort_unstable_by_key(|removal| removal.uid);
    Ok(all)
}

/// Whether more of what runs would go than may go unasked, what waits already included.
fn exceeds(budget: Budget, holdings: &Holdings, removals: &[Removal], upserts: &[Upsert]) -> bool {
    let runs = |removal: &&Removal| matches!(holdings.get(removal.uid), Some(Entry::Wanted { generation, runs: true }) if generation <= removal.generation);
    let going = u32::try_from(removals.iter().filter(runs).count()).unwrap_or(u32::MAX);
    let freed =
        upserts.iter().filter(|upsert| matches!(holdings.get(upsert.uid), Some(Entry::Held { .. }))).count();
    let waiting = holdings.held().count.saturating_sub(u32::try_from(freed).unwrap_or(u32::MAX));
    going > 0 && going.saturating_add(waiting) > budget.allows(holdings.running())
}

fn step_of_removal(holdings: &Holdings, removal: Removal, hold: bool) -> Option<Step> {
    match holdings.get(removal.uid) {
        // An older removal than what was decided since.
        Some(Entry::Wanted { generation, .. }) if removal.generation < generation => None,
        Some(Entry::Wanted { generation, runs: true }) if hold => Some(Step::Hold { removal, generation }),
        Some(Entry::Held { removal: known, .. } | Entry::Stopping { removal: known })
            if removal.generation <= known =>
        {
            None
        }
        Some(Entry::Held { generation, .. }) => Some(Step::Hold { removal, generation }),
        // What is not known here is stopped too: only the target can prove that nothing of it runs.
        Some(Entry::Wanted { .. } | Entry::Stopping { .. }) | None => Some(Step::Stop(removal)),
    }
}

fn take(held: Option<Entry>, upsert: Upsert, plan: &mut Plan) {
    let Upsert { uid, generation, bytes, content } = upsert;
    let newest = match held {
        Some(Entry::Wanted { generation: held, .. }) if held == generation => return,
        Some(Entry::Wanted { generation, .. }) => Some(generation),
        Some(Entry::Held { removal, .. } | Entry::Stopping { removal }) => Some(removal),
        None => None,
    };
    if let Some(newest) = newest.filter(|newest| *newest >= generation) {
        let message =
            format!("generation {generation} is older than {newest}, which this agent has followed already");
        let refusal = Refusal { reason: Reason::Outdated, message };
        plan.refused.push(RefusedItem { uid, generation, refusal });
        return;
    }
    match content {
        Ok(assignment) => plan.steps.push(Step::Run { bytes, assignment }),
        Err(refusal) => {
            plan.refused.push(RefusedItem { uid, generation, refusal: refusal.clone() });
            let runs = matches!(held, Some(Entry::Wanted { runs: true, .. } | Entry::Held { .. }));
            plan.steps.push(Step::Refuse { uid, generation, bytes, runs, refusal });
        }
    }
}

#[cfg(test)]
mod tests;
