//! Decides commands in the order of the queue, each against the state with all before it.

use std::sync::Arc;
use std::time::Duration;

use isthmus_daemon::clock::Clock;
use isthmus_model::name::PrincipalName;
use isthmus_model::order::{Epoch, LogIndex};
use tokio::sync::mpsc;

use super::pending::{Batch, Pending};
use super::{Failure, now, spawn};
use crate::placement::Cache;
use crate::store::apply::apply;
use crate::store::command::{Command, Submission};
use crate::store::commit::Commit;
use crate::store::decide::{Verdict, decide};
use crate::store::handle::{Answer, Group, Message};
use crate::store::record::{self, Prepared};
use crate::store::shared::Shared;
use crate::store::state::State;

/// Commands that are decided under one hold of the lock: about a quarter of a millisecond, which is what a read may have to
/// wait.
const PORTION: usize = 64;

/// Commands within one pause that speak for many callers at the same time.
const MANY: usize = 8;

/// A batch begins no sooner after the one before than so many times the last append.
const SHARE: u32 = 4;

/// And waits no longer than this for that: less than a call over a network takes.
const LONGEST_PAUSE: Duration = Duration::from_millis(2);

/// Components that are planned again in one commit: so many that a commit is worth it, so few that nobody waits for it.
const REPLANNED: usize = 128;

/// Who asks for planning again.
const PLANNER: &str = "system:planner";

pub(super) struct Decider {
    epoch: Epoch,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    pending: Arc<Pending>,
    cache: Cache,
    may_evict: bool,
    stopping: bool,
    rhythm: Rhythm,
}

/// How fast commands come.
#[derive(Debug, Default)]
struct Rhythm {
    /// When the last batch was begun.
    begun: Duration,
    /// Its commands.
    last: usize,
    /// When the window that is being counted was begun.
    window: Duration,
    /// Commands in it so far.
    counted: usize,
    /// Commands in the one before.
    before: usize,
}

impl Rhythm {
    /// How long to let commands come together, `now`, before the next batch is begun.
    fn pause(&self, now: Duration, append: Duration) -> Duration {
        let pause = (append * SHARE).min(LONGEST_PAUSE);
        let many = self.before.max(self.counted) >= MANY;
        // A full portion is worth its sync, and what few callers ask for shall not wait.
        if !many || self.last >= PORTION { Duration::ZERO } else { (self.begun + pause).saturating_sub(now) }
    }

    /// A batch of so many commands is begun.
    fn begin(&mut self, now: Duration, count: usize) {
        (self.begun, self.last) = (now, count);
        let length = now.saturating_sub(self.window);
        if length >= LONGEST_PAUSE {
            // What came long ago says nothing of now.
            self.before = if length < 2 * LONGEST_PAUSE { self.counted } else { 0 };
            (self.window, self.counted) = (now, 0);
        }
        self.counted += count;
    }
}

/// Tells the appender that nothing more comes, however the decider ends.
struct Ended(Arc<Pending>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}

pub(super) fn start(mut decider: Decider, mut queue: mpsc::Receiver<Message>) -> Result<(), Failure> {
    let ended = Ended(decider.pending.clone());
    spawn("store-decider", move || {
        let _ended = ended;
        // The appender says why, when it has given up.
        let _ = decider.run(&mut queue);
        // Who has a place in the queue and is about to take it shall hear that it came too late: a message that comes in after
        // the queue's end would be kept, and its caller wait, for as long as there is a handle.
        queue.close();
        while queue.blocking_recv().is_some() {}
    })
}

impl Decider {
    pub(super) fn new(
        epoch: Epoch,
        shared: Arc<Shared>,
        clock: Arc<dyn Clock>,
        pending: Arc<Pending>,
    ) -> Self {
        Self {
            epoch,
            shared,
            clock,
            pending,
            cache: Cache::default(),
            may_evict: false,
            stopping: false,
            rhythm: Rhythm::default(),
        }
    }

    fn run(&mut self, queue: &mut mpsc::Receiver<Message>) -> Result<(), ()> {
        loop {
            let woken = if self.stopping { Vec::new() } else { self.woken() };
            // While somebody is woken, the queue is only looked at; else there is nothing to do but wait for it.
            let message = if woken.is_empty() {
                self.pace();
                match queue.blocking_recv() {
                    Some(message) => Some(message),
                    None => return Ok(()),
                }
            } else {
                queue.try_recv().ok()
            };
            if let Some(message) = message {
                self.take(message, queue)?;
            }
            if !woken.is_empty() {
                self.replan(woken)?;
            }
        }
    }

    /// Lets more commands come together, when many callers wait.
    fn pace(&self) {
        let pause = self.rhythm.pause(self.clock.boot(), self.pending.last_append());
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }

    /// Decides what is in the queue by now, up to a portion.
    fn take(&mut self, message: Message, queue: &mut mpsc::Receiver<Message>) -> Result<(), ()> {
        let begun = self.clock.boot();
        let mut groups = Vec::new();
        let mut count = 0;
        let mut next = Some(message);
        while let Some(message) = next {
            match message {
                Message::Group(group) => {
                    count += group.items.len();
                    groups.push(group);
                }
                Message::LiftBarrier => {
                    self.may_evict = true;
                    // Some may have been looked at before, and left because something would have been taken away.
                    self.shared.state.write().waiting.wake_all();
                }
                Message::Stop => {
                    self.stopping = true;
                    queue.close();
                }
            }
            next = if count < PORTION { queue.try_recv().ok() } else { None };
        }
        self.rhythm.begin(begun, count);
        self.groups(groups)
    }

    fn groups(&mut self, groups: Vec<Group>) -> Result<(), ()> {
        let mut items = Vec::new();
        let mut waiting = Vec::with_capacity(groups.len());
        for Group { items: own, look, answer } in groups {
            waiting.push((answer, look, own.len()));
            items.extend(own);
        }
        let mut answers = Vec::with_capacity(items.len());
        let mut batch = Batch::default();
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            self.portion(items.by_ref().take(PORTION), &mut batch, &mut answers);
        }
        // Nobody else changes the state: it is as the last of the batch left it, and the batch becomes durable whole.
        let state = self.shared.state.read();
        let mut answers = answers.into_iter();
        for (answer, look, count) in waiting {
            let own: Vec<Answer> = answers.by_ref().take(count).collect();
            if let Some(look) = look {
                look(&state, &own);
            }
            batch.answers.push((answer, own));
        }
        drop(state);
        self.pending.give(batch)
    }

    fn portion(
        &mut self,
        items: impl Iterator<Item = Prepared>,
        batch: &mut Batch,
        answers: &mut Vec<Answer>,
    ) {
        let mut decided = Vec::with_capacity(PORTION);
        let shared = self.shared.clone();
        let mut state = shared.state.write();
        for item in items {
            let (answer, commit) = self.one(&mut state, item);
            answers.push(answer);
            decided.extend(commit);
        }
        for cluster in std::mem::take(&mut state.touched) {
            if let Some(generation) = state.clusters.get(&cluster).map(|cluster| cluster.desired.generation())
            {
                batch.touched.insert(cluster, generation);
            }
        }
        if !Arc::ptr_eq(&state.access, &shared.access.load()) {
            shared.access.store(state.access.clone());
        }
        drop(state);
        for (commit, encoded) in decided {
            let record = record::encode(&commit, encoded);
            batch.push(Arc::new(commit), record);
        }
    }

    fn one(&mut self, state: &mut State, item: Prepared) -> (Answer, Option<(Commit, bytes::Bytes)>) {
        let Prepared { principal, time, request, command, encoded } = item;
        match decide(state, time, request.as_ref(), &command, &mut self.cache) {
            Err(rejection) => (Err(rejection), None),
            Ok(Verdict::Nothing(outcome)) => {
                if let Command::Replan { uids, may_evict } = &command {
                    state.settle(uids, *may_evict);
                }
                (Ok(outcome), None)
            }
            Ok(Verdict::Effects(effects)) => {
                let index: LogIndex = state.applied.next();
                let commit = Commit { index, epoch: self.epoch, time, principal, request, command, effects };
                apply(state, &commit);
                (Ok(commit.outcome()), Some((commit, encoded)))
            }
        }
    }

    fn woken(&self) -> Vec<isthmus_model::name::Uid> {
        self.shared.state.read().next_woken(REPLANNED, self.may_evict)
    }

    fn replan(&mut self, uids: Vec<isthmus_model::name::Uid>) -> Result<(), ()> {
        let Ok(principal) = PrincipalName::new(PLANNER) else { return Ok(()) };
        let command = Command::Replan { uids, may_evict: self.may_evict };
        let time = now(self.clock.as_ref());
        let item = Prepared::new(Submission { principal, time, request: None, command });
        let mut batch = Batch::default();
        self.portion(std::iter::once(item), &mut batch, &mut Vec::new());
        self.pending.give(batch)
    }
}

#[cfg(test)]
mod tests {
    use isthmus_daemon::clock::ManualClock;
    use tokio::sync::oneshot;

    use super::*;
    use crate::store::engine::Engine;
    use crate::store::simulated::Disk;

    const APPEND: Duration = Duration::from_micros(200);

    /// A running decider, and the two ends of it.
    fn running() -> (mpsc::Sender<Message>, Arc<Pending>) {
        let engine = Disk::new(1).engine();
        let shared = Arc::new(Shared::new(State::default(), engine.log()));
        let clock = Arc::new(ManualClock::starting_at(std::time::SystemTime::UNIX_EPOCH));
        let pending = Arc::new(Pending::default());
        let (sender, queue) = mpsc::channel(4);
        start(Decider::new(Epoch(1), shared, clock, pending.clone()), queue).unwrap();
        (sender, pending)
    }

    /// Nothing to decide, and who waits for that.
    fn group() -> (Message, oneshot::Receiver<Vec<Answer>>) {
        let (answer, answers) = oneshot::channel();
        (Message::Group(Group { items: Vec::new(), look: None, answer }), answers)
    }

    async fn heard<T>(what: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(30), what).await.expect("nobody is left waiting")
    }

    #[tokio::test]
    async fn who_has_a_place_in_the_queue_when_the_gateway_stops_is_still_answered() {
        for _ in 0..100 {
            let (sender, pending) = running();
            let place = sender.reserve().await.unwrap();
            sender.send(Message::Stop).await.unwrap();
            sender.closed().await;
            let (message, _answers) = group();
            place.send(message);
            let batch = heard(tokio::task::spawn_blocking(move || pending.take())).await.unwrap();
            assert_eq!(batch.map(|batch| batch.answers.len()), Some(1));
        }
    }

    #[tokio::test]
    async fn who_has_a_place_in_the_queue_when_the_log_fails_hears_that_it_came_too_late() {
        for _ in 0..100 {
            let (sender, pending) = running();
            let place = sender.reserve().await.unwrap();
            pending.break_off();
            let (message, answers) = group();
            sender.send(message).await.unwrap();
            heard(answers).await.unwrap_err();
            let (message, late) = group();
            place.send(message);
            heard(late).await.unwrap_err();
        }
    }

    /// The pause after batches of so many commands, one each so often.
    fn pause_after(counts: &[usize], every: Duration) -> Duration {
        let mut rhythm = Rhythm::default();
        let mut now = Duration::from_secs(100);
        for count in counts {
            now += every;
            rhythm.begin(now, *count);
        }
        rhythm.pause(now, APPEND)
    }

    #[test]
    fn what_few_callers_ask_for_waits_for_nobody() {
        for every in [Duration::from_micros(300), Duration::from_millis(1), Duration::from_secs(1)] {
            assert_eq!(pause_after(&[1; 6], every), Duration::ZERO, "{every:?}");
        }
    }

    #[test]
    fn commands_of_many_callers_come_together_even_when_they_come_one_by_one() {
        let pause = APPEND * SHARE;
        assert_eq!(pause_after(&[1; 40], Duration::from_micros(50)), pause);
        assert_eq!(pause_after(&[30, 30, 1], Duration::from_millis(1)), pause);
    }

    #[test]
    fn a_full_portion_is_followed_at_once() {
        assert_eq!(pause_after(&[30, 30, PORTION], Duration::from_millis(1)), Duration::ZERO);
    }

    #[test]
    fn what_came_long_ago_delays_nothing() {
        assert_eq!(pause_after(&[30, 30, 1, 1], Duration::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn a_slow_disk_makes_nobody_wait_longer_than_the_longest_pause() {
        let mut rhythm = Rhythm::default();
        rhythm.begin(Duration::from_secs(1), 30);
        assert_eq!(rhythm.pause(Duration::from_secs(1), Duration::from_secs(3)), LONGEST_PAUSE);
        assert_eq!(rhythm.pause(Duration::from_secs(2), Duration::from_secs(3)), Duration::ZERO);
    }
}
