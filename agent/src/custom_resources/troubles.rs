//! When what failed is tried again: the delays of each subject grow by themselves, so that one in trouble costs the others
//! nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use isthmus_daemon::backoff::{self, Backoff, Policy};

use super::effect::{Error, Subject};

/// A conflict is over as soon as the watch has shown what came in between.
const SOON: Duration = Duration::from_millis(50);
/// What an API server does not take is taken later only if somebody changes something there.
const MOSTLY_FINAL: Duration = Duration::from_secs(5);
/// The longest delay of what an API server cannot do now.
const MOST: Duration = Duration::from_secs(15);
/// And of what only a person can mend.
const MOSTLY_FINAL_MOST: Duration = Duration::from_mins(5);

/// What is in trouble.
#[derive(Debug, Default)]
pub(super) struct Troubles(BTreeMap<Subject, Trouble>);

#[derive(Debug)]
struct Trouble {
    backoff: Backoff,
    /// As time since boot.
    until: Duration,
}

impl Troubles {
    /// Notes a failure; how long to wait after it.
    pub(super) fn after(&mut self, subject: &Subject, error: &Error, now: Duration) -> Duration {
        let policy = match error {
            Error::Api(error) if error.refusal().is_some() => {
                Policy::between(MOSTLY_FINAL, MOSTLY_FINAL_MOST)
            }
            Error::Api(_) => Policy::between(SOON, MOST),
            Error::Answer(_) | Error::Panicked(_) | Error::Secret(..) => {
                Policy::between(MOSTLY_FINAL, MOSTLY_FINAL_MOST)
            }
        };
        self.wait(subject, policy, now)
    }

    /// Something takes its time; how long to wait before the next look.
    pub(super) fn wait(&mut self, subject: &Subject, policy: Policy, now: Duration) -> Duration {
        let start = || Trouble { backoff: policy.start(backoff::seed()), until: now };
        let trouble = self.0.entry(subject.clone()).or_insert_with(start);
        let delay = trouble.backoff.next_delay();
        trouble.until = now + delay;
        delay
    }

    /// It is well again, or another thing is wanted of it.
    pub(super) fn forget(&mut self, subject: &Subject) {
        self.0.remove(subject);
    }

    /// Whether it has to wait.
    pub(super) fn waits(&self, subject: &Subject, now: Duration) -> bool {
        self.0.get(subject).is_some_and(|trouble| trouble.until > now)
    }

    /// The next moment after `now` at which something may be tried again.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        self.0.values().map(|trouble| trouble.until).filter(|until| *until > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_for_each_by_itself_and_start_anew_when_it_is_well() {
        let (mut troubles, now) = (Troubles::default(), Duration::from_secs(100));
        let panicked = Error::Panicked("x".to_owned());
        let first = troubles.after(&Subject::Proof, &panicked, now);
        assert!(first <= MOSTLY_FINAL && troubles.waits(&Subject::Proof, now));
        assert_eq!(troubles.next(now), Some(now + first));
        for _ in 0..4 {
            troubles.after(&Subject::Proof, &panicked, now);
        }
        let later = troubles.after(&Subject::Proof, &panicked, now);
        assert!(later > MOSTLY_FINAL * 4, "{later:?}");
        assert!(!troubles.waits(&Subject::Proof, now + later));
        troubles.forget(&Subject::Proof);
        assert!(troubles.after(&Subject::Proof, &panicked, now) <= MOSTLY_FINAL);
    }
}
