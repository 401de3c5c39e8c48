//! When a resource whose pass failed is tried again: the delays of each grow by themselves, so that one in trouble costs the
//! others nothing.

use std::collections::HashMap;
use std::time::Duration;

use isthmus_daemon::backoff::{self, Backoff, Policy};
use parking_lot::Mutex;

use super::reconcile::Error;

/// Namespace and name of a resource.
pub(super) type Name = (String, String);

/// A conflict is gone as soon as it is looked at again.
const SOON: Duration = Duration::from_millis(100);

/// The first delay where trying again at once would change nothing.
const MOSTLY_FINAL: Duration = Duration::from_secs(5);

/// What nobody but a person can mend is tried again nevertheless, for they may have.
const SLOW: Duration = Duration::from_mins(5);

/// Delays of the resources in trouble.
#[derive(Debug, Default)]
pub(super) struct Retries(Mutex<HashMap<Name, Backoff>>);

impl Retries {
    /// How long to wait after this failure.
    pub(super) fn after(&self, name: &Name, error: &Error) -> Duration {
        match error {
            Error::Dereference(source) | Error::Apply(source) | Error::Status(source) => {
                let least = if source.refusal().is_some() { MOSTLY_FINAL } else { SOON };
                self.next(name, least)
            }
            Error::Panicked(_) => self.next(name, MOSTLY_FINAL),
        }
    }

    /// It is well again.
    pub(super) fn forget(&self, name: &Name) {
        self.0.lock().remove(name);
    }

    fn next(&self, name: &Name, least: Duration) -> Duration {
        let mut all = self.0.lock();
        let start = || Policy::between(least, SLOW).start(backoff::seed());
        all.entry(name.clone()).or_insert_with(start).next_delay()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_for_each_resource_by_itself_and_start_anew_when_it_is_well() {
        let retries = Retries::default();
        let name = |name: &str| ("n".to_owned(), name.to_owned());
        let panicked = Error::Panicked("x".to_owned());
        let mut last = Duration::ZERO;
        for _ in 0..5 {
            last = retries.after(&name("a"), &panicked);
        }
        assert!(last > MOSTLY_FINAL * 4, "{last:?}");
        assert!(retries.after(&name("b"), &panicked) <= MOSTLY_FINAL);
        retries.forget(&name("a"));
        assert!(retries.after(&name("a"), &panicked) <= MOSTLY_FINAL);
    }
}
