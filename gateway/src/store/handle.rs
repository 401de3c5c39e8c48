//! The store as everybody but the writer sees it: submit, read, watch.

use std::future::Future;
use std::sync::Arc;

use isthmus_model::order::{LogIndex, SetGeneration};
use tokio::sync::{mpsc, oneshot, watch};

use super::command::Submission;
use super::commit::Outcome;
use super::record::Prepared;
use super::rejection::Rejection;
use super::shared::Shared;
use super::state::{Access, State};
use super::subscription::Subscription;
use crate::placement::ClusterId;

/// What a command came to.
pub type Answer = Result<Outcome, Rejection>;

/// Commands that were submitted together, and who waits for their answers.
pub(crate) struct Group {
    pub(crate) items: Vec<Prepared>,
    /// Looks at the state when they are decided.
    pub(crate) look: Option<Look>,
    pub(crate) answer: oneshot::Sender<Vec<Answer>>,
}

/// A look at the state and at the group's answers; where what it saw goes is its own.
pub(crate) type Look = Box<dyn FnOnce(&State, &[Answer]) + Send>;

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("items", &self.items).finish_non_exhaustive()
    }
}

/// What the decider is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// Commands to decide.
    Group(Group),
    /// From now on something may be taken away on our own account.
    LiftBarrier,
    /// Take nothing more.
    Stop,
}

/// The store takes nothing any more: the gateway is stopping, or it could not write its log and is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the gateway is stopping, or could not write its log")]
pub struct Closed;

impl From<Closed> for Rejection {
    fn from(Closed: Closed) -> Self {
        Self::unavailable()
    }
}

/// The store as everybody but the writer sees it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Message>,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>, queue: mpsc::Sender<Message>) -> Self {
        Self { shared, queue }
    }

    /// Asks for one command. When it returns `Ok`, the change is durable and visible. If the caller goes away meanwhile,
    /// the command is decided all the same.
    pub async fn submit(&self, submission: Submission) -> Answer {
        let mut answers = self.submit_all(vec![submission]).await;
        answers.pop().unwrap_or_else(|| Err(Rejection::unavailable()))
    }

    /// Asks for many commands at once, independent of one another; the answers are in the same order. Each was durable
    /// on its own account, but they cost one queue entry and one wake-up.
    pub async fn submit_all(&self, submissions: Vec<Submission>) -> Vec<Answer> {
        let count = submissions.len();
        match self.give(submissions, None).await {
            Ok(answers) => answers.await.unwrap_or_else(|_| unavailable(count)),
            Err(Closed) => unavailable(count),
        }
    }

    /// As [`submit_all`](Self::submit_all), with a look at the state and the answers as the commands left them; `None` when
    /// they were not decided. A read after the answers would see what was decided since, and wait for that to become durable.
    /// `look` must be short: the writer waits for it.
    pub async fn submit_all_and_look<T: Send + 'static>(
        &self,
        submissions: Vec<Submission>,
        look: impl FnOnce(&State, &[Answer]) -> T + Send + 'static,
    ) -> (Vec<Answer>, Option<T>) {
        let count = submissions.len();
        match self.enqueue(submissions, look).await {
            Ok(answers) => answers.await,
            Err(Closed) => (unavailable(count), None),
        }
    }

    /// Puts commands into the queue, waiting while it is full, and returns the future of their answers and of what was seen:
    /// so that a stream keeps its order and goes on reading.
    pub async fn enqueue<T: Send + 'static, L: FnOnce(&State, &[Answer]) -> T + Send + 'static>(
        &self,
        submissions: Vec<Submission>,
        look: L,
    ) -> Result<impl Future<Output = (Vec<Answer>, Option<T>)> + Send + use<T, L>, Closed> {
        let count = submissions.len();
        let (saw, seen) = oneshot::channel();
        let look = move |state: &State, answers: &[Answer]| {
            // Who has gone away does not hear it.
            let _ = saw.send(look(state, answers));
        };
        let answers = self.give(submissions, Some(Box::new(look))).await?;
        Ok(async move {
            match answers.await {
                // What was seen is told only together with the answers: those wait until it is durable.
                Ok(answers) => (answers, seen.await.ok()),
                Err(_) => (unavailable(count), None),
            }
        })
    }

    async fn give(
        &self,
        submissions: Vec<Submission>,
        look: Option<Look>,
    ) -> Result<oneshot::Receiver<Vec<Answer>>, Closed> {
        // Encoding happens here, in as many callers as there are, and not in the one writer.
        let items = submissions.into_iter().map(Prepared::new).collect();
        let (answer, answers) = oneshot::channel();
        self.queue.send(Message::Group(Group { items, look, answer })).await.map_err(|_| Closed)?;
        Ok(answers)
    }

    /// Reads. `look` runs at once, under a lock that the writer waits for, so it must be short (a page, not the world) and
    /// must not call this handle again, which would wait for that same lock.
    /// What it returns is handed out when all that it may have seen is durable.
    pub async fn read<T>(&self, look: impl FnOnce(&State) -> T) -> Result<T, Closed> {
        let (value, seen) = self.peek(look);
        self.durable(seen).await?;
        Ok(value)
    }

    /// Reads what may not be durable yet, together with the LogIndex that it includes: for figures, and for decisions
    /// that a command makes again. Nothing of it may be told to a client.
    pub fn peek<T>(&self, look: impl FnOnce(&State) -> T) -> (T, LogIndex) {
        let state = self.shared.state.read();
        (look(&state), state.applied())
    }

    /// Who may come in, as of now; it may be newer than what is durable.
    pub fn access(&self) -> impl std::ops::Deref<Target = Arc<Access>> + use<> {
        self.shared.access.load()
    }

    /// How far the log is durable.
    pub fn durable_index(&self) -> LogIndex {
        self.shared.progress.borrow().durable
    }

    /// Waits until the log is durable up to `index`.
    pub async fn durable(&self, index: LogIndex) -> Result<(), Closed> {
        if self.shared.progress.borrow().durable >= index {
            return Ok(());
        }
        let mut progress = self.shared.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.durable >= index || progress.failed).await;
        match reached {
            Ok(progress) if progress.durable >= index => Ok(()),
            Ok(_) | Err(_) => Err(Closed),
        }
    }

    /// All commits behind `after`, in order and without gaps.
    pub fn subscribe(&self, after: LogIndex) -> Subscription {
        Subscription::new(self.shared.clone(), after)
    }

    /// The oldest commit from which a watch can start.
    pub async fn oldest(&self) -> Result<LogIndex, super::subscription::Error> {
        self.subscribe(LogIndex(0)).oldest().await
    }

    /// Tells when a cluster's desired set has changed, with its newest set-generation. Only the newest is kept; the
    /// first is what it was when this was called.
    pub fn desired_changes(&self, cluster: ClusterId) -> watch::Receiver<SetGeneration> {
        let mut dirty = self.shared.dirty.lock();
        if let Some(sender) = dirty.get(&cluster) {
            return sender.subscribe();
        }
        let generation = {
            let state = self.shared.state.read();
            state.cluster_by_id(cluster).map_or(SetGeneration(0), |view| view.set_generation())
        };
        let (sender, receiver) = watch::channel(generation);
        dirty.insert(cluster, sender);
        receiver
    }

    /// The agents had time to come back after the start: from now on something may be taken away without being asked for,
    /// such as what a taint drives out. Until this is called nothing is.
    pub async fn lift_barrier(&self) -> Result<(), Closed> {
        self.queue.send(Message::LiftBarrier).await.map_err(|_| Closed)
    }
}

fn unavailable(count: usize) -> Vec<Answer> {
    (0..count).map(|_| Err(Rejection::unavailable())).collect()
}
