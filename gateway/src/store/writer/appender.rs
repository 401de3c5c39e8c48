//! Makes batches durable in order, then lets them be seen and answered.

use std::sync::Arc;

use isthmus_daemon::clock::Clock;
use tokio::sync::{mpsc, oneshot};

use super::pending::{Answers, Batch, Pending};
use super::upkeep::Nudge;
use super::{Failure, spawn};
use crate::store::engine::Engine;
use crate::store::shared::Shared;

/// Tells the decider that nothing more is taken, however the appender ends.
struct Broken(Arc<Pending>);

impl Drop for Broken {
    fn drop(&mut self) {
        self.0.break_off();
    }
}

pub(super) struct Appender<E> {
    pub(super) engine: E,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pending: Arc<Pending>,
    pub(super) upkeep: Nudge,
    /// Answers that may be given.
    pub(super) answered: mpsc::Sender<Vec<Answers>>,
}

impl<E: Engine> Appender<E> {
    /// Runs until the decider has ended or an append fails.
    pub(super) fn start(mut self, ended: oneshot::Sender<Result<(), Failure>>) -> Result<(), Failure> {
        spawn("store-appender", move || {
            let broken = Broken(self.pending.clone());
            let mut result = Ok(());
            while let Some(batch) = self.pending.take() {
                result = self.append(batch);
                if result.is_err() {
                    // Before the answers are dropped, so that who waits for the log does not wait for ever.
                    self.shared.fail();
                    break;
                }
            }
            drop(broken);
            // The lock on the data is given back before the end is told: whoever hears of it may open it again.
            drop(self);
            let _ = ended.send(result);
        })
    }

    fn append(&mut self, batch: Batch) -> Result<(), Failure> {
        let bytes = batch.bytes();
        if let Some((after, last)) = batch.after().zip(batch.commits.last().map(|commit| commit.index)) {
            let begun = self.clock.boot();
            self.engine.append(after, &batch.records).map_err(|source| Failure::Append {
                from: after.next(),
                to: last,
                source,
            })?;
            let now = self.clock.boot();
            let took = now.saturating_sub(begun);
            self.pending.appended(took);
            metrics::histogram!("isthmus_store_append_seconds").record(took);
            metrics::counter!("isthmus_store_appends_total").increment(1);
            metrics::counter!("isthmus_store_commits_total").increment(batch.commits.len() as u64);
            metrics::counter!("isthmus_store_log_bytes_total").increment(bytes as u64);
            self.shared.publish(batch.commits);
            self.upkeep.appended(bytes, now);
        }
        for (cluster, generation) in batch.touched {
            self.shared.notify(cluster, generation);
        }
        // Nobody hears them when the gateway has given up waiting; the changes are made all the same.
        let _ = self.answered.blocking_send(batch.answers);
        Ok(())
    }
}
