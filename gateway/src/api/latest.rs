//! Watching things of which only the newest counts: all that there is, then what differs, as often as a person can follow.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use isthmus_model::order::LogIndex;
use tonic::Status;

use crate::status_code;
use crate::store::{Handle, State};

/// Between two looks: so that a thousand commits cost one look and a watcher gets what they came to.
const PAUSE: Duration = Duration::from_millis(200);

/// What differs from the last look.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Difference<K, V> {
    /// It is there, new or changed.
    There(K, V),
    /// It is not there any more.
    Gone(K),
}

/// First all that `look` finds, then what differs whenever there were commits. `look` runs under the store's lock, so it must
/// take no more than cheap copies.
pub(super) fn watch<K, V, E>(
    store: Handle,
    look: impl Fn(&State) -> BTreeMap<K, V> + Send + Sync + 'static,
    event: impl Fn(Difference<K, V>) -> E + Send + 'static,
) -> BoxStream<'static, Result<E, Status>>
where
    K: Ord + Clone + Send + 'static,
    V: PartialEq + Clone + Send + 'static,
    E: Send + 'static,
{
    let watch = Watch { store, look, last: BTreeMap::new(), seen: None };
    stream::unfold(Some(watch), |watch| async move {
        let mut watch = watch?;
        match watch.next().await {
            Ok(differences) => Some((Ok(differences), Some(watch))),
            Err(status) => Some((Err(status), None)),
        }
    })
    .flat_map(move |step| {
        let events: Vec<_> = match step {
            Ok(differences) => differences.into_iter().map(|difference| Ok(event(difference))).collect(),
            Err(status) => vec![Err(status)],
        };
        stream::iter(events)
    })
    .boxed()
}

struct Watch<K, V, L> {
    store: Handle,
    look: L,
    last: BTreeMap<K, V>,
    seen: Option<LogIndex>,
}

impl<K, V, L> Watch<K, V, L>
where
    K: Ord + Clone,
    V: PartialEq + Clone,
    L: Fn(&State) -> BTreeMap<K, V>,
{
    async fn next(&mut self) -> Result<Vec<Difference<K, V>>, Status> {
        if let Some(seen) = self.seen {
            self.store.durable(seen.next()).await.map_err(status_code::closed)?;
            tokio::time::sleep(PAUSE).await;
        }
        let look = &self.look;
        let (now, applied) =
            self.store.read(|state| (look(state), state.applied())).await.map_err(status_code::closed)?;
        self.seen = Some(applied);
        let differences = differences(&self.last, &now);
        self.last = now;
        Ok(differences)
    }
}

fn differences<K: Ord + Clone, V: PartialEq + Clone>(
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
) -> Vec<Difference<K, V>> {
    let gone = before.keys().filter(|key| !after.contains_key(key)).map(|key| Difference::Gone(key.clone()));
    let there = after
        .iter()
        .filter(|(key, value)| before.get(key) != Some(value))
        .map(|(key, value)| Difference::There(key.clone(), value.clone()));
    gone.chain(there).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told_and_what_is_gone_comes_first() {
        let before = BTreeMap::from([("a", 1), ("b", 1), ("c", 1)]);
        let after = BTreeMap::from([("a", 1), ("b", 2), ("d", 1)]);
        let expected = [Difference::Gone("c"), Difference::There("b", 2), Difference::There("d", 1)];
        assert_eq!(differences(&before, &after), expected);
        assert_eq!(differences(&after, &after), []);
    }
}
