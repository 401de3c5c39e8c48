//! One custom resource in a few words: which assignment it is for, and how far the operator is with it.

use isthmus_model::name::Uid;
use isthmus_model::order::Generation;
use isthmus_model::reason::Reason;
use kube::core::object::{NotUsed, Object};
use serde::Deserialize;

use crate::custom_resources::marks::{Mark, Share};

/// A custom resource as the watch shows it: of the object that is read only what is looked at.
pub(super) type Watched = Object<Option<NotUsed>, WatchedStatus>;

/// The part of the status that is about the whole.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WatchedStatus {
    replicas: i32,
    observed_generation: Option<i64>,
    conditions: WatchedConditions,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct WatchedConditions {
    #[serde(rename = "Ready")]
    ready: Option<WatchedCondition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct WatchedCondition {
    status: String,
    reason: String,
    message: String,
}

/// What is kept of a custom resource of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) uid: Uid,
    /// Of the assignment that the operator was last seen to be done with; `None` while it was not done with any.
    pub(super) settled: Option<Settled>,
    /// Somebody deletes it.
    pub(super) deleted: bool,
    /// It does not exist any more; its pods may.
    pub(super) gone: bool,
}

/// An assignment that the operator has carried out, or has said why it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) generation: Generation,
    pub(super) desired: u32,
    pub(super) outlook: Outlook,
}

/// What the operator says of the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outlook {
    /// All pods are there, ready and of the newest form.
    Ready,
    /// They are on their way, as far as the operator knows.
    OnTheWay,
    /// Something is in the way.
    Hindered { reason: Reason, message: Box<str> },
}

impl Resource {
    /// What is kept of one that carries an assignment's marks; `before` is what was known of it.
    ///
    /// A status that is about an older form of the resource says nothing of the newest assignment: what is known of the older
    /// one stays.
    pub(super) fn read(share: &Share, watched: &Watched, before: Option<&Self>) -> Option<Self> {
        let Mark { uid, generation } = share.mark(watched.metadata.annotations.as_ref())?;
        let status = watched.status.as_ref();
        let current = status.and_then(|status| status.observed_generation) >= watched.metadata.generation;
        let settled = match status {
            Some(status) if current => Some(Settled {
                generation,
                desired: u32::try_from(status.replicas).unwrap_or(0),
                outlook: outlook(status.conditions.ready.as_ref()),
            }),
            _ => before.filter(|before| before.uid == uid).and_then(|before| before.settled.clone()),
        };
        Some(Self { uid, settled, deleted: watched.metadata.deletion_timestamp.is_some(), gone: false })
    }
}

fn outlook(ready: Option<&WatchedCondition>) -> Outlook {
    match ready {
        Some(ready) if ready.status == "True" => Outlook::Ready,
        Some(WatchedCondition { reason, message, .. }) => match reason.parse() {
            Ok(Reason::Starting) | Err(()) => Outlook::OnTheWay,
            Ok(reason) => Outlook::Hindered { reason, message: message.as_str().into() },
        },
        None => Outlook::OnTheWay,
    }
}

#[cfg(test)]
mod tests;
