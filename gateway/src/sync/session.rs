//! The gateway's end of the conversation with one cluster's agent, as a value.
//!
//! ```text
//! Hello ▶ Welcome ▶ what is missing ▶ Delta … ▶ Ack ▶ Delta …      heartbeats both ways, digests in each
//!            digests unlike ▶ Compare ▶ Buckets ▶ Delta that replaces the buckets that differ
//! ```
//!
//! Nothing is queued: the session knows which set it told last, and when there is room it asks the desired set what changed
//! since. So the latest state wins, and an agent that is slow costs one number.

mod change;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use isthmus_model::assignment::Removal;
use isthmus_model::cluster::Declared;
use isthmus_model::name::{ClusterName, Digest, Uid};
use isthmus_model::observation::{Messages, Observation, Phase};
use isthmus_model::order::{Epoch, Generation, LogIndex, SetGeneration, UnixMillis};
use isthmus_model::reason::Reason;
use isthmus_model::set_digest::SetDigest;
use isthmus_proto::sync::v1 as wire;
use isthmus_proto::sync::v1::agent_frame::Frame as FromAgent;
use isthmus_proto::sync::v1::gateway_frame::Frame as ToAgent;
use serde::{Deserialize, Serialize};

use crate::cluster::health;
use crate::store::state::Item;
use change::Change;

/// How a session is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Changes that are sent without an acknowledgement. Default 4: one is on its way, one is being made durable, and the
    /// next ones gather what comes meanwhile.
    pub window: u32,
    /// Without a frame for so long, the session ends. Default 30 s: six beats.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { window: 4, timeout: Duration::from_secs(30) }
    }
}

/// What the session reads of the desired set of its cluster: how it is now.
pub trait Desired {
    /// The gateway's epoch.
    fn epoch(&self) -> Epoch;
    /// The newest commit.
    fn log_index(&self) -> LogIndex;
    /// How far the log is known to be durable; no further than the newest commit.
    fn durable(&self) -> LogIndex;
    /// Counts the changes of the set.
    fn set_generation(&self) -> SetGeneration;
    /// Digest of the set.
    fn digest(&self) -> SetDigest;
    /// Digests of its buckets.
    fn buckets(&self) -> Vec<SetDigest>;
    /// What may have changed since; `None` when that is not remembered.
    fn changes_since(&self, from: SetGeneration) -> Option<Vec<Uid>>;
    /// All that must run.
    fn uids(&self) -> Vec<Uid>;
    /// All that must run and lies in these buckets.
    fn uids_in(&self, buckets: &[u8]) -> Vec<Uid>;
    /// All that must not run and is not known to have stopped.
    fn removals(&self) -> Vec<Removal>;
    /// How one component stands.
    fn item(&self, uid: Uid) -> Option<Item>;
    /// The held removals that an operator confirmed last.
    fn confirmed(&self) -> Option<Digest>;
}

/// What happens to a session.
#[derive(Debug)]
pub enum Event {
    /// The agent said something.
    Frame(Box<wire::AgentFrame>),
    /// Time passed.
    Tick,
    /// An operator confirmed held removals.
    Confirmed(Digest),
    /// The certificate that was asked for, or why there is none.
    Certified(wire::Certificate),
    /// The gateway stops, or the session must end for another reason: the agent shall come back later.
    Redirect(Duration),
}

/// What is to be done about it, in order.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Say this.
    Send(ToAgent),
    /// The agent says what its cluster can do.
    Declare(Declared),
    /// The agent says what it sees.
    Observe(Vec<Observation>),
    /// Nothing of these runs there any more.
    Stopped(Vec<Removal>),
    /// The agent has heard of later commits than the gateway has: the gateway's data is older than it should be.
    Ahead {
        /// The agent's epoch.
        epoch: Epoch,
        /// The newest commit that it knows.
        log_index: LogIndex,
    },
    /// The agent holds removals back, or no longer.
    Held(Option<Held>),
    /// The agent has acknowledged this set.
    Acknowledged(SetGeneration),
    /// Sign this request.
    Certify(Bytes),
    /// A piece of a log.
    Log(wire::LogData),
    /// End the session.
    Close(Close),
}

/// Removals that wait for an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// How many.
    pub count: u32,
    /// Of how many that run there.
    pub total: u32,
    /// Names exactly this set of removals.
    pub digest: Digest,
}

/// Why a session ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Close {
    /// The agent said nothing for too long.
    #[error("the agent said nothing for {0:?}")]
    Silent(Duration),
    /// The agent broke the rules of the conversation.
    #[error("the agent broke the protocol: {0}")]
    Broken(String),
    /// The sets stay unlike whatever is sent.
    #[error("the agent's set stays unlike the gateway's after it was sent as a whole")]
    Diverged,
    /// The gateway asked the agent to come back later.
    #[error("the agent was asked to come back later")]
    Redirected,
}

/// A change that was sent and not acknowledged yet.
#[derive(Debug, Clone, Copy)]
struct InFlight {
    nonce: u64,
    to: SetGeneration,
    digest: SetDigest,
}

/// Where the conversation is.
#[derive(Debug)]
enum Stage {
    /// Nothing was said yet.
    Hello,
    /// The agent is asked for its buckets.
    Comparing,
    /// The agent has, or is being sent, a known set.
    Following,
}

/// The gateway's end of one session.
#[derive(Debug)]
pub struct Session {
    cluster: ClusterName,
    config: Config,
    health: health::Config,
    stage: Stage,
    /// The set that the agent has when all that was sent has arrived.
    told: SetGeneration,
    change: Option<Change>,
    in_flight: VecDeque<InFlight>,
    next_nonce: u64,
    /// Attempts to make unlike sets equal since they last were.
    repairs: u32,
    heard: Duration,
    beaten: Duration,
    /// What the agent said last of when it spoke, by its own clock.
    heard_ms: u64,
}

impl Session {
    /// A session that waits for Hello. `cluster` is what the agent's certificate says.
    pub fn new(cluster: ClusterName, config: Config, health: health::Config, now: Duration) -> Self {
        Self {
            cluster,
            config,
            health,
            stage: Stage::Hello,
            told: SetGeneration(0),
            change: None,
            in_flight: VecDeque::new(),
            next_nonce: 1,
            repairs: 0,
            heard: now,
            beaten: now,
            heard_ms: 0,
        }
    }

    /// Takes an event in. Changes of the desired set are no events: [`Session::next_part`] finds them.
    pub fn on(&mut self, event: Event, now: Duration, desired: &impl Desired) -> Vec<Action> {
        match event {
            Event::Frame(frame) => {
                self.heard = now;
                match frame.frame {
                    Some(frame) => self.hear(frame, now, desired),
                    // A frame of a newer agent, of a kind that this version does not know.
                    None => Vec::new(),
                }
            }
            Event::Tick => self.tick(now, desired),
            Event::Confirmed(digest) => vec![confirm(digest), Action::Held(None)],
            Event::Certified(certificate) => vec![Action::Send(ToAgent::Certificate(certificate))],
            Event::Redirect(after) => {
                let retry_after_ms = u32::try_from(after.as_millis()).unwrap_or(u32::MAX);
                let redirect = wire::Redirect { retry_after_ms, gateways: Vec::new() };
                vec![Action::Send(ToAgent::Redirect(redirect)), Action::Close(Close::Redirected)]
            }
        }
    }

    /// The next part of what the agent does not know yet, if there is something and room for it. To be asked after every
    /// event, and whenever the desired set changed or a frame went out.
    pub fn next_part(&mut self, desired: &impl Desired) -> Option<ToAgent> {
        if self.change.is_none() {
            let window = usize::try_from(self.config.window.max(1)).unwrap_or(usize::MAX);
            let ready = matches!(self.stage, Stage::Following) && self.in_flight.len() < window;
            if !ready || self.told >= desired.set_generation() {
                return None;
            }
            let Some(uids) = desired.changes_since(self.told) else { return Some(self.compare()) };
            self.begin(Change::since(self.told, uids, desired));
        }
        let change = self.change.as_mut()?;
        let nonce = self.next_nonce;
        self.next_nonce += 1;
        let delta = change.next_part(nonce);
        if delta.last {
            self.in_flight.push_back(InFlight { nonce, to: change.to(), digest: change.digest() });
            self.change = None;
        }
        Some(ToAgent::Delta(delta))
    }

    /// When the next [`Event::Tick`] is due, as time since boot.
    pub fn deadline(&self) -> Duration {
        let silent = self.heard + self.config.timeout;
        match self.stage {
            Stage::Hello => silent,
            Stage::Comparing | Stage::Following => silent.min(self.beaten + self.health.beat),
        }
    }

    /// The set that the agent has when all that was sent has arrived.
    pub fn told(&self) -> SetGeneration {
        self.told
    }

    fn hear(&mut self, frame: FromAgent, now: Duration, desired: &impl Desired) -> Vec<Action> {
        match (&self.stage, frame) {
            (Stage::Hello, FromAgent::Hello(hello)) => self.hello(hello, now, desired),
            (Stage::Hello, _) => broken("the first frame must be Hello"),
            (_, FromAgent::Hello(_)) => broken("Hello was said twice"),
            (_, FromAgent::Ack(ack)) => self.ack(&ack, desired),
            (_, FromAgent::Heartbeat(beat)) => self.heartbeat(&beat, desired),
            (_, FromAgent::Observations(observations)) => observe(observations, desired),
            (Stage::Comparing, FromAgent::Buckets(buckets)) => self.buckets(&buckets, desired),
            // The answer to a question that a newer one has overtaken.
            (Stage::Following, FromAgent::Buckets(_)) => Vec::new(),
            (_, FromAgent::Declaration(declaration)) => declare(declaration),
            (_, FromAgent::RemovalsHeld(held)) => removals_held(&held, desired),
            (_, FromAgent::CertificateRequest(request)) => vec![Action::Certify(request.csr)],
            (_, FromAgent::LogData(data)) => vec![Action::Log(data)],
        }
    }

    fn hello(&mut self, hello: wire::Hello, now: Duration, desired: &impl Desired) -> Vec<Action> {
        let Ok(digest) = SetDigest::from_slice(&hello.digest) else {
            return broken("the digest in Hello is not 32 bytes");
        };
        self.beaten = now;
        self.stage = Stage::Following;
        let mut actions = vec![Action::Send(ToAgent::Welcome(self.welcome(desired)))];
        let known = (Epoch(hello.epoch), LogIndex(hello.log_index));
        if known > (desired.epoch(), desired.log_index()) {
            actions.push(Action::Ahead { epoch: known.0, log_index: known.1 });
        }
        if let Some(declaration) = hello.declaration {
            actions.extend(declare(declaration));
        }
        let has = SetGeneration(hello.set_generation);
        let wanted = desired.set_generation();
        let removals = desired.removals();
        if hello.digest.is_empty() {
            // An agent that has nothing learns the whole set even when it is empty: only then may it tidy up.
            self.begin(Change::all(desired));
        } else if digest == desired.digest() {
            if has == wanted {
                actions.push(Action::Acknowledged(wanted));
            }
            if has != wanted || !removals.is_empty() {
                self.begin(Change::of(has, Vec::new(), removals, desired));
            }
            self.told = wanted;
        } else {
            match desired.changes_since(has) {
                // The same number with another content: one of the two was restored from a backup.
                Some(_) if has == wanted => actions.push(Action::Send(self.compare())),
                Some(uids) => self.begin(Change::of(has, uids, removals, desired)),
                None => actions.push(Action::Send(self.compare())),
            }
        }
        actions
    }

    fn welcome(&self, desired: &impl Desired) -> wire::Welcome {
        let millis = |span: Duration| u32::try_from(span.as_millis()).unwrap_or(u32::MAX);
        wire::Welcome {
            epoch: desired.epoch().0,
            log_index: desired.log_index().0,
            heartbeat_ms: millis(self.health.beat),
            timeout_ms: millis(self.config.timeout),
            cluster: self.cluster.to_string(),
            window: self.config.window,
            lease_ms: millis(self.health.lease),
        }
    }

    fn begin(&mut self, change: Change) {
        self.told = change.to();
        self.change = Some(change);
    }

    fn ack(&mut self, ack: &wire::Ack, desired: &impl Desired) -> Vec<Action> {
        let Ok(digest) = SetDigest::from_slice(&ack.digest) else {
            return broken("the digest in Ack is not 32 bytes");
        };
        let mut acknowledged = None;
        while let Some(first) = self.in_flight.pop_front_if(|first| first.nonce <= ack.nonce) {
            acknowledged = Some(first);
        }
        let mut actions = refused(&ack.refused);
        // Changes that a comparison has overtaken are acknowledged as well; nobody waits for them.
        let Some(sent) = acknowledged.filter(|sent| sent.nonce == ack.nonce) else { return actions };
        if ack.set_generation == sent.to.0 && digest == sent.digest {
            self.repairs = 0;
            actions.push(Action::Acknowledged(sent.to));
        } else {
            actions.extend(self.repair(desired));
        }
        actions
    }

    fn heartbeat(&mut self, beat: &wire::Heartbeat, desired: &impl Desired) -> Vec<Action> {
        self.heard_ms = self.heard_ms.max(beat.sent_ms);
        let settled =
            matches!(self.stage, Stage::Following) && self.change.is_none() && self.in_flight.is_empty();
        // With something under way the agent may have this set or the next; the acknowledgement tells.
        if !settled || self.told != desired.set_generation() {
            return Vec::new();
        }
        let same = beat.set_generation == self.told.0
            && SetDigest::from_slice(&beat.digest).is_ok_and(|digest| digest == desired.digest());
        if same { Vec::new() } else { self.repair(desired) }
    }

    /// The sets are unlike although they should not be: compare, and if that does not help, send everything.
    fn repair(&mut self, desired: &impl Desired) -> Vec<Action> {
        /// Comparisons before everything is sent.
        const COMPARISONS: u32 = 2;
        self.in_flight.clear();
        self.change = None;
        self.repairs += 1;
        match self.repairs {
            n if n <= COMPARISONS => vec![Action::Send(self.compare())],
            n if n == COMPARISONS + 1 => {
                self.begin(Change::all(desired));
                Vec::new()
            }
            _ => vec![Action::Close(Close::Diverged)],
        }
    }

    fn compare(&mut self) -> ToAgent {
        self.stage = Stage::Comparing;
        let buckets = u32::try_from(SetDigest::BUCKETS).unwrap_or(u32::MAX);
        ToAgent::Compare(wire::Compare { buckets })
    }

    fn buckets(&mut self, theirs: &wire::Buckets, desired: &impl Desired) -> Vec<Action> {
        let ours = desired.buckets();
        let read: Result<Vec<SetDigest>, _> =
            theirs.digests.iter().map(|d| SetDigest::from_slice(d)).collect();
        let Some(read) = read.ok().filter(|read| read.len() == ours.len()) else {
            return broken("Buckets must hold one digest of 32 bytes for each bucket");
        };
        let unlike = ours.iter().zip(&read).zip(0_u8..=u8::MAX).filter(|((ours, theirs), _)| ours != theirs);
        let unlike: Vec<u8> = unlike.map(|(_, bucket)| bucket).collect();
        self.stage = Stage::Following;
        self.begin(Change::of_buckets(SetGeneration(theirs.set_generation), &unlike, desired));
        Vec::new()
    }

    fn tick(&mut self, now: Duration, desired: &impl Desired) -> Vec<Action> {
        let silence = now.saturating_sub(self.heard);
        if silence >= self.config.timeout {
            return vec![Action::Close(Close::Silent(silence))];
        }
        if matches!(self.stage, Stage::Hello) || now.saturating_sub(self.beaten) < self.health.beat {
            return Vec::new();
        }
        self.beaten = now;
        let beat = wire::Heartbeat {
            set_generation: desired.set_generation().0,
            digest: bytes_of(desired.digest()),
            log_index: desired.log_index().0,
            sent_ms: 0,
            heard_ms: self.heard_ms,
        };
        vec![Action::Send(ToAgent::Heartbeat(beat))]
    }
}

fn broken(what: &str) -> Vec<Action> {
    vec![Action::Close(Close::Broken(what.to_owned()))]
}

fn bytes_of(digest: SetDigest) -> Bytes {
    Bytes::copy_from_slice(&digest.to_bytes())
}

fn confirm(Digest(digest): Digest) -> Action {
    let digest = Bytes::copy_from_slice(&digest);
    Action::Send(ToAgent::ConfirmRemovals(wire::ConfirmRemovals { digest }))
}

fn declare(declaration: wire::Declaration) -> Vec<Action> {
    match Declared::try_from(declaration) {
        Ok(declared) => vec![Action::Declare(declared)],
        Err(error) => broken(&format!("the declaration is not valid: {error}")),
    }
}

fn removals_held(held: &wire::RemovalsHeld, desired: &impl Desired) -> Vec<Action> {
    let Ok(digest) = <[u8; 32]>::try_from(&held.digest[..]).map(Digest) else {
        return broken("the digest of held removals is not 32 bytes");
    };
    if held.count == 0 {
        return vec![Action::Held(None)];
    }
    if desired.confirmed() == Some(digest) {
        return vec![confirm(digest)];
    }
    vec![Action::Held(Some(Held { count: held.count, total: held.total, digest }))]
}

/// Only what the gateway told this cluster is heard: anything else is somebody else's business, or gone.
fn observe(observations: wire::Observations, desired: &impl Desired) -> Vec<Action> {
    let mut seen = Vec::with_capacity(observations.observations.len());
    let mut stopped = Vec::new();
    for observation in observations.observations {
        let observation = match Observation::try_from(observation) {
            Ok(observation) => observation,
            Err(error) => return broken(&format!("an observation is not valid: {error}")),
        };
        match desired.item(observation.uid) {
            Some(Item::Removed(removal)) => {
                if observation.phase == Phase::Stopped && observation.generation >= removal.generation {
                    stopped.push(removal);
                } else {
                    seen.push(observation);
                }
            }
            Some(Item::Assigned(_)) => seen.push(observation),
            None => {}
        }
    }
    let mut actions = Vec::new();
    if !seen.is_empty() {
        actions.push(Action::Observe(seen));
    }
    if !stopped.is_empty() {
        actions.push(Action::Stopped(stopped));
    }
    actions
}

/// A refusal is an observation like any other: the agent sees that it cannot run this.
fn refused(items: &[wire::RefusedItem]) -> Vec<Action> {
    let observation = |item: &wire::RefusedItem| {
        Some(Observation {
            uid: Uid::from_slice(&item.uid).ok()?,
            generation: Generation(item.generation),
            phase: Phase::Refused,
            desired: 0,
            ready: 0,
            restarts: 0,
            reason: item.reason.parse().unwrap_or(Reason::Refused),
            last_error: item.message.chars().take(1024).collect(),
            messages: Messages::default(),
            observed_at: UnixMillis(0),
        })
    };
    let refused: Vec<Observation> = items.iter().filter_map(observation).collect();
    if refused.is_empty() { Vec::new() } else { vec![Action::Observe(refused)] }
}

#[cfg(test)]
mod tests;
