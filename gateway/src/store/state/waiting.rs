//! Who waits for what, so that a change wakes only those whom it may help.

use std::collections::BTreeSet;

use isthmus_model::name::Uid;
use isthmus_model::order::LogIndex;
use isthmus_model::reason::Reason;

use super::component::Waiting;
use crate::placement::Refusals;

/// In the order in which they are planned again: who waits longest first. UIDs, not slots, because slots differ after a
/// restart and the order must not.
type Queue = BTreeSet<(LogIndex, Uid)>;

/// Who waits for what, and who is woken.
#[derive(Debug, Default)]
pub(crate) struct WaitingIndex {
    all: Queue,
    by_refusal: [Queue; Refusals::REASONS.len()],
    woken: Queue,
    /// Components that a taint drives away from where they are.
    driven: BTreeSet<Uid>,
}

impl WaitingIndex {
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn insert(&mut self, uid: Uid, waiting: Waiting) {
        self.all.insert((waiting.since, uid));
        self.queues(waiting.refusals, |queue| {
            queue.insert((waiting.since, uid));
        });
    }

    pub(crate) fn remove(&mut self, uid: Uid, waiting: Waiting) {
        let key = (waiting.since, uid);
        self.all.remove(&key);
        self.woken.remove(&key);
        self.queues(waiting.refusals, |queue| {
            queue.remove(&key);
        });
    }

    /// Something changed that these reasons spoke of.
    pub(crate) fn wake(&mut self, reasons: &[Reason]) {
        if self.all.is_empty() {
            return;
        }
        for (queue, reason) in self.by_refusal.iter().zip(Refusals::REASONS) {
            if reasons.contains(&reason) {
                self.woken.extend(queue);
            }
        }
    }

    /// Something changed that may help anybody.
    pub(crate) fn wake_all(&mut self) {
        self.woken.extend(&self.all);
    }

    pub(crate) fn wake_one(&mut self, uid: Uid, waiting: Waiting) {
        self.woken.insert((waiting.since, uid));
    }

    pub(crate) fn drive(&mut self, uid: Uid) {
        self.driven.insert(uid);
    }

    /// It was planned again.
    pub(crate) fn settle(&mut self, uid: Uid, waiting: Option<Waiting>, evicted: bool) {
        if let Some(waiting) = waiting {
            self.woken.remove(&(waiting.since, uid));
        }
        if evicted {
            self.driven.remove(&uid);
        }
    }

    /// It is no more.
    pub(crate) fn forget(&mut self, uid: Uid) {
        self.driven.remove(&uid);
    }

    pub(crate) fn is_woken(&self, uid: Uid, waiting: Waiting) -> bool {
        self.woken.contains(&(waiting.since, uid))
    }

    pub(crate) fn driven(&self) -> impl Iterator<Item = Uid> + '_ {
        self.driven.iter().copied()
    }

    /// Whom to plan again next.
    pub(crate) fn next(&self, limit: usize, may_evict: bool) -> Vec<Uid> {
        let driven = self.driven.iter().copied().filter(|_| may_evict);
        driven.chain(self.woken.iter().map(|(_, uid)| *uid)).take(limit).collect()
    }

    fn queues(&mut self, refusals: Refusals, mut change: impl FnMut(&mut Queue)) {
        for (queue, reason) in self.by_refusal.iter_mut().zip(Refusals::REASONS) {
            if refusals.contains(reason) {
                change(queue);
            }
        }
    }
}

/// The reasons that room given back may do away with.
pub(crate) const CAPACITY: &[Reason] =
    &[Reason::InsufficientCapacity, Reason::SpreadUnsatisfied, Reason::QuotaExceeded];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_wakes_only_those_whom_it_may_help_longest_waiting_first() {
        let uid = |n: u128| Uid(uuid::Uuid::from_u128(n));
        let waiting = |since: u64, reasons: &[Reason]| Waiting {
            since: LogIndex(since),
            refusals: reasons.iter().copied().collect(),
        };
        let mut index = WaitingIndex::default();
        let (a, b) =
            (waiting(9, &[Reason::Cordoned, Reason::InsufficientCapacity]), waiting(2, &[Reason::Cordoned]));
        index.insert(uid(1), a);
        index.insert(uid(2), b);
        index.wake(&[Reason::InsufficientCapacity]);
        assert_eq!(index.next(9, true), [uid(1)]);
        index.wake(&[Reason::Cordoned]);
        assert_eq!(index.next(9, true), [uid(2), uid(1)]);
        index.settle(uid(2), Some(b), true);
        assert_eq!(index.next(9, true), [uid(1)]);
        index.remove(uid(1), a);
        index.wake_all();
        assert_eq!(index.next(9, true), [uid(2)]);
    }

    #[test]
    fn nobody_is_driven_away_before_the_barrier_is_lifted() {
        let mut index = WaitingIndex::default();
        let uid = Uid(uuid::Uuid::from_u128(1));
        index.drive(uid);
        assert_eq!(index.next(9, false), []);
        assert_eq!(index.next(9, true), [uid]);
    }
}
