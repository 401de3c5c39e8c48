//! What is seen of the share in the cluster, and what the gateway is told of it.
//!
//! ```text
//! watch of custom resources (ours, by label) ─┐
//! watch of pods (by label) ───────────────────┴▶ known ▶ fold (pure) ▶ Observe
//!                                                 │ ▲
//!              instances that are to be asked ◀───┘ └─── their counts ◀ ask [client]
//! ```
//!
//! Of each object a few words are kept. What is said is about the generation that the operator was seen to be done with, and an
//! instance that does not answer costs only itself.

pub mod config;
pub(crate) mod names;
mod resource;
mod pod;
mod counts;
mod component;
mod fold;
mod known;
mod ask;
mod watch;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use isthmus_daemon::clock::Clock;
use isthmus_model::name::Uid;
use isthmus_model::order::UnixMillis;
use kube::Client;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::marks::Share;
use super::place::Key;
use crate::operator::KINDS;
use crate::target::Observe;
use ask::Asker;
use known::Known;

pub use config::{Config, Way};

/// Looks at the share. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    known: Arc<Mutex<Known>>,
    config: Config,
    clock: Arc<dyn Clock>,
}

impl Observer {
    pub(crate) fn new(share: Share, config: Config, clock: Arc<dyn Clock>) -> Self {
        Self { known: Arc::new(Mutex::new(Known::new(share, config.clone()))), config, clock }
    }

    /// Where the component with this identity was seen.
    pub(crate) fn place(&self, uid: Uid) -> Option<Arc<Key>> {
        self.known.lock().place(uid)
    }

    /// Why no node takes the pod of this instance, if so.
    pub(crate) fn unscheduled(&self, key: &Key, instance: u32) -> Option<String> {
        self.known.lock().unscheduled(key, instance)
    }

    /// Looks until `stop`, in these namespaces, and tells what it sees.
    pub(crate) async fn run<O: Observe>(
        self,
        client: Client,
        namespaces: Vec<String>,
        way: Way,
        observe: O,
        stop: CancellationToken,
    ) {
        let asker = Asker::new(&client, way, self.config.timeout);
        let mut events = watch::events(&client, &namespaces, &KINDS);
        let mut answers = FuturesUnordered::new();
        let most = self.config.concurrency.max(1);
        loop {
            let now = self.clock.boot();
            let next = {
                let mut known = self.known.lock();
                let room = most.saturating_sub(answers.len());
                answers.extend(known.questions(now, room).into_iter().map(|question| asker.ask(question)));
                known.next_question().filter(|_| answers.len() < most)
            };
            let asking = async {
                match next {
                    Some(next) => tokio::time::sleep(next.saturating_sub(now)).await,
                    None => std::future::pending().await,
                }
            };
            // Every arm only waits; what has come stays where it is when another arm wins.
            let touched: BTreeSet<Arc<Key>> = tokio::select! {
                () = stop.cancelled() => return,
                Some(event) = events.next() => {
                    self.known.lock().on(event, self.clock.boot()).into_iter().collect()
                }
                Some(answer) = answers.next(), if !answers.is_empty() => {
                    self.known.lock().on_answer(answer, self.clock.boot(), self.wall()).into_iter().collect()
                }
                () = asking => continue,
            };
            let observations: Vec<_> = {
                let mut known = self.known.lock();
                touched.iter().filter_map(|key| known.tell(key, self.wall())).collect()
            };
            for observation in observations {
                observe.observe(observation);
            }
        }
    }

    fn wall(&self) -> UnixMillis {
        let since = self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
