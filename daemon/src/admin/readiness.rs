//! Whether the server can do its work, and if not, what is missing, in words.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

/// What must hold before the server is ready. Clones are the same.
///
/// Parts state conditions while they are built; the server is ready when all of them hold and it is not stopping.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    /// Whether it is ready, for who waits for that to change.
    ready: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Inner {
    stopping: bool,
    /// By name: why the condition does not hold, `None` where it does.
    conditions: BTreeMap<&'static str, Option<String>>,
}

impl Readiness {
    /// Nothing is required yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// States a condition. It does not hold until [`Condition::holds`] is called.
    ///
    /// The name says what is awaited, such as `store` or `gateway session`; the same name is the same condition.
    pub fn require(&self, name: &'static str) -> Condition {
        self.change(|inner| inner.conditions.insert(name, Some("not yet".into())));
        Condition { readiness: self.clone(), name }
    }

    /// Whether nothing is missing.
    pub fn is_ready(&self) -> bool {
        self.0.inner.lock().is_ready()
    }

    /// Whether the server is ready, from now on. Only the latest is kept.
    pub fn follow(&self) -> watch::Receiver<bool> {
        self.change(|_| ());
        self.0.ready.subscribe()
    }

    /// One line for each thing that is missing: its name and why. Empty when ready.
    pub fn missing(&self) -> Vec<String> {
        let inner = self.0.inner.lock();
        let stopping = inner.stopping.then(|| "shutting down".to_owned());
        let conditions = inner.conditions.iter();
        let unmet = conditions.filter_map(|(name, why)| Some(format!("{name}: {}", why.as_ref()?)));
        stopping.into_iter().chain(unmet).collect()
    }

    /// From here on the server is not ready, whatever else holds.
    pub fn shutting_down(&self) {
        self.change(|inner| inner.stopping = true);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) {
        let mut inner = self.0.inner.lock();
        change(&mut inner);
        let now = inner.is_ready();
        // Told under the lock, so that changes are told in their order.
        self.0.ready.send_if_modified(|ready| std::mem::replace(ready, now) != now);
    }
}

impl Inner {
    fn is_ready(&self) -> bool {
        !self.stopping && self.conditions.values().all(Option::is_none)
    }
}

/// One condition, in the hands of the part that knows whether it holds.
#[derive(Debug, Clone)]
pub struct Condition {
    readiness: Readiness,
    name: &'static str,
}

impl Condition {
    /// It holds.
    pub fn holds(&self) {
        self.set(None);
    }

    /// It does not hold (any more); the reason is shown to who asks.
    pub fn fails(&self, why: impl Into<String>) {
        self.set(Some(why.into()));
    }

    fn set(&self, why: Option<String>) {
        self.readiness.change(|inner| inner.conditions.insert(self.name, why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_until_it_is_there() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());
        let store = readiness.require("store");
        let session = readiness.require("session");
        session.fails("the gateway does not answer");
        assert_eq!(readiness.missing(), ["session: the gateway does not answer", "store: not yet"]);
        store.holds();
        session.holds();
        assert!(readiness.is_ready());
        session.fails("closed");
        assert_eq!(readiness.missing(), ["session: closed"]);
    }

    #[test]
    fn a_server_that_stops_is_not_ready() {
        let readiness = Readiness::new();
        let follower = readiness.follow();
        assert!(*follower.borrow());
        readiness.require("store").holds();
        readiness.shutting_down();
        assert!(!readiness.is_ready());
        assert_eq!(readiness.missing(), ["shutting down"]);
        assert!(!*follower.borrow());
    }
}
