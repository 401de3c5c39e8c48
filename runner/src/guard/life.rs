//! When a program is asked to end, and when it is made to: a value that is told the time and what happens.
//!
//! Times are times since boot. A reason once given stands: a lease that ends while the program is being stopped is
//! not why it was stopped.

use std::time::Duration;

use super::Reason;

/// The life of one program under its guard.
#[derive(Debug)]
pub(super) struct Life {
    grace: Duration,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Running { lease: Option<Duration> },
    Stopping { reason: Reason, kill_at: Duration },
    Killed { reason: Reason },
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Nothing,
    /// Ask the program to end.
    Ask,
    /// End it.
    Kill,
}

impl Life {
    /// It runs; until the end of its lease, if it has one.
    pub(super) fn new(grace: Duration, lease: Option<Duration>) -> Self {
        Self { grace, phase: Phase::Running { lease } }
    }

    /// When it wants to be woken, if nothing else happens.
    pub(super) fn wake_at(&self) -> Option<Duration> {
        match self.phase {
            Phase::Running { lease } => lease,
            Phase::Stopping { kill_at, .. } => Some(kill_at),
            Phase::Killed { .. } => None,
        }
    }

    /// The guard was told to stop the program.
    pub(super) fn told(&mut self, now: Duration) -> Action {
        match self.phase {
            Phase::Running { .. } => self.stop(Reason::Stopped, now),
            Phase::Stopping { .. } | Phase::Killed { .. } => Action::Nothing,
        }
    }

    /// The time has come, perhaps: `renewed` reads the lease, and is asked only when that matters.
    pub(super) fn woke(&mut self, now: Duration, renewed: impl FnOnce() -> Option<Duration>) -> Action {
        match self.phase {
            Phase::Running { lease: Some(end) } if now >= end => match renewed() {
                Some(later) if later > now => {
                    self.phase = Phase::Running { lease: Some(later) };
                    Action::Nothing
                }
                _ => self.stop(Reason::LeaseExpired, now),
            },
            Phase::Stopping { reason, kill_at } if now >= kill_at => {
                self.phase = Phase::Killed { reason };
                Action::Kill
            }
            Phase::Running { .. } | Phase::Stopping { .. } | Phase::Killed { .. } => Action::Nothing,
        }
    }

    /// Why the program has ended, now that it has.
    pub(super) fn reason(&self) -> Reason {
        match self.phase {
            Phase::Running { .. } => Reason::Exited,
            Phase::Stopping { reason, .. } | Phase::Killed { reason } => reason,
        }
    }

    fn stop(&mut self, reason: Reason, now: Duration) -> Action {
        self.phase = Phase::Stopping { reason, kill_at: now.saturating_add(self.grace) };
        Action::Ask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_program_that_is_told_is_asked_once_and_killed_after_the_grace() {
        let mut life = Life::new(GRACE, None);
        assert_eq!(life.wake_at(), None);
        assert_eq!(life.told(at(100)), Action::Ask);
        assert_eq!(life.told(at(101)), Action::Nothing);
        assert_eq!(life.wake_at(), Some(at(110)));
        assert_eq!(life.woke(at(109), || None), Action::Nothing);
        assert_eq!(life.woke(at(110), || None), Action::Kill);
        assert_eq!(life.woke(at(111), || None), Action::Nothing);
        assert_eq!(life.reason(), Reason::Stopped);
    }

    #[test]
    fn a_renewed_lease_is_waited_for_and_one_that_is_not_ends_the_program() {
        let mut life = Life::new(GRACE, Some(at(50)));
        assert_eq!(life.wake_at(), Some(at(50)));
        assert_eq!(life.woke(at(50), || Some(at(60))), Action::Nothing);
        assert_eq!(life.wake_at(), Some(at(60)));
        assert_eq!(life.reason(), Reason::Exited);
        // A machine that slept wakes late; a renewal that is over already renews nothing.
        assert_eq!(life.woke(at(90), || Some(at(90))), Action::Ask);
        assert_eq!(life.wake_at(), Some(at(100)));
        assert_eq!(life.reason(), Reason::LeaseExpired);
    }

    #[test]
    fn a_lease_that_cannot_be_read_is_over() {
        let mut life = Life::new(GRACE, Some(at(50)));
        assert_eq!(life.woke(at(50), || None), Action::Ask);
        assert_eq!(life.reason(), Reason::LeaseExpired);
    }

    #[test]
    fn the_first_reason_stands() {
        let mut life = Life::new(GRACE, Some(at(50)));
        assert_eq!(life.told(at(49)), Action::Ask);
        assert_eq!(life.woke(at(50), || None), Action::Nothing);
        assert_eq!(life.reason(), Reason::Stopped);
    }

    #[test]
    fn the_lease_is_not_read_before_its_time() {
        let mut life = Life::new(GRACE, Some(at(50)));
        assert_eq!(life.woke(at(49), || unreachable!("read too early")), Action::Nothing);
    }
}
