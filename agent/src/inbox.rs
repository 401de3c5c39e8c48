//! What this cluster shall run, durable: the gateway's intent survives here when everything else is away.
//!
//! ```text
//! link ▶ change ▶ plan (pure) ▶ file (one fsync for all that wait) ▶ target, and the answer to link
//! ```
//!
//! The order matters: nobody hears of a change before it is on disk, so that an acknowledged change is never lost and a
//! target never runs what a crash would forget.

pub mod change;
pub mod decode;
pub mod budget;
pub mod holdings;
pub mod plan;
pub mod file;
mod load;

use std::path::Path;

use isthmus_daemon::clock::Clock;
use isthmus_model::assignment::Removal;
use isthmus_model::name::Uid;
use isthmus_model::observation::{Messages, Observation, Phase};
use isthmus_model::order::{Epoch, LogIndex, SetGeneration, UnixMillis};
use isthmus_model::set_digest::SetDigest;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::report::Reports;
use crate::target::{self, Desired, DesiredHandle, DesiredWriter};
use budget::Budget;
use change::{Change, Facts, HeldRemovals, RefusedItem};
use decode::Decoder;
use file::File;
use holdings::{Entry, Head, Holdings};
use plan::{Plan, Step};

/// Commands that may wait. The gateway's window is smaller; a full queue makes the link wait, not grow.
const QUEUE: usize = 64;
/// Changes made durable by one fsync at most, so that a long queue is answered in steps.
const GROUP: usize = 64;

/// Why the inbox cannot go on. The agent ends: it could acknowledge nothing any more.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be written.
    #[error("cannot make the desired set durable")]
    File(#[source] file::Error),
    /// The thread that writes is gone.
    #[error("the write of the desired set was cut off")]
    Cut(#[source] tokio::task::JoinError),
}

/// What is asked of the inbox.
#[derive(Debug)]
enum Command {
    Apply { nonce: u64, change: Change, answer: Answers },
    Confirm { digest: SetDigest, answer: Answers },
    Compare { answer: Answers },
    Facts { answer: oneshot::Sender<Facts> },
    Forget(Vec<Removal>),
}

/// What the inbox answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The change with this nonce is durable.
    Durable {
        /// Of the delta.
        nonce: u64,
        /// What is held now.
        facts: Facts,
        /// What was not taken.
        refused: Vec<RefusedItem>,
    },
    /// The change with this nonce was not taken; nothing has changed.
    Refused {
        /// Of the delta.
        nonce: u64,
        /// Why.
        why: plan::Error,
    },
    /// What waits for an operator after a confirmation, carried out or not.
    Confirmed(HeldRemovals),
    /// The digest of every bucket.
    Buckets {
        /// In order.
        digests: Vec<SetDigest>,
        /// The set that they describe.
        set_generation: SetGeneration,
    },
}

/// Where a session's answers go. What waits there is bounded by what the session has asked.
pub type Answers = mpsc::UnboundedSender<Answer>;

/// The inbox is gone; the agent is ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the inbox has ended")]
pub struct Gone;

/// Asks the inbox. Clones ask the same one.
#[derive(Debug, Clone)]
pub struct Handle(mpsc::Sender<Command>);

impl Handle {
    /// Takes a change. The answer is [`Answer::Durable`] or [`Answer::Refused`].
    pub async fn apply(&self, nonce: u64, change: Change, answer: Answers) -> Result<(), Gone> {
        self.ask(Command::Apply { nonce, change, answer }).await
    }

    /// Lets the held removals with this digest go on. The answer is [`Answer::Confirmed`].
    pub async fn confirm(&self, digest: SetDigest, answer: Answers) -> Result<(), Gone> {
        self.ask(Command::Confirm { digest, answer }).await
    }

    /// The answer is [`Answer::Buckets`].
    pub async fn compare(&self, answer: Answers) -> Result<(), Gone> {
        self.ask(Command::Compare { answer }).await
    }

    /// What is held once everything asked before is done.
    pub async fn facts(&self) -> Result<Facts, Gone> {
        let (answer, facts) = oneshot::channel();
        self.ask(Command::Facts { answer }).await?;
        facts.await.map_err(|_| Gone)
    }

    /// The gateway was told that these are stopped. Should it have missed it, it names the removal again.
    pub async fn forget(&self, stopped: Vec<Removal>) -> Result<(), Gone> {
        self.ask(Command::Forget(stopped)).await
    }

    async fn ask(&self, command: Command) -> Result<(), Gone> {
        self.0.send(command).await.map_err(|_| Gone)
    }
}

/// The inbox, open, before it works.
#[derive(Debug)]
pub struct Inbox {
    file: File,
    holdings: Holdings,
    budget: Budget,
    desired: DesiredWriter,
    reports: Reports,
    commands: mpsc::Receiver<Command>,
    /// Stopped and told; their rows go with the next write.
    forgotten: Vec<Uid>,
    clock: std::sync::Arc<dyn Clock>,
}

/// Opens the inbox's file in `directory`, and gives what others need of it. Blocks: it reads the whole file.
pub fn open(
    directory: &Path,
    budget: Budget,
    reports: Reports,
    clock: std::sync::Arc<dyn Clock>,
) -> Result<(Inbox, Handle, DesiredHandle), file::Error> {
    let file = File::open(&directory.join("inbox.sqlite"))?;
    let load::Loaded { holdings, desired, refused } = load::load(&file, &mut Decoder::default())?;
    for (uid, _) in holdings.entries() {
        reports.expect(uid);
    }
    let (desired, reader) = target::desired(desired);
    let (sender, commands) = mpsc::channel(QUEUE);
    let inbox = Inbox { file, holdings, budget, desired, reports, commands, forgotten: Vec::new(), clock };
    inbox.report_refused(&refused);
    Ok((inbox, Handle(sender), reader))
}

impl Inbox {
    /// Whether the set was received whole at least once since the file was made.
    pub fn is_settled(&self) -> bool {
        self.holdings.head().settled
    }

    /// Takes it that the gateway was followed so far at least, by an agent whose file is gone: one that knows less is refused.
    pub fn has_followed(&mut self, epoch: Epoch, log_index: LogIndex) {
        let head = self.holdings.head();
        if (epoch, log_index) > (head.epoch, head.log_index) {
            self.holdings.move_to(Head { epoch, log_index, ..head });
        }
    }

    /// Works until `stop`, or until nobody can ask any more. What is being written is finished first.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Error> {
        let mut waiting = Vec::with_capacity(GROUP);
        // Receiving is safe to cancel: nothing is taken from the queue unless it is returned.
        while let Some(1..) = stop.run_until_cancelled(self.commands.recv_many(&mut waiting, GROUP)).await {
            self = self.work(std::mem::take(&mut waiting)).await?;
        }
        Ok(())
    }

    /// Carries out what waits with one write for all of it.
    async fn work(mut self, commands: Vec<Command>) -> Result<Self, Error> {
        let mut plans = Vec::new();
        let mut answers = Vec::with_capacity(commands.len());
        for command in commands {
            answers.extend(self.decide(command, &mut plans));
        }
        if plans.is_empty() {
            answers.into_iter().for_each(Ready::send);
            return Ok(self);
        }
        let forgotten = std::mem::take(&mut self.forgotten);
        let Self { mut file, holdings, budget, desired, reports, commands, forgotten: _, clock } = self;
        let begun = clock.boot();
        let (file, plans) = blocking(move || file.commit(&forgotten, &plans).map(|()| (file, plans))).await?;
        metrics::histogram!("isthmus_inbox_commit_seconds").record(clock.boot().saturating_sub(begun));
        let inbox = Self { file, holdings, budget, desired, reports, commands, forgotten: Vec::new(), clock };
        inbox.publish(plans);
        answers.into_iter().for_each(Ready::send);
        // Nobody waits for the log to be copied back, except whoever comes next.
        inbox.checkpoint().await
    }

    async fn checkpoint(self) -> Result<Self, Error> {
        let Self { mut file, holdings, budget, desired, reports, commands, forgotten, clock } = self;
        let file = if file.wants_checkpoint() {
            blocking(move || file.checkpoint().map(|()| file)).await?
        } else {
            file
        };
        Ok(Self { file, holdings, budget, desired, reports, commands, forgotten, clock })
    }

    /// What a command means. What is held is changed already: should the write fail, nobody is told and the agent ends.
    fn decide(&mut self, command: Command, plans: &mut Vec<Plan>) -> Option<Ready> {
        match command {
            Command::Apply { nonce, change, answer } => {
                let ready = match plan::plan(&self.holdings, change, self.budget) {
                    Ok(plan) => Answer::Durable {
                        nonce,
                        refused: self.take(plan, plans),
                        facts: self.holdings.facts(),
                    },
                    Err(why) => Answer::Refused { nonce, why },
                };
                Some(Ready::Session(answer, ready))
            }
            Command::Confirm { digest, answer } => {
                match plan::confirm(&self.holdings, digest) {
                    Ok(plan) => drop(self.take(plan, plans)),
                    Err(why) => tracing::warn!("held removals stay: {why}"),
                }
                Some(Ready::Session(answer, Answer::Confirmed(self.holdings.held())))
            }
            Command::Compare { answer } => {
                let set_generation = self.holdings.head().set_generation;
                let digests = self.holdings.buckets();
                Some(Ready::Session(answer, Answer::Buckets { digests, set_generation }))
            }
            Command::Facts { answer } => Some(Ready::Facts(answer, self.holdings.facts())),
            Command::Forget(stopped) => {
                for removal in stopped {
                    self.forget(removal);
                }
                None
            }
        }
    }

    fn take(&mut self, mut plan: Plan, plans: &mut Vec<Plan>) -> Vec<RefusedItem> {
        let refused = std::mem::take(&mut plan.refused);
        plan.apply_to(&mut self.holdings);
        if !plan.is_empty() {
            plans.push(plan);
        }
        refused
    }

    fn forget(&mut self, removal: Removal) {
        if self.holdings.get(removal.uid) != Some(Entry::Stopping { removal: removal.generation }) {
            return;
        }
        self.holdings.forget(removal.uid);
        self.forgotten.push(removal.uid);
        self.reports.forget(removal.uid);
        self.desired.update(|set| {
            set.entries.remove(&removal.uid);
        });
    }

    /// Tells the target, once for all that was written.
    fn publish(&self, plans: Vec<Plan>) {
        let mut refused = Vec::new();
        self.desired.update(|set| {
            for plan in plans {
                set.settled = plan.head.settled;
                for step in plan.steps {
                    self.reports.expect(step.entry().0);
                    match step {
                        Step::Stop(removal) => {
                            set.entries.insert(removal.uid, Desired::Stop(removal));
                        }
                        Step::Run { assignment, .. } => {
                            set.entries.insert(assignment.uid, Desired::Run(assignment));
                        }
                        Step::Hold { .. } => {}
                        Step::Refuse { uid, generation, refusal, .. } => {
                            if matches!(set.entries.get(&uid), Some(Desired::Stop(_))) {
                                set.entries.remove(&uid);
                            }
                            refused.push(RefusedItem { uid, generation, refusal });
                        }
                    }
                }
            }
        });
        self.report_refused(&refused);
    }

    /// No target will ever speak of what it was not given.
    fn report_refused(&self, refused: &[RefusedItem]) {
        for RefusedItem { uid, generation, refusal } in refused {
            tracing::warn!(component.uid = %uid, generation = generation.0, "assignment {uid} is refused: {}", refusal.message);
            self.reports.push(Observation {
                uid: *uid,
                generation: *generation,
                phase: Phase::Refused,
                desired: 0,
                ready: 0,
                restarts: 0,
                reason: refusal.reason,
                last_error: refusal.message.clone(),
                messages: Messages::default(),
                observed_at: unix_millis(&*self.clock),
            });
        }
    }
}

/// An answer that is given once everything before it is durable.
enum Ready {
    Session(Answers, Answer),
    Facts(oneshot::Sender<Facts>, Facts),
}

impl Ready {
    /// Whoever asked may be gone: a session that ended needs no answer.
    fn send(self) {
        match self {
            Self::Session(session, answer) => drop(session.send(answer)),
            Self::Facts(asker, facts) => drop(asker.send(facts)),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, file::Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(Error::Cut)?.map_err(Error::File)
}

fn unix_millis(clock: &dyn Clock) -> UnixMillis {
    let since = clock.now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
