//! Who of several agents of one cluster may write: the holder of a Lease.
//!
//! ```text
//! Lease ⇄ driver [client] ⇄ election (a value) ▶ tenure ▶ the operator, and each of its writes
//! ```
//!
//! A Lease fences nobody: a holder that slept finds out late. So each write asks the tenure first, which ends by the holder's own
//! clock before anybody else may take over, and carries the version of the object that it was made for.

use std::sync::Arc;
use std::time::Duration;

use isthmus_daemon::clock::Clock;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

mod election;
mod driver;

pub use driver::{Elected, Lost, elect};

/// The Lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Kubernetes namespace of the Lease; it must exist. Default `default`.
    pub namespace: String,
    /// Its name, the same for all agents of the cluster and no others. Default `isthmus-agent`.
    pub name: String,
    /// How long a holder that nothing is heard of still counts as one. From 1 s, in whole seconds. Default 3 s: another agent
    /// takes over within 5 s. A holder that does not reach the API server for nine tenths of it ends.
    #[serde(with = "humantime_serde")]
    pub duration: Duration,
    /// How often the holder renews, and tries again; less than half of `duration`. Default 1 s.
    #[serde(with = "humantime_serde")]
    pub renew: Duration,
    /// How often the others look. Default 300 ms: a holder that ends in order is followed within 1 s.
    #[serde(with = "humantime_serde")]
    pub look: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            name: "isthmus-agent".to_owned(),
            duration: Duration::from_secs(3),
            renew: Duration::from_secs(1),
            look: Duration::from_millis(300),
        }
    }
}

impl Config {
    /// What cannot be meant: which setting, and what it must be.
    ///
    /// # Errors
    /// There is such a setting.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.duration < Duration::from_secs(1) || self.duration.subsec_nanos() != 0 {
            return Err(("duration", "it must be whole seconds, at least 1 s"));
        }
        if self.renew.is_zero() || self.renew * 2 >= self.duration {
            return Err(("renew", "it must be less than half of duration"));
        }
        if self.look.is_zero() || self.look >= self.duration {
            return Err(("look", "it must be less than duration"));
        }
        Ok(())
    }
}

/// How long this agent may write. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Tenure(Option<Arc<Term>>);

#[derive(Debug)]
struct Term {
    clock: Arc<dyn Clock>,
    /// Time since boot.
    until: Mutex<Duration>,
}

impl Tenure {
    /// Of an agent that is the only one of its cluster.
    pub fn unbounded() -> Self {
        Self(None)
    }

    fn until(clock: Arc<dyn Clock>, until: Duration) -> Self {
        Self(Some(Arc::new(Term { clock, until: Mutex::new(until) })))
    }

    fn extend(&self, until: Duration) {
        if let Some(term) = &self.0 {
            *term.until.lock() = until;
        }
    }

    /// How long it lasts from now on: nothing where it is over, [`Duration::MAX`] where it has no end.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let Some(term) = &self.0 else { return Some(Duration::MAX) };
        let left = term.until.lock().saturating_sub(term.clock.boot());
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use isthmus_daemon::clock::ManualClock;

    use super::*;

    #[test]
    fn a_tenure_ends_by_the_holders_own_clock_unless_it_is_extended() {
        let clock = ManualClock::default();
        let tenure = Tenure::until(Arc::new(clock.clone()), Duration::from_secs(3));
        clock.advance(Duration::from_secs(2));
        assert_eq!(tenure.remaining(), Some(Duration::from_secs(1)));
        tenure.extend(Duration::from_secs(5));
        assert_eq!(tenure.clone().remaining(), Some(Duration::from_secs(3)));
        clock.advance(Duration::from_secs(3));
        assert_eq!(tenure.remaining(), None);
        assert_eq!(Tenure::unbounded().remaining(), Some(Duration::MAX));
    }

    #[test]
    fn settings_that_would_let_two_hold_or_nobody_are_refused() {
        let seconds = Duration::from_secs;
        assert_eq!(Config::default().check(), Ok(()));
        let refused = |config: Config| config.check().unwrap_err().0;
        assert_eq!(
            refused(Config { duration: Duration::from_millis(2500), ..Config::default() }),
            "duration"
        );
        assert_eq!(refused(Config { renew: seconds(2), ..Config::default() }), "renew");
        assert_eq!(refused(Config { look: seconds(3), ..Config::default() }), "look");
    }
}
