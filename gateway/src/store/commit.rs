//! What was decided: the one thing that is logged, applied, watched and audited.

use isthmus_model::component::ComponentKind;
use isthmus_model::name::{FullName, PrincipalName, Uid};
use isthmus_model::order::{Epoch, LogIndex, Revision, UnixMillis};

use super::command::{Command, RequestId};
use crate::placement::Refusals;
use crate::placement::{ClusterId, PulsarId};

/// One decided command.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Its place in the order of all commits.
    pub index: LogIndex,
    /// The leader that decided it.
    pub epoch: Epoch,
    /// When, by the gateway's clock.
    pub time: UnixMillis,
    /// Who asked.
    pub principal: PrincipalName,
    /// The request that it answers, to recognise a retry.
    pub request: Option<Request>,
    /// What was asked.
    pub command: Command,
    /// What follows from it, in order. An effect that speaks of "the component" means the command's.
    pub effects: Vec<Effect>,
}

impl Commit {
    /// What the caller learns of it.
    pub fn outcome(&self) -> Outcome {
        let change = self.effects.iter().find_map(|effect| match (effect, &self.command) {
            (Effect::Created, Command::Write(write)) => Some(Change::Created { uid: write.uid }),
            (Effect::Updated { uid, revision }, _) => {
                Some(Change::Updated { uid: *uid, revision: *revision })
            }
            (Effect::Terminating { uid }, _) => Some(Change::Deleted { uid: *uid }),
            _ => None,
        });
        Outcome { index: self.index, change: change.unwrap_or(Change::Done) }
    }
}

/// A request's id with a digest of what it asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The id.
    pub id: RequestId,
    /// First half of SHA-256 over the command, without the UID and time that differ in each attempt.
    pub content: [u8; 16],
}

/// One consequence of a command. Values that the command holds are not repeated here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The component exists now, at revision 1.
    Created,
    /// The component has a new current revision.
    Updated {
        /// Its identity.
        uid: Uid,
        /// The new revision.
        revision: Revision,
    },
    /// The component is being deleted; every assignment became a removal.
    Terminating {
        /// Its identity.
        uid: Uid,
    },
    /// Where a component runs changed, or why it does not run in more places.
    Placed {
        /// Its identity.
        uid: Uid,
        /// Assignments that are new or changed; those not named stay as they are.
        assigned: Vec<Assigned>,
        /// Assignments that became removals.
        removed: Vec<ClusterId>,
        /// What it waits for; `None` means that it wants no other place than it has.
        waits: Option<Refusals>,
    },
    /// Nothing of a component runs in a cluster any more, so that the removal is forgotten.
    Stopped {
        /// Its identity.
        uid: Uid,
        /// Where.
        cluster: ClusterId,
    },
    /// The component is gone.
    Gone {
        /// Its identity.
        uid: Uid,
        /// The name that it had: who watches cannot look it up any more.
        name: FullName,
        /// Its kind.
        kind: ComponentKind,
    },
    /// A cluster joined for the first time, and has this id.
    ClusterJoined {
        /// Its id.
        id: ClusterId,
    },
    /// The command's change of a cluster took place.
    ClusterChanged,
    /// The command's change of a resource took place.
    ResourceChanged,
    /// A PulsarCluster was created, and has this id.
    PulsarClusterCreated {
        /// Its id.
        id: PulsarId,
    },
}

/// One assignment as decided. Its generation is the commit's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// Where.
    pub cluster: ClusterId,
    /// With which Pulsar cluster.
    pub pulsar: PulsarId,
    /// Which revision.
    pub revision: Revision,
    /// Instances to run.
    pub replicas: u32,
    /// Instances to reserve room for.
    pub reserved: u32,
}

/// What a caller learns of its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The commit that holds it; of an unchanged apply, the state's index at which it was compared.
    pub index: LogIndex,
    /// What happened.
    pub change: Change,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The component was created.
    Created {
        /// Its identity.
        uid: Uid,
    },
    /// The component has a new revision.
    Updated {
        /// Its identity.
        uid: Uid,
        /// The revision.
        revision: Revision,
    },
    /// The component is as it should be already; nothing was written.
    Unchanged {
        /// Its identity.
        uid: Uid,
        /// Its revision.
        revision: Revision,
    },
    /// The component is being deleted.
    Deleted {
        /// Its identity.
        uid: Uid,
    },
    /// The change was made.
    Done,
    /// There was nothing to do; nothing was written.
    Nothing,
}

impl Change {
    /// The component that it happened to.
    pub fn uid(self) -> Option<Uid> {
        match self {
            Self::Created { uid }
            | Self::Updated { uid, .. }
            | Self::Unchanged { uid, .. }
            | Self::Deleted { uid } => Some(uid),
            Self::Done | Self::Nothing => None,
        }
    }
}
