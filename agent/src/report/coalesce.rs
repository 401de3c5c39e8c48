//! The newest observation of every component, and which of them the gateway has not heard: pure.
//!
//! It is bounded by the number of components that the inbox expects observations of: however fast a target speaks, only
//! the newest word waits. A lower generation never replaces a higher one.

use std::collections::{HashMap, VecDeque};

use isthmus_model::name::Uid;
use isthmus_model::observation::Observation;

/// See the module.
#[derive(Debug, Default)]
pub struct Coalescer {
    slots: HashMap<Uid, Slot>,
    /// What is unheard, oldest first, so that nobody waits for ever behind who speaks often; each UID once.
    unheard: VecDeque<Uid>,
}

#[derive(Debug, Default)]
struct Slot {
    newest: Option<Box<Observation>>,
    queued: bool,
}

impl Coalescer {
    /// Observations of this component are wanted from now on.
    pub fn expect(&mut self, uid: Uid) {
        self.slots.entry(uid).or_default();
    }

    /// Nobody wants to know any more.
    pub fn forget(&mut self, uid: Uid) {
        if self.slots.remove(&uid).is_some_and(|slot| slot.queued) {
            self.unheard.retain(|unheard| *unheard != uid);
        }
    }

    /// Takes what a target sees. Returns whether there is something to say that there was not before.
    ///
    /// What nobody expects is dropped: an agent speaks of what it was given and of nothing else.
    pub fn push(&mut self, observation: Observation) -> bool {
        let uid = observation.uid;
        let Some(slot) = self.slots.get_mut(&uid) else { return false };
        let news = match slot.newest.as_deref() {
            Some(known) if observation.generation < known.generation => false,
            Some(known) => !says_the_same(known, &observation),
            None => true,
        };
        if !news {
            return false;
        }
        slot.newest = Some(Box::new(observation));
        if !std::mem::replace(&mut slot.queued, true) {
            self.unheard.push_back(uid);
        }
        true
    }

    /// A new session knows nothing yet: everything is unheard.
    pub fn unheard_all(&mut self) {
        self.unheard.clear();
        for (uid, slot) in &mut self.slots {
            slot.queued = slot.newest.is_some();
            if slot.queued {
                self.unheard.push_back(*uid);
            }
        }
    }

    /// Whether there is something to say.
    pub fn is_empty(&self) -> bool {
        self.unheard.is_empty()
    }

    /// Takes out at most `most` of what is unheard.
    pub fn drain(&mut self, most: usize) -> Vec<Observation> {
        let mut drained = Vec::new();
        while drained.len() < most
            && let Some(uid) = self.unheard.pop_front()
        {
            if let Some(slot) = self.slots.get_mut(&uid) {
                slot.queued = false;
                drained.extend(slot.newest.as_deref().cloned());
            }
        }
        drained
    }
}

/// Equal but for the time of looking.
fn says_the_same(a: &Observation, b: &Observation) -> bool {
    let Observation {
        uid,
        generation,
        phase,
        desired,
        ready,
        restarts,
        reason,
        last_error,
        messages,
        observed_at: _,
    } = a;
    *uid == b.uid
        && *generation == b.generation
        && *phase == b.phase
        && *desired == b.desired
        && *ready == b.ready
        && *restarts == b.restarts
        && *reason == b.reason
        && *last_error == b.last_error
        && *messages == b.messages
}

#[cfg(test)]
mod tests;
