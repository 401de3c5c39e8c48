//! The connection between the two, and what may go wrong with it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use isthmus_agent::inbox::holdings::Entry;
use isthmus_agent::link::session::Event as AgentEvent;
use isthmus_gateway::cluster::health;
use isthmus_gateway::sync::session::{Action, Config, Desired, Event, Session};
use isthmus_model::name::{ClusterName, Uid};
use isthmus_model::order::Generation;
use isthmus_model::set_digest::SetDigest;
use isthmus_proto::sync::v1::AgentFrame;
use isthmus_proto::sync::v1::agent_frame::Frame as FromAgent;
use isthmus_proto::sync::v1::gateway_frame::Frame as ToAgent;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::agent::Agent;
use super::gateway::{Wanted, uid};

const BEAT: Duration = Duration::from_secs(1);
const HEALTH: health::Config =
    health::Config { beat: BEAT, suspect_after: Duration::from_secs(3), lease: Duration::from_secs(12) };
/// Frames on their way: the connection takes no more, as HTTP/2 would not.
const IN_FLIGHT: usize = 3;
/// All components there ever are.
const COMPONENTS: std::ops::Range<u8> = 0..16;

#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// A commit assigns a component to the cluster, anew or with a change.
    Assign(u8),
    /// A commit takes it away.
    Remove(u8),
    /// The gateway says what the agent does not know, if there is room.
    Tell,
    /// One frame arrives.
    ToAgent,
    /// One frame arrives.
    ToGateway,
    /// The inbox does one thing.
    Write,
    /// The target looks at a component.
    Run(u8),
    /// Something seen is sent.
    Observe,
    /// An interval passes.
    Time,
    /// The connection breaks; what is on its way is lost. The agent dials again.
    Cut,
    RestartAgent,
    RestartGateway,
    /// The agent's disk is lost.
    LoseAgentsMemory,
}

#[derive(Debug)]
pub(super) struct World {
    config: Config,
    wanted: Wanted,
    session: Option<Session>,
    agent: Agent,
    to_agent: VecDeque<ToAgent>,
    to_gateway: VecDeque<FromAgent>,
    now: Duration,
    changes_sent: u64,
    /// The newest generation that the agent ever held of each component, as long as it had its disk.
    newest: BTreeMap<Uid, Generation>,
}

impl World {
    pub(super) fn new(window: u32) -> Self {
        let config = Config { window, ..Config::default() };
        let mut world = Self {
            config,
            wanted: Wanted::default(),
            session: None,
            agent: Agent::default(),
            to_agent: VecDeque::new(),
            to_gateway: VecDeque::new(),
            now: Duration::ZERO,
            changes_sent: 0,
            newest: BTreeMap::new(),
        };
        world.wanted.restart();
        world.connect();
        world
    }

    pub(super) fn changes_sent(&self) -> u64 {
        self.changes_sent
    }

    pub(super) fn forget_last_write(&mut self) {
        self.agent.forget_last_write();
    }

    pub(super) fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Assign(n) => self.wanted.assign(uid(n)),
            Step::Remove(n) => self.wanted.remove(uid(n)),
            Step::Tell => self.tell(),
            Step::ToAgent => self.deliver_to_agent(),
            Step::ToGateway => self.deliver_to_gateway()?,
            Step::Write => {
                let mut frames = Vec::new();
                self.agent.write(self.now, &mut frames);
                self.to_gateway.extend(frames);
            }
            Step::Run(n) => self.agent.run(uid(n)),
            Step::Observe => {
                let frames = self.agent.observe(self.now);
                self.to_gateway.extend(frames);
            }
            Step::Time => self.pass(BEAT)?,
            Step::Cut => self.connect(),
            Step::RestartAgent => {
                self.agent.crash();
                self.connect();
            }
            Step::RestartGateway => {
                self.wanted.restart();
                self.connect();
            }
            Step::LoseAgentsMemory => {
                self.agent.lose_memory();
                self.newest.clear();
                self.connect();
            }
        }
        if self.agent.session.is_none() || self.session.is_none() {
            self.connect();
        }
        self.nothing_went_back()
    }

    fn connect(&mut self) {
        self.to_agent.clear();
        self.to_gateway.clear();
        let cluster = ClusterName::new("east").unwrap();
        self.session = Some(Session::new(cluster, self.config, HEALTH, self.now));
        self.to_gateway.extend(self.agent.open(self.now));
    }

    fn tell(&mut self) {
        let Some(session) = &mut self.session else { return };
        if self.to_agent.len() < IN_FLIGHT
            && let Some(frame) = session.next_part(&self.wanted)
        {
            self.changes_sent += u64::from(matches!(frame, ToAgent::Delta(_)));
            self.to_agent.push_back(frame);
        }
    }

    fn deliver_to_agent(&mut self) {
        if let Some(frame) = self.to_agent.pop_front() {
            let frames = self.agent.on(self.now, AgentEvent::Frame(frame));
            self.to_gateway.extend(frames);
        }
    }

    fn deliver_to_gateway(&mut self) -> Result<(), TestCaseError> {
        let Some(frame) = self.to_gateway.pop_front() else { return Ok(()) };
        self.gateway(Event::Frame(Box::new(AgentFrame { frame: Some(frame) })))
    }

    fn gateway(&mut self, event: Event) -> Result<(), TestCaseError> {
        let Some(session) = &mut self.session else { return Ok(()) };
        for action in session.on(event, self.now, &self.wanted) {
            match action {
                Action::Send(frame) => {
                    self.changes_sent += u64::from(matches!(frame, ToAgent::Delta(_)));
                    self.to_agent.push_back(frame);
                }
                Action::Stopped(stopped) => {
                    for removal in stopped {
                        let runs = self.agent.running.get(&removal.uid);
                        prop_assert!(runs.is_none(), "{} counts as stopped and runs", removal.uid);
                        self.wanted.stopped(removal);
                    }
                }
                Action::Close(_) => self.session = None,
                Action::Declare(_) | Action::Observe(_) | Action::Held(_) | Action::Acknowledged(_) => {}
                Action::Certify(_) | Action::Log(_) => prop_assert!(false, "nobody asked for {action:?}"),
                Action::Ahead { .. } => prop_assert!(false, "this gateway never forgets: {action:?}"),
            }
        }
        Ok(())
    }

    fn pass(&mut self, time: Duration) -> Result<(), TestCaseError> {
        self.now += time;
        let frames = self.agent.on(self.now, AgentEvent::Tick);
        self.to_gateway.extend(frames);
        self.gateway(Event::Tick)
    }

    /// Nothing goes wrong any more, for as long as a few heartbeats.
    pub(super) fn heal(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..6 {
            for _ in 0..24 {
                for step in [Step::Tell, Step::ToAgent, Step::Write, Step::Observe, Step::ToGateway] {
                    self.take(step)?;
                }
            }
            for n in COMPONENTS {
                self.take(Step::Run(n))?;
            }
            self.take(Step::Time)?;
        }
        Ok(())
    }

    /// P4: exactly the gateway's set is held and runs.
    pub(super) fn converged(&self) -> Result<(), TestCaseError> {
        let mut held = BTreeMap::new();
        for (uid, entry) in self.agent.holdings.entries() {
            match entry {
                Entry::Wanted { generation, runs: true } => drop(held.insert(uid, generation)),
                other => prop_assert!(false, "{} stands as {:?}", uid, other),
            }
        }
        prop_assert_eq!(&held, &self.wanted.assigned);
        prop_assert_eq!(&self.agent.running, &self.wanted.assigned);
        prop_assert!(self.wanted.removed.is_empty(), "the gateway still waits for {:?}", self.wanted.removed);
        let facts = self.agent.holdings.facts();
        prop_assert_eq!(facts.set_generation, self.wanted.set_generation());
        let digest: SetDigest = held.into_iter().collect();
        prop_assert_eq!(facts.digest, digest);
        Ok(())
    }

    /// P3: no component ever moves to an older generation.
    fn nothing_went_back(&mut self) -> Result<(), TestCaseError> {
        for (uid, entry) in self.agent.holdings.entries() {
            let generation = match entry {
                Entry::Wanted { generation, .. } => generation,
                Entry::Held { removal, .. } | Entry::Stopping { removal } => removal,
            };
            let newest = self.newest.entry(uid).or_insert(generation);
            prop_assert!(*newest <= generation, "{} went back from {} to {}", uid, newest, generation);
            *newest = generation;
        }
        Ok(())
    }
}
