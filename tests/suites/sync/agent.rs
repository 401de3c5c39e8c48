//! The agent around its session: an inbox that writes when it is told to and forgets what it had not written, and a target
//! that runs what the inbox says.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use isthmus_agent::inbox::Answer;
use isthmus_agent::inbox::budget::Budget;
use isthmus_agent::inbox::change::Change;
use isthmus_agent::inbox::holdings::{Entry, Holdings};
use isthmus_agent::inbox::plan;
use isthmus_agent::link::session::{Action, Event, Session};
use isthmus_agent::report::coalesce::Coalescer;
use isthmus_model::assignment::Removal;
use isthmus_model::cluster::Declared;
use isthmus_model::name::Uid;
use isthmus_model::observation::{Messages, Observation, Phase};
use isthmus_model::order::{Generation, UnixMillis};
use isthmus_model::reason::Reason;
use isthmus_proto::sync::v1::agent_frame::Frame;

/// What the inbox was asked and has not done.
#[derive(Debug)]
enum Asked {
    Apply(u64, Change),
    Compare,
    Forget(Vec<Removal>),
}

#[derive(Debug, Default)]
pub(super) struct Agent {
    /// On disk.
    pub(super) holdings: Holdings,
    before_last_write: Holdings,
    asked: VecDeque<Asked>,
    pub(super) session: Option<Session>,
    /// What runs, whatever the agent does.
    pub(super) running: BTreeMap<Uid, Generation>,
    reports: Coalescer,
}

/// The removals here are what the property is about, so none is held back.
const FREE: Budget = Budget { percent: 100, at_least: u32::MAX };

impl Agent {
    /// A new session; what the inbox was asked is done first, as the agent's link waits for it.
    pub(super) fn open(&mut self, now: Duration) -> Vec<Frame> {
        let mut done = Vec::new();
        while self.write(now, &mut done) {}
        let facts = self.holdings.facts();
        let (session, actions) =
            Session::open(now, Duration::from_secs(10), facts, Declared::default(), b"boot");
        self.session = Some(session);
        self.carry_out(actions)
    }

    /// The process is gone; the disk and what runs are not.
    pub(super) fn crash(&mut self) {
        self.session = None;
        self.asked.clear();
        self.reports = Coalescer::default();
        self.holdings.entries().for_each(|(uid, _)| self.reports.expect(uid));
    }

    /// The inbox's file is lost.
    pub(super) fn lose_memory(&mut self) {
        self.holdings = Holdings::default();
        self.before_last_write = Holdings::default();
        self.crash();
    }

    pub(super) fn forget_last_write(&mut self) {
        self.holdings = self.before_last_write.clone();
    }

    pub(super) fn on(&mut self, now: Duration, event: Event) -> Vec<Frame> {
        let Some(session) = &mut self.session else { return Vec::new() };
        let actions = session.on(now, event);
        self.carry_out(actions)
    }

    fn carry_out(&mut self, actions: Vec<Action>) -> Vec<Frame> {
        let mut frames = Vec::new();
        for action in actions {
            match action {
                Action::Send(frame) => frames.push(frame),
                Action::Apply { nonce, change } => self.asked.push_back(Asked::Apply(nonce, change)),
                Action::Compare => self.asked.push_back(Asked::Compare),
                Action::Forget(stopped) => self.asked.push_back(Asked::Forget(stopped)),
                Action::Established => self.reports.unheard_all(),
                Action::Close(_) => self.session = None,
                // This world looks at sets and not at who may run what.
                Action::Renew(_) => {}
                Action::Confirm(_)
                | Action::RequestCertificate
                | Action::InstallCertificate { .. }
                | Action::OpenLog(_)
                | Action::CloseLog(_) => panic!("nobody asked for {action:?}"),
            }
        }
        frames
    }

    /// The inbox does one thing. Returns whether there was one; what it makes the session say is added to `frames`.
    pub(super) fn write(&mut self, now: Duration, frames: &mut Vec<Frame>) -> bool {
        let answer = match self.asked.pop_front() {
            None => return false,
            Some(Asked::Apply(nonce, change)) => {
                self.before_last_write = self.holdings.clone();
                match plan::plan(&self.holdings, change, FREE) {
                    Ok(mut plan) => {
                        plan.apply_to(&mut self.holdings);
                        plan.steps.iter().for_each(|step| self.reports.expect(step.entry().0));
                        let refused = std::mem::take(&mut plan.refused);
                        Answer::Durable { nonce, facts: self.holdings.facts(), refused }
                    }
                    Err(why) => Answer::Refused { nonce, why },
                }
            }
            Some(Asked::Compare) => {
                let set_generation = self.holdings.head().set_generation;
                Answer::Buckets { digests: self.holdings.buckets(), set_generation }
            }
            Some(Asked::Forget(stopped)) => {
                for removal in stopped {
                    if self.holdings.get(removal.uid) == Some(Entry::Stopping { removal: removal.generation })
                    {
                        self.holdings.forget(removal.uid);
                        self.reports.forget(removal.uid);
                    }
                }
                return true;
            }
        };
        frames.extend(self.on(now, Event::Answer(answer)));
        true
    }

    /// The target looks at one component.
    pub(super) fn run(&mut self, uid: Uid) {
        let (generation, phase, reason) = match self.holdings.get(uid) {
            Some(Entry::Wanted { generation, .. }) => {
                self.running.insert(uid, generation);
                (generation, Phase::Ready, Reason::Ready)
            }
            Some(Entry::Stopping { removal }) => {
                self.running.remove(&uid);
                (removal, Phase::Stopped, Reason::Stopped)
            }
            Some(Entry::Held { .. }) => return,
            // Nobody wants it; but only a target that was told the whole set may conclude that.
            None => {
                if self.holdings.head().settled {
                    self.running.remove(&uid);
                }
                return;
            }
        };
        self.reports.push(Observation {
            uid,
            generation,
            phase,
            desired: 1,
            ready: 1,
            restarts: 0,
            reason,
            last_error: String::new(),
            messages: Messages::default(),
            observed_at: UnixMillis(0),
        });
    }

    /// What is seen is sent, if the gateway has taken the session.
    pub(super) fn observe(&mut self, now: Duration) -> Vec<Frame> {
        if !self.session.as_ref().is_some_and(Session::is_established) {
            return Vec::new();
        }
        let observations = self.reports.drain(3);
        self.on(now, Event::Observed(observations))
    }
}
