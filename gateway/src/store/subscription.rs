//! The log as a stream of commits: decoded ones while they are recent, from the engine before that.

use std::collections::VecDeque;
use std::sync::Arc;

use isthmus_model::order::LogIndex;

use super::commit::Commit;
use super::engine;
use super::record;
use super::shared::Shared;

/// Records read from the engine at once.
const PAGE: usize = 256;

/// Why a watch ends.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The next commit is no longer kept.
    #[error("the log before {oldest} is no longer kept; list, and watch from there")]
    Compacted {
        /// The oldest commit that is kept.
        oldest: LogIndex,
    },
    /// The store stopped.
    #[error("the gateway is stopping, or could not write its log")]
    Closed,
    /// The log could not be read.
    #[error("cannot read the log after {after}")]
    Log {
        /// Up to where it was read.
        after: LogIndex,
        /// What went wrong.
        source: engine::Error,
    },
    /// A record could not be understood.
    #[error("cannot understand the log after {after}")]
    Record {
        /// Up to where it was read.
        after: LogIndex,
        /// What is wrong with it.
        source: record::Error,
    },
}

/// All commits behind some LogIndex, in order and without gaps.
#[derive(Debug)]
pub struct Subscription {
    shared: Arc<Shared>,
    after: LogIndex,
    page: VecDeque<Arc<Commit>>,
}

impl Subscription {
    pub(crate) fn new(shared: Arc<Shared>, after: LogIndex) -> Self {
        Self { shared, after, page: VecDeque::new() }
    }

    /// The next commit; waits for it. Cancel-safe: a call that is dropped has taken nothing.
    pub async fn next(&mut self) -> Result<Arc<Commit>, Error> {
        loop {
            if let Some(commit) = self.page.pop_front() {
                self.after = commit.index;
                return Ok(commit);
            }
            self.page = match self.recent() {
                Some(page) => page,
                None => self.stored().await?,
            };
            if self.page.is_empty() {
                self.more().await?;
            }
        }
    }

    /// What is recent behind `after`; `None` when some of it is older than that.
    fn recent(&self) -> Option<VecDeque<Arc<Commit>>> {
        let recent = self.shared.recent.read();
        let Some(oldest) = recent.front().map(|commit| commit.index) else {
            return (self.after >= self.shared.progress.borrow().durable).then(VecDeque::new);
        };
        let skipped = (self.after.0 + 1).checked_sub(oldest.0)?;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        Some(recent.iter().skip(skipped).take(PAGE).cloned().collect())
    }

    /// The oldest commit that is kept; of an empty log, the first that will be.
    pub(crate) async fn oldest(&self) -> Result<LogIndex, Error> {
        let log = self.shared.log.clone();
        match tokio::task::spawn_blocking(move || log.read(LogIndex(0), 1)).await {
            Ok(Ok(records)) => Ok(records.first().map_or(LogIndex(1), |(index, _)| *index)),
            Ok(Err(engine::Error::Compacted { oldest })) => Ok(oldest),
            Ok(Err(source)) => Err(Error::Log { after: LogIndex(0), source }),
            Err(_) => Err(Error::Closed),
        }
    }

    async fn stored(&self) -> Result<VecDeque<Arc<Commit>>, Error> {
        let (log, after) = (self.shared.log.clone(), self.after);
        let durable = self.shared.progress.borrow().durable;
        let read = tokio::task::spawn_blocking(move || log.read(after, PAGE)).await;
        let records = match read {
            Ok(Ok(records)) => records,
            Ok(Err(engine::Error::Compacted { oldest })) => return Err(Error::Compacted { oldest }),
            Ok(Err(source)) => return Err(Error::Log { after, source }),
            Err(_) => return Err(Error::Closed),
        };
        // The engine may show what it is about to make durable; nobody is told of that before it is.
        let durable = records.into_iter().take_while(|(index, _)| *index <= durable);
        let decode = |(index, bytes): (LogIndex, Vec<u8>)| record::decode(index, &bytes).map(Arc::new);
        durable.map(decode).collect::<Result<_, _>>().map_err(|source| Error::Record { after, source })
    }

    async fn more(&self) -> Result<(), Error> {
        let mut progress = self.shared.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.durable > self.after || progress.failed).await;
        match reached {
            Ok(progress) if progress.durable > self.after => Ok(()),
            Ok(_) | Err(_) => Err(Error::Closed),
        }
    }
}
