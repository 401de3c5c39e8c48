//! What takes time: each effect is a future that ends with an event, and shares nothing with the loop.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use isthmus_model::reason::Reason;
use rustix::process::Signal;

use crate::host::failed::Failed;
use crate::host::gone::make_sure_it_is_gone;
use crate::host::hold::Running;
use crate::host::last_words;
use crate::host::look::Answer;
use crate::host::process::Process;
use crate::host::record::{InstanceDir, Key};

/// What an effect ends with.
pub(super) enum Event {
    /// A start succeeded or failed.
    Launched(Key, Result<Running, Failed>),
    /// It is certain that nothing of the instance runs.
    Gone(Key, String),
    /// A round of looking is over.
    Looked(Vec<Answer>),
    /// Nothing that anybody waits for.
    Done,
}

/// Waits for a start. A panic in it is a failed start, after which nothing runs.
pub(super) async fn launched(
    key: Key,
    starting: impl Future<Output = Result<Running, Failed>>,
    directory: InstanceDir,
) -> Event {
    let result = match AssertUnwindSafe(starting).catch_unwind().await {
        Ok(result) => result,
        Err(_panic) => {
            make_sure_it_is_gone(&directory).await;
            let message = "starting it failed inside the agent".to_owned();
            Err(Failed { reason: Reason::Internal, message })
        }
    };
    Event::Launched(key, result)
}

/// Waits for a round of looking. A panic in it is a round in which nothing was seen.
pub(super) async fn looked(round: impl Future<Output = Vec<Answer>>) -> Event {
    Event::Looked(AssertUnwindSafe(round).catch_unwind().await.unwrap_or_default())
}

/// Asks the instance to end; the guard kills it when its grace is over. A guard that does not end either is killed itself, and what
/// it leaves is then killed by [`until_gone`].
pub(super) async fn stop(guard: Arc<Process>, grace: Duration) -> Event {
    const GUARDS_OWN_TIME: Duration = Duration::from_secs(10);
    let asked = guard.signal(Signal::TERM);
    if asked.is_err() || tokio::time::timeout(grace + GUARDS_OWN_TIME, guard.ended()).await.is_err() {
        let pid = guard.identity().pid;
        tracing::warn!(pid, "the guard with pid {pid} does not end and is killed");
        if let Err(error) = guard.signal(Signal::KILL) {
            tracing::error!(%error, "the guard with pid {pid} cannot be killed");
        }
    }
    Event::Done
}

/// Waits for the end of a guard, and then until nothing of its instance is left.
pub(super) async fn until_gone(key: Key, guard: Arc<Process>, directory: InstanceDir) -> Event {
    if let Err(error) = guard.ended().await {
        tracing::error!(%error, "the guard with pid {} cannot be waited for", guard.identity().pid);
    }
    // Boxed, because thousands wait above for years, and only few are here.
    Box::pin(make_sure_it_is_gone(&directory)).await;
    let read = tokio::task::spawn_blocking(move || last_words::of(&directory)).await;
    Event::Gone(key, read.unwrap_or_else(|_| "the instance ended".to_owned()))
}
