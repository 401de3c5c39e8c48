//! What every service of the API has in common: who calls, what time it is, and the way into the store.

use std::sync::Arc;

use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use isthmus_daemon::clock::Clock;
use isthmus_model::name::PrincipalName;
use isthmus_model::order::UnixMillis;
use isthmus_model::reason::Reason;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::clock::unix_millis;
use crate::status_code;
use crate::store::{Command, Handle, Outcome, State, Submission};

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Context {
    store: Handle,
    clock: Arc<dyn Clock>,
    stopping: CancellationToken,
}

impl Context {
    /// The API in front of `store`. `stopping` is cancelled when calls that have no end of their own must come to one.
    pub fn new(store: Handle, clock: Arc<dyn Clock>, stopping: CancellationToken) -> Self {
        Self { store, clock, stopping }
    }

    /// A stream that has no end of its own: the gateway's end is its end, and its client is told to try again.
    pub fn endless<T: Send + 'static>(
        &self,
        stream: impl Stream<Item = Result<T, Status>> + Send + 'static,
    ) -> BoxStream<'static, Result<T, Status>> {
        let stopping = self.stopping.clone();
        let farewell = stream::once(async move {
            let message = "the gateway is stopping; go on at another one, or at this one when it is back";
            stopping.is_cancelled().then(|| Err(status_code::failed(Reason::Unavailable, message)))
        });
        let stopped = self.stopping.clone().cancelled_owned();
        stream.take_until(stopped).chain(farewell.filter_map(std::future::ready)).boxed()
    }

    /// The store.
    pub fn store(&self) -> &Handle {
        &self.store
    }

    /// Now, by the wall.
    pub fn now(&self) -> UnixMillis {
        unix_millis(&*self.clock)
    }

    /// Changes something on a caller's behalf.
    pub async fn submit(&self, principal: &PrincipalName, command: Command) -> Result<Outcome, Status> {
        let submission =
            Submission { principal: principal.clone(), time: self.now(), request: None, command };
        self.store.submit(submission).await.map_err(status_code::rejected)
    }

    /// Reads something; `look` must be short.
    pub async fn read<T>(&self, look: impl FnOnce(&State) -> T) -> Result<T, Status> {
        self.store.read(look).await.map_err(status_code::closed)
    }
}

/// Cuts a sorted listing into pages. `token` is where the last page ended; `size` 0 means 500, and 5,000 is the greatest.
pub fn page_size(size: u32) -> usize {
    const DEFAULT: usize = 500;
    const GREATEST: usize = 5000;
    match usize::try_from(size) {
        Ok(0) => DEFAULT,
        Ok(size) => size.min(GREATEST),
        Err(_) => GREATEST,
    }
}
