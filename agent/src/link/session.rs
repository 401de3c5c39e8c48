//! The agent's end of a session, as a value: it is told what happened and says what to do, and knows no socket, no clock and
//! no disk. [`stream`](super::stream) drives it; the tests wire it to the gateway's end under every misfortune.
//!
//! ```text
//! Hello ▶ Welcome ▶ Delta… ▶ (inbox: durable) ▶ Ack        heartbeats both ways, each with set and digest
//! ```

mod beat;
mod logs;

use std::time::Duration;

use bytes::Bytes;
use isthmus_model::assignment::Removal;
use isthmus_model::cluster::Declared;
use isthmus_model::observation::{Observation, Phase};
use isthmus_model::order::{Epoch, LogIndex, SetGeneration};
use isthmus_model::set_digest::SetDigest;
use isthmus_proto::sync::v1 as wire;
use isthmus_proto::sync::v1::agent_frame::Frame as AgentFrame;
use isthmus_proto::sync::v1::gateway_frame::Frame as GatewayFrame;

use super::parts::{self, Parts};
use crate::inbox::change::{Change, Facts, HeldRemovals, RefusedItem};
use crate::inbox::{Answer, holdings, plan};
use beat::Beat;
use logs::Logs;

pub use logs::LogQuestion;

/// What happens to a session.
#[derive(Debug)]
pub enum Event {
    /// The gateway says something.
    Frame(GatewayFrame),
    /// The inbox answers.
    Answer(Answer),
    /// The target sees something: taken from the queue while the session has credit for it.
    Observed(Vec<Observation>),
    /// The cluster can do something else than before.
    Declared(Declared),
    /// It is time for a fresh key.
    CertificateDue,
    /// The fresh key's request: PKCS #10, DER.
    CertificateRequested(Vec<u8>),
    /// A piece of a log.
    Log(wire::LogData),
    /// The time that [`Session::deadline`] named has come.
    Tick,
}

/// What a session wants done.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Say this to the gateway.
    Send(AgentFrame),
    /// Make this durable and answer.
    Apply {
        /// Of the delta.
        nonce: u64,
        /// All of it.
        change: Change,
    },
    /// Let the removals with this digest go on, and answer.
    Confirm(SetDigest),
    /// Answer with the digests of all buckets.
    Compare,
    /// The gateway knows that these are stopped.
    Forget(Vec<Removal>),
    /// The gateway has taken the session: it is to be told all that is seen.
    Established,
    /// What must have one owner at most may run here until then, as time since boot.
    Renew(Duration),
    /// Make a fresh key and a request for it.
    RequestCertificate,
    /// Use this certificate for the key that was made last, from the next connection on.
    InstallCertificate {
        /// Leaf first, each DER.
        chain: Vec<Bytes>,
        /// Each DER.
        roots: Vec<Bytes>,
    },
    /// Read a log.
    OpenLog(LogQuestion),
    /// Stop reading it.
    CloseLog(u64),
    /// The session is over.
    Close(End),
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The gateway sends the agent elsewhere, or away for a while.
    #[error("the gateway asked to dial again in {retry_after:?}")]
    Redirected {
        /// Not before.
        retry_after: Duration,
        /// Other gateways, as `host:port`; none means the same one.
        gateways: Vec<String>,
    },
    /// The gateway is silent.
    #[error("the gateway has been silent for {0:?}")]
    Silent(Duration),
    /// The gateway knows less than it did.
    #[error("the gateway is refused")]
    Regressed(#[source] plan::Error),
    /// Both hold the same number for different sets: the next session finds what differs.
    #[error("set {0} is not the same here and at the gateway")]
    Diverged(SetGeneration),
    /// The gateway sent parts that do not belong together.
    #[error("the gateway sent a change that cannot be read")]
    Parts(#[source] parts::Error),
    /// The gateway broke the order of the conversation.
    #[error("the gateway sent {0}, which it must not")]
    Unexpected(&'static str),
}

/// One session, from Hello on.
#[derive(Debug)]
pub struct Session {
    phase: Stage,
    parts: Parts,
    /// What is held durably; the digest that is told.
    facts: Facts,
    /// The newest commit that the gateway spoke of.
    log_index: LogIndex,
    /// When Hello was sent.
    opened: Duration,
    /// How long a lease lasts from when its renewal was sent.
    lease: Duration,
    /// Changes that the inbox has and has not answered.
    unanswered: u32,
    beat: Beat,
    /// Told as stopped, not yet known to have arrived.
    stopped: Vec<Removal>,
    /// Held removals that the gateway was told of.
    told_held: HeldRemovals,
    certificate: Certificate,
    logs: Logs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Greeting,
    Established,
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certificate {
    Good,
    Requested,
}

impl Session {
    /// A new session, and what it says first. `greeting` is how long the gateway may take to answer that.
    pub fn open(
        now: Duration,
        greeting: Duration,
        facts: Facts,
        declared: Declared,
        boot_id: &[u8],
    ) -> (Self, Vec<Action>) {
        let hello = wire::Hello {
            epoch: facts.epoch.0,
            log_index: facts.log_index.0,
            set_generation: facts.set_generation.0,
            digest: digest(facts),
            declaration: Some(declared.into()),
            boot_id: Bytes::copy_from_slice(boot_id),
        };
        let session = Self {
            phase: Stage::Greeting,
            parts: Parts::default(),
            facts,
            log_index: facts.log_index,
            opened: now,
            lease: Duration::ZERO,
            unanswered: 0,
            beat: Beat::greeting(now, greeting),
            stopped: Vec::new(),
            told_held: HeldRemovals::default(),
            certificate: Certificate::Good,
            logs: Logs::default(),
        };
        (session, vec![Action::Send(AgentFrame::Hello(hello))])
    }

    /// When the session wants an [`Event::Tick`] at the latest.
    pub fn deadline(&self) -> Duration {
        self.beat.deadline()
    }

    /// Whether the gateway has taken the session, and it is not over.
    pub fn is_established(&self) -> bool {
        self.phase == Stage::Established
    }

    /// What follows from an event. `now` is time since boot and never goes back.
    pub fn on(&mut self, now: Duration, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.phase == Stage::Over {
            return actions;
        }
        if let Err(end) = self.step(now, event, &mut actions) {
            self.phase = Stage::Over;
            actions.push(Action::Close(end));
        }
        actions
    }

    fn step(&mut self, now: Duration, event: Event, actions: &mut Vec<Action>) -> Result<(), End> {
        match event {
            Event::Frame(frame) => {
                self.beat.heard(now);
                self.on_frame(now, frame, actions)
            }
            Event::Answer(answer) => self.on_answer(answer, actions),
            Event::Observed(observations) => {
                self.tell(observations, actions);
                Ok(())
            }
            Event::Declared(declared) => {
                actions.push(Action::Send(AgentFrame::Declaration(declared.into())));
                Ok(())
            }
            Event::CertificateDue => {
                if self.certificate == Certificate::Good && self.is_established() {
                    self.certificate = Certificate::Requested;
                    actions.push(Action::RequestCertificate);
                }
                Ok(())
            }
            Event::CertificateRequested(csr) => {
                let request = wire::CertificateRequest { csr: csr.into() };
                actions.push(Action::Send(AgentFrame::CertificateRequest(request)));
                Ok(())
            }
            Event::Log(piece) => {
                actions.extend(self.logs.on_piece(piece));
                Ok(())
            }
            Event::Tick => self.on_tick(now, actions),
        }
    }

    fn on_frame(&mut self, now: Duration, frame: GatewayFrame, actions: &mut Vec<Action>) -> Result<(), End> {
        match (self.phase, frame) {
            // A gateway may send an agent away before it takes it.
            (_, GatewayFrame::Redirect(redirect)) => Err(redirected(redirect)),
            (Stage::Greeting, GatewayFrame::Welcome(welcome)) => self.on_welcome(now, &welcome, actions),
            (Stage::Greeting, _) => Err(End::Unexpected("something before its Welcome")),
            (_, GatewayFrame::Welcome(_)) => Err(End::Unexpected("a second Welcome")),
            (_, GatewayFrame::Delta(delta)) => self.on_delta(delta, actions),
            (_, GatewayFrame::Heartbeat(beat)) => self.on_heartbeat(now, &beat, actions),
            (_, GatewayFrame::Compare(wire::Compare { buckets })) => {
                if usize::try_from(buckets) != Ok(SetDigest::BUCKETS) {
                    return Err(End::Unexpected("a Compare over another number of buckets than 256"));
                }
                self.parts.abandon();
                actions.push(Action::Compare);
                Ok(())
            }
            (_, GatewayFrame::ConfirmRemovals(confirm)) => {
                let digest = SetDigest::from_slice(&confirm.digest)
                    .map_err(|_| End::Unexpected("a confirmation without a digest"))?;
                actions.push(Action::Confirm(digest));
                Ok(())
            }
            (_, GatewayFrame::Certificate(certificate)) => {
                self.on_certificate(certificate, actions);
                Ok(())
            }
            (_, GatewayFrame::LogRequest(request)) => {
                actions.push(self.logs.on_request(request));
                Ok(())
            }
            (_, GatewayFrame::LogCancel(wire::LogCancel { id })) => {
                actions.extend(self.logs.on_cancel(id));
                Ok(())
            }
        }
    }

    fn on_welcome(
        &mut self,
        now: Duration,
        welcome: &wire::Welcome,
        actions: &mut Vec<Action>,
    ) -> Result<(), End> {
        let wire::Welcome { epoch, log_index, heartbeat_ms, timeout_ms, lease_ms, cluster: _, window: _ } =
            welcome;
        self.follow(Epoch(*epoch), LogIndex(*log_index)).map_err(End::Regressed)?;
        self.phase = Stage::Established;
        self.beat = Beat::established(now, millis(*heartbeat_ms), millis(*timeout_ms));
        actions.push(Action::Established);
        self.lease = millis(*lease_ms);
        self.renew(self.opened, actions);
        self.tell_held(self.facts.held, actions);
        Ok(())
    }

    /// Refuses a gateway that knows less than what is held.
    fn follow(&self, epoch: Epoch, log_index: LogIndex) -> Result<(), plan::Error> {
        let Facts { epoch: held_epoch, log_index: held_index, set_generation, settled, .. } = self.facts;
        let head = holdings::Head { epoch: held_epoch, log_index: held_index, set_generation, settled };
        plan::check_order(head, epoch, log_index)
    }

    fn on_delta(&mut self, delta: wire::Delta, actions: &mut Vec<Action>) -> Result<(), End> {
        self.follow(Epoch(delta.epoch), LogIndex(delta.log_index)).map_err(End::Regressed)?;
        self.log_index = self.log_index.max(LogIndex(delta.log_index));
        let Some((nonce, change)) = self.parts.add(delta).map_err(End::Parts)? else { return Ok(()) };
        self.unanswered += 1;
        actions.push(Action::Apply { nonce, change });
        Ok(())
    }

    fn on_heartbeat(
        &mut self,
        now: Duration,
        beat: &wire::Heartbeat,
        actions: &mut Vec<Action>,
    ) -> Result<(), End> {
        self.log_index = self.log_index.max(LogIndex(beat.log_index));
        let heard = Duration::from_millis(beat.heard_ms);
        // What this agent did not say yet, or said before this session, renews nothing.
        if heard > self.opened && heard <= now {
            self.renew(heard, actions);
        }
        if !self.stopped.is_empty() {
            actions.push(Action::Forget(std::mem::take(&mut self.stopped)));
        }
        let comparable = self.unanswered == 0 && beat.set_generation == self.facts.set_generation.0;
        let same = SetDigest::from_slice(&beat.digest) == Ok(self.facts.digest);
        if self.beat.disagrees(comparable && !same) {
            return Err(End::Diverged(self.facts.set_generation));
        }
        Ok(())
    }

    fn renew(&self, sent: Duration, actions: &mut Vec<Action>) {
        if self.lease > Duration::ZERO {
            actions.push(Action::Renew(sent.saturating_add(self.lease)));
        }
    }

    fn on_certificate(&mut self, certificate: wire::Certificate, actions: &mut Vec<Action>) {
        let wire::Certificate { chain, roots, refused } = certificate;
        if self.certificate != Certificate::Requested {
            return;
        }
        self.certificate = Certificate::Good;
        if refused.is_empty() {
            actions.push(Action::InstallCertificate { chain, roots });
        } else {
            tracing::warn!(
                problem = refused,
                "the gateway renews no certificate now; it is asked again: {refused}"
            );
        }
    }

    fn on_answer(&mut self, answer: Answer, actions: &mut Vec<Action>) -> Result<(), End> {
        match answer {
            Answer::Durable { nonce, facts, refused } => {
                self.unanswered = self.unanswered.saturating_sub(1);
                self.facts = facts;
                actions.push(self.ack(nonce, refused));
                self.tell_held(facts.held, actions);
                Ok(())
            }
            // The gateway sees in the acknowledgement what is held instead, and asks for buckets.
            Answer::Refused { nonce, why: plan::Error::Gap { .. } } => {
                self.unanswered = self.unanswered.saturating_sub(1);
                actions.push(self.ack(nonce, Vec::new()));
                Ok(())
            }
            Answer::Refused { why, .. } => Err(End::Regressed(why)),
            Answer::Confirmed(held) => {
                self.facts.held = held;
                self.tell_held(held, actions);
                Ok(())
            }
            Answer::Buckets { digests, set_generation } => {
                let digests =
                    digests.into_iter().map(|digest| Bytes::copy_from_slice(&digest.to_bytes())).collect();
                let buckets = wire::Buckets { digests, set_generation: set_generation.0 };
                actions.push(Action::Send(AgentFrame::Buckets(buckets)));
                Ok(())
            }
        }
    }

    fn ack(&self, nonce: u64, refused: Vec<RefusedItem>) -> Action {
        let facts = self.facts;
        Action::Send(AgentFrame::Ack(wire::Ack {
            nonce,
            set_generation: facts.set_generation.0,
            digest: digest(facts),
            refused: refused.into_iter().map(refused_item).collect(),
        }))
    }

    /// Tells of held removals when others wait than the gateway knows of; a count of 0 takes back what was told.
    fn tell_held(&mut self, held: HeldRemovals, actions: &mut Vec<Action>) {
        if (held.count, held.digest) == (self.told_held.count, self.told_held.digest) {
            return;
        }
        self.told_held = held;
        let HeldRemovals { count, total, digest } = held;
        let held = wire::RemovalsHeld { count, total, digest: Bytes::copy_from_slice(&digest.to_bytes()) };
        actions.push(Action::Send(AgentFrame::RemovalsHeld(held)));
    }

    fn tell(&mut self, observations: Vec<Observation>, actions: &mut Vec<Action>) {
        if observations.is_empty() {
            return;
        }
        let stopped = |seen: &Observation| Removal { uid: seen.uid, generation: seen.generation };
        self.stopped.extend(observations.iter().filter(|seen| seen.phase == Phase::Stopped).map(stopped));
        let observations = observations.into_iter().map(Into::into).collect();
        actions.push(Action::Send(AgentFrame::Observations(wire::Observations { observations })));
    }

    fn on_tick(&mut self, now: Duration, actions: &mut Vec<Action>) -> Result<(), End> {
        if let Some(silence) = self.beat.silence(now) {
            return Err(End::Silent(silence));
        }
        if self.is_established() && self.beat.is_due(now) {
            let beat = wire::Heartbeat {
                set_generation: self.facts.set_generation.0,
                digest: digest(self.facts),
                log_index: self.log_index.0,
                sent_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
                heard_ms: 0,
            };
            actions.push(Action::Send(AgentFrame::Heartbeat(beat)));
        }
        Ok(())
    }
}

/// Empty when there is no set; an empty set is one.
fn digest(facts: Facts) -> Bytes {
    if !facts.settled {
        return Bytes::new();
    }
    Bytes::copy_from_slice(&facts.digest.to_bytes())
}

fn millis(value: u32) -> Duration {
    Duration::from_millis(value.into())
}

fn redirected(redirect: wire::Redirect) -> End {
    let wire::Redirect { retry_after_ms, gateways } = redirect;
    End::Redirected { retry_after: millis(retry_after_ms), gateways }
}

fn refused_item(item: RefusedItem) -> wire::RefusedItem {
    let RefusedItem { uid, generation, refusal } = item;
    wire::RefusedItem {
        uid: Bytes::copy_from_slice(uid.as_bytes()),
        generation: generation.0,
        reason: refusal.reason.as_str().to_owned(),
        message: refusal.message,
    }
}

#[cfg(test)]
mod tests;
