//! Makes batches durable in order, then lets them be seen and answered.

use std::sync::Arc;

use isthmus_daemon::clock::Clock;
use tokio::sync::oneshot;

use super::pending::{Batch, Pending};
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

pub(super) fn start<E: Engine>(
    mut engine: E,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    pending: Arc<Pending>,
    upkeep: Nudge,
    ended: oneshot::Sender<Result<(), Failure>>,
) -> Result<(), Failure> {
    spawn("store-appender", move || {
        let broken = Broken(pending.clone());
        let mut result = Ok(());
        while let Some(batch) = pending.take() {
            result = append(&mut engine, &shared, clock.as_ref(), &upkeep, batch);
            if result.is_err() {
                break;
            }
        }
        if result.is_err() {
            // Before the answers are dropped, so that who waits for the log does not wait for ever.
            shared.fail();
        }
        drop(broken);
        // The lock on the data is given back before the end is told: whoever hears of it may open it again.
        drop(engine);
        let _ = ended.send(result);
    })
}

fn append<E: Engine>(
    engine: &mut E,
    shared: &Shared,
    clock: &dyn Clock,
    upkeep: &Nudge,
    batch: Batch,
) -> Result<(), Failure> {
    let bytes = batch.bytes();
    if let Some((after, last)) = batch.after().zip(batch.commits.last().map(|commit| commit.index)) {
        let begun = clock.boot();
        engine.append(after, &batch.records).map_err(|source| Failure::Append {
            from: after.next(),
            to: last,
            source,
        })?;
        metrics::histogram!("isthmus_store_append_seconds").record(clock.boot().saturating_sub(begun));
        metrics::counter!("isthmus_store_appends_total").increment(1);
        metrics::counter!("isthmus_store_commits_total").increment(batch.commits.len() as u64);
        metrics::counter!("isthmus_store_log_bytes_total").increment(bytes as u64);
        shared.publish(batch.commits);
        upkeep.appended(bytes);
    }
    for (cluster, generation) in batch.touched {
        shared.notify(cluster, generation);
    }
    for (answer, answers) in batch.answers {
        // Who has gone away does not hear it; the change is made all the same.
        let _ = answer.send(answers);
    }
    Ok(())
}
