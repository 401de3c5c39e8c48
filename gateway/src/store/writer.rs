//! The one writer: it decides in order, makes durable in groups, and only then answers.
//!
//! ```text
//! queue ▶ decider (thread): decide, apply, encode ▶ pending ▶ appender (thread): append, publish ▶ writer (task): answer
//!                                                                └▶ upkeep (thread): snapshots, compaction
//! ```
//!
//! The decider goes on while the appender waits for the disk, and all that it decided meanwhile goes into the next append:
//! so the longer a sync takes, the more commits share it. When many callers wait, it paces itself so that syncs take a quarter
//! of the time and no more: on a fast disk, each of them would else be for two or three commits.

mod appender;
mod decider;
mod pending;
mod upkeep;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use isthmus_daemon::clock::Clock;
use isthmus_model::order::{Epoch, LogIndex, UnixMillis};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::engine::{self, Engine};
use super::handle::{Handle, Message};
use super::recover;
use super::shared::Shared;
use appender::Appender;
use pending::{Answers, Pending};

/// Appended batches whose answers may wait to be given.
const BATCHES: usize = 64;

/// How the store is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", default, deny_unknown_fields)]
pub struct Config {
    /// Groups of commands that may wait for the writer; who comes later waits before the queue. More would only make
    /// waiting callers time out later.
    pub queue: usize,
    /// Log after which a snapshot is taken: what a restart reads beyond the snapshot is about this much.
    #[serde(with = "isthmus_daemon::config::size")]
    pub snapshot: ByteSize,
    /// How long the log is kept as history for watches and audit.
    #[serde(with = "humantime_serde")]
    pub history: Duration,
    /// How much of it is kept at most, beyond what a restart needs.
    #[serde(with = "isthmus_daemon::config::size")]
    pub history_size: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            queue: 1024,
            snapshot: ByteSize::mib(128),
            history: Duration::from_hours(168),
            history_size: ByteSize::gib(1),
        }
    }
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The engine could not become leader.
    #[error("cannot take the store over")]
    Acquire(#[source] engine::Error),
    /// What is stored could not be read.
    #[error("cannot load the store")]
    Load(#[source] engine::Error),
}

/// Why the writer ended. The process must end, too: nobody knows what of the last commits is in the log.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// An append failed.
    #[error("cannot append commits {from} to {to} to the log")]
    Append {
        /// The first of them.
        from: LogIndex,
        /// The last of them.
        to: LogIndex,
        /// What went wrong.
        source: engine::Error,
    },
    /// A thread could not be started.
    #[error("cannot start the thread {name}")]
    Thread {
        /// Which.
        name: &'static str,
        /// What went wrong.
        source: std::io::Error,
    },
    /// A thread panicked.
    #[error("the writer ended in a panic")]
    Panicked,
}

/// The writer, ready to run.
#[derive(Debug)]
pub struct Writer<E> {
    engine: E,
    epoch: Epoch,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    config: Config,
    sender: mpsc::Sender<Message>,
    queue: mpsc::Receiver<Message>,
}

/// Takes the store over and loads it. It answers reads from here on, and commands once the writer runs.
pub fn open<E: Engine>(
    mut engine: E,
    clock: Arc<dyn Clock>,
    config: Config,
) -> Result<(Handle, Writer<E>), OpenError> {
    let epoch = engine.acquire().map_err(OpenError::Acquire)?;
    let mut state = recover::load(&mut engine).map_err(OpenError::Load)?;
    state.epoch = epoch;
    let shared = Arc::new(Shared::new(state, engine.log()));
    let (sender, queue) = mpsc::channel(config.queue.max(1));
    let handle = Handle::new(shared.clone(), sender.clone());
    Ok((handle, Writer { engine, epoch, shared, clock, config, sender, queue }))
}

impl<E: Engine> Writer<E> {
    /// Runs until `stop`, then takes nothing more, makes durable and answers what it has taken, and returns. An error means
    /// that the log could not be written.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let Self { engine, epoch, shared, clock, config, sender, queue } = self;
        let pending = Arc::new(Pending::default());
        let upkeep = upkeep::start(&engine, shared.clone(), clock.clone(), config)?;
        let (ended, mut end) = oneshot::channel();
        let (answered, mut answers) = mpsc::channel(BATCHES);
        let appender = Appender {
            engine,
            shared: shared.clone(),
            clock: clock.clone(),
            pending: pending.clone(),
            upkeep,
            answered,
        };
        appender.start(ended)?;
        decider::start(decider::Decider::new(epoch, shared.clone(), clock, pending), queue)?;
        let mut stopping = pin!(async {
            stop.cancelled().await;
            // If nobody receives it, the decider is gone already and the appender follows.
            let _ = sender.send(Message::Stop).await;
        });
        let mut told = false;
        let result = loop {
            // Cancel-safe: each may be asked again, and none is asked after it was ready.
            tokio::select! {
                Some(batch) = answers.recv() => answer(batch),
                result = &mut end => break result.unwrap_or(Err(Failure::Panicked)),
                () = &mut stopping, if !told => told = true,
            }
        };
        while let Ok(batch) = answers.try_recv() {
            answer(batch);
        }
        if result.is_err() {
            shared.fail();
        }
        result
    }
}

/// Wakes who waits. Here and not in the appender's thread: a task wakes others without a system call for each.
fn answer(batch: Vec<Answers>) {
    for (caller, answers) in batch {
        // Who has gone away does not hear it; the change is made all the same.
        let _ = caller.send(answers);
    }
}

fn spawn(name: &'static str, body: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    thread.map(drop).map_err(|source| Failure::Thread { name, source })
}

fn now(clock: &dyn Clock) -> UnixMillis {
    let since = clock.now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
