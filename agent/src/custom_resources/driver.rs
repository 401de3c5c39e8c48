//! The one loop of the share: takes in what is desired and what is seen, plans, acts, and tells what cannot be done.
//!
//! ```text
//! desired ─▶ render ─▶ wanted ┐
//! watches ─▶ seen ────────────┴▶ plan ─▶ queue ─▶ effects, some at a time ─▶ events ─▶ seen
//! ```
//!
//! All state is owned by the loop. A step that waits in the queue may be overtaken by what happens: it names the object and the
//! version that it was planned for, so that the API server refuses it then, and the next plan has another one.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use isthmus_daemon::backoff::Policy;
use isthmus_daemon::chain::Chain;
use isthmus_daemon::clock::Clock;
use isthmus_model::name::Uid;
use isthmus_model::observation::{Messages, Observation, Phase};
use isthmus_model::order::{Generation, UnixMillis};
use isthmus_model::reason::Reason;
use isthmus_sealing::PrivateKey;
use kube::Client;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::effect::{self, Effect, Error, Event, Gone, Kept, Subject};
use super::marks::{Mark, Share};
use super::place::Key;
use super::plan::{ConnectionKey, Refusal, Step, View, Wanted, plan};
use super::proof::Search;
use super::render::{Rendered, rendered, wanted};
use super::seen::{Listing, Seen};
use super::troubles::Troubles;
use super::watch::{Watched, watch};
use crate::leader::Tenure;
use crate::operator::api::Api;
use crate::target::{Desired, DesiredHandle, Observe};

/// Steps that are carried out at once: beyond that an API server only queues.
const CONCURRENCY: usize = 32;
/// What no watch shows, because it is not ours, is looked at again after so long.
const FOREIGN: Duration = Duration::from_secs(10);
/// How long addresses of Pulsar stay that nothing names any more: pods that are being replaced read them once more if they
/// start anew.
const UNUSED: Duration = Duration::from_mins(10);
/// A Secret that somebody edited or deleted is put right after so long.
const KEPT: Duration = Duration::from_mins(10);
/// How often it is looked whether something is left.
const LEFT: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));

/// What the loop runs with.
#[derive(Clone)]
pub(super) struct Parts<O> {
    pub(super) client: Client,
    pub(super) share: Share,
    pub(super) config: Arc<Config>,
    pub(super) clock: Arc<dyn Clock>,
    /// Opens what travelled sealed.
    pub(super) key: Arc<PrivateKey>,
    pub(super) observe: O,
}

pub(super) struct Driver<O> {
    parts: Parts<O>,
    api: Api,
    namespaces: Vec<Box<str>>,
    seen: Seen,
    /// What is not listed yet: until it is, nothing is known to be missing.
    unlisted: BTreeSet<Listing>,
    /// What was taken in last, to recognise what is unchanged.
    told: HashMap<Uid, Desired>,
    wanted: BTreeMap<Uid, Wanted>,
    settled: bool,
    /// Where components were seen last.
    places: HashMap<Uid, Key>,
    /// Components of which it is certain that nothing is left, and the generation that took them away.
    gone: HashMap<Uid, Generation>,
    /// What was said last of what cannot be done.
    said: HashMap<Uid, (Generation, Refusal)>,
    unused: BTreeMap<ConnectionKey, Duration>,
    /// Of what travelled sealed: the Secrets that were right, and when.
    kept: HashMap<Uid, (Kept, Duration)>,
    troubles: Troubles,
    busy: BTreeSet<Subject>,
    queue: VecDeque<Step>,
    effects: FuturesUnordered<Effect>,
    /// Something happened since the last plan.
    stale: bool,
    look_again_at: Duration,
}

impl<O: Observe> Driver<O> {
    pub(super) fn new(parts: Parts<O>) -> Self {
        // An agent with gateways is the only one of its cluster.
        let api = Api::new(parts.client.clone(), Tenure::unbounded());
        let namespaces = parts.config.namespaces().into_iter().map(Into::into).collect();
        let seen = Seen::new(parts.share.clone());
        Self {
            parts,
            api,
            namespaces,
            seen,
            unlisted: BTreeSet::new(),
            told: HashMap::new(),
            wanted: BTreeMap::new(),
            settled: false,
            places: HashMap::new(),
            gone: HashMap::new(),
            said: HashMap::new(),
            unused: BTreeMap::new(),
            kept: HashMap::new(),
            troubles: Troubles::default(),
            busy: BTreeSet::new(),
            queue: VecDeque::new(),
            effects: FuturesUnordered::new(),
            stale: true,
            look_again_at: Duration::ZERO,
        }
    }

    /// Runs until `stop`; what was written stays. A write that goes on then is not waited for: it arrives or it does not, and
    /// the next start sees which.
    pub(super) async fn run(mut self, mut desired: DesiredHandle, stop: CancellationToken) {
        self.take_in(&mut desired);
        let (mut watches, listings) = watch(&self.parts.client, &self.namespaces);
        self.unlisted = listings.into_iter().collect();
        // The writer is gone only at shutdown; until `stop` comes there is still to be kept what is there.
        let mut writer_lives = true;
        loop {
            self.act();
            let wake = self.next_wake().saturating_sub(self.parts.clock.boot());
            // Every arm is safe to cancel: a change stays marked as unseen, watches and effects stay in their sets.
            tokio::select! {
                () = stop.cancelled() => return,
                changed = desired.changed(), if writer_lives => {
                    writer_lives = changed;
                    self.take_in(&mut desired);
                }
                Some(watched) = watches.next() => self.watched(watched),
                Some(event) = self.effects.next() => self.on(event),
                () = tokio::time::sleep(wake) => self.on_time(),
            }
        }
    }

    /// Reads the whole set, and renders what is different from before.
    fn take_in(&mut self, desired: &mut DesiredHandle) {
        let (entries, settled) = desired.look(|set| (set.entries.clone(), set.settled));
        self.settled = settled;
        self.told.retain(|uid, _| entries.contains_key(uid));
        self.wanted.retain(|uid, _| entries.contains_key(uid));
        self.said.retain(|uid, _| entries.contains_key(uid));
        self.gone.retain(|uid, _| entries.contains_key(uid));
        self.kept.retain(|uid, _| entries.contains_key(uid));
        for (uid, desired) in entries {
            if self.told.get(&uid).is_some_and(|told| same(told, &desired)) {
                continue;
            }
            let wanted = wanted(&self.parts.share, &self.parts.config, &desired);
            if let Wanted::Run(run) = &wanted {
                // What failed before may be taken now.
                self.troubles.forget(&Subject::Resource(run.key.clone()));
            }
            self.wanted.insert(uid, wanted);
            self.told.insert(uid, desired);
        }
        // At once, for removals stand first.
        self.queue.clear();
        self.stale = true;
    }

    fn watched(&mut self, watched: Watched) {
        let (listing, is_done) = match &watched {
            Watched::Resource(kind, namespace, event) => (
                Listing { kind: Some(*kind), namespace: namespace.clone() },
                matches!(event, kube::runtime::watcher::Event::InitDone),
            ),
            Watched::Connection(namespace, event) => (
                Listing { kind: None, namespace: namespace.clone() },
                matches!(event, kube::runtime::watcher::Event::InitDone),
            ),
        };
        let changed = match watched {
            Watched::Resource(kind, namespace, event) => {
                let (share, config, told) = (&self.parts.share, &self.parts.config, &self.told);
                self.seen.on_resource(kind, &namespace, event, |mark| shall_be(share, config, told, mark))
            }
            Watched::Connection(namespace, event) => self.seen.on_connection(&namespace, event),
        };
        if is_done {
            self.unlisted.remove(&listing);
        }
        self.stale |= changed || is_done;
    }

    /// Plans if there is reason to, and starts what can be started.
    fn act(&mut self) {
        if !self.unlisted.is_empty() {
            return;
        }
        if self.stale && self.queue.is_empty() {
            self.stale = false;
            self.plan();
        }
        while self.effects.len() < CONCURRENCY
            && let Some(step) = self.queue.pop_front()
        {
            self.carry_out(step);
        }
    }

    fn plan(&mut self) {
        let now = self.parts.clock.boot();
        for (key, found) in self.seen.found() {
            if let Some(mark) = found.mark
                && self.places.get(&mark.uid) != Some(key)
            {
                self.places.insert(mark.uid, key.clone());
            }
        }
        let view = View {
            wanted: &self.wanted,
            settled: self.settled,
            found: self.seen.found(),
            connections: self.seen.connections(),
        };
        let mut gone = Vec::new();
        let mut unused = BTreeSet::new();
        for step in plan(view) {
            match step {
                Step::Say { uid, generation, replicas, refusal } => {
                    self.say(uid, generation, replicas, refusal);
                }
                Step::Prove { uid, generation } if self.gone.get(&uid) == Some(&generation) => {}
                Step::Prove { uid, generation } => {
                    gone.push(Gone { uid, generation, place: self.places.get(&uid).cloned() });
                }
                Step::Disconnect { ref key, .. } => {
                    let since = *self.unused.entry(key.clone()).or_insert(now);
                    unused.insert(key.clone());
                    if since + UNUSED <= now {
                        self.queue.push_back(step);
                    }
                }
                step => self.queue.push_back(step),
            }
        }
        self.unused.retain(|key, _| unused.contains(key));
        self.places.retain(|uid, _| self.wanted.contains_key(uid));
        self.seen.keep_former(|uid| self.wanted.contains_key(&uid));
        if !gone.is_empty() {
            self.prove(gone);
        }
        self.keep_secrets(now);
    }

    /// Looks at the Secrets of components whose resources stand: each once, when it shall be another, and from time to time,
    /// for Secrets are not watched.
    fn keep_secrets(&mut self, now: Duration) {
        for (uid, desired) in &self.told {
            let (Desired::Run(assignment), Some(Wanted::Run(run))) = (desired, self.wanted.get(uid)) else {
                continue;
            };
            let Some(sealed) = assignment.sealed.as_deref() else { continue };
            let Some(found) = self.seen.found().get(&run.key) else { continue };
            let stands = found.mark == Some(Mark { uid: *uid, generation: assignment.generation });
            let kept = Kept { object: found.object.clone(), digest: sealed.digest() };
            let right = self.kept.get(uid).is_some_and(|(known, at)| *known == kept && now < *at + KEPT);
            let subject = Subject::Secret(run.key.clone());
            if !stands
                || found.deleting
                || right
                || self.busy.contains(&subject)
                || self.troubles.waits(&subject, now)
            {
                continue;
            }
            self.busy.insert(subject);
            let (share, key) = (self.parts.share.clone(), self.parts.key.clone());
            let parts = (self.api.clone(), share, key, assignment.clone());
            self.effects.push(effect::keep_secret(parts, run.key.clone(), kept));
        }
    }

    /// One search for all that is gone, and one at a time.
    fn prove(&mut self, gone: Vec<Gone>) {
        let now = self.parts.clock.boot();
        // The end of what is waited for makes another plan.
        if self.busy.contains(&Subject::Proof) || self.troubles.waits(&Subject::Proof, now) {
            return;
        }
        let of: Option<BTreeSet<Key>> = gone.iter().map(|gone| gone.place.clone()).collect();
        let search = Search { namespaces: self.namespaces.clone(), of };
        self.busy.insert(Subject::Proof);
        self.effects.push(effect::prove(self.api.clone(), gone, search));
    }

    fn carry_out(&mut self, step: Step) {
        let now = self.parts.clock.boot();
        let subject = match &step {
            Step::Delete { key, .. } | Step::Create { key, .. } | Step::Replace { key, .. } => {
                Subject::Resource(key.clone())
            }
            Step::Connect { key, .. } | Step::Disconnect { key, .. } => Subject::Connection(key.clone()),
            Step::Prove { .. } | Step::Say { .. } => return,
        };
        if self.busy.contains(&subject) || self.troubles.waits(&subject, now) {
            return;
        }
        let api = self.api.clone();
        let effect = match step {
            Step::Delete { key, object } => Some(effect::delete(api, key, object)),
            Step::Create { uid, .. } => self.rendered(uid).map(|rendered| effect::create(api, rendered)),
            Step::Replace { uid, object, version, .. } => {
                self.rendered(uid).map(|rendered| effect::replace(api, rendered, object, version))
            }
            Step::Connect { key, over } => self
                .connection(&key)
                .map(|connection| effect::connect(api, &self.parts.share, &connection, over)),
            Step::Disconnect { key, object } => Some(effect::disconnect(api, key, object)),
            Step::Prove { .. } | Step::Say { .. } => None,
        };
        if let Some(effect) = effect {
            self.busy.insert(subject);
            self.effects.push(effect);
        }
    }

    /// The resource of a component; it was rendered before, and is not kept.
    fn rendered(&self, uid: Uid) -> Option<Rendered> {
        match self.told.get(&uid)? {
            Desired::Run(assignment) => rendered(&self.parts.share, &self.parts.config, assignment).ok(),
            Desired::Stop(_) => None,
        }
    }

    /// The addresses that a ConfigMap shall have: those of any component that wants it.
    fn connection(&self, key: &ConnectionKey) -> Option<super::connection::Connection> {
        let wants = |wanted: &Wanted| matches!(wanted, Wanted::Run(run) if run.connection == *key);
        let (uid, _) = self.wanted.iter().find(|(_, wanted)| wants(wanted))?;
        self.rendered(*uid).map(|rendered| rendered.connection)
    }

    fn on(&mut self, event: Event) {
        self.stale = true;
        match event {
            Event::Wrote(run, live) => {
                self.well(&Subject::Resource(run.key.clone()));
                metrics::counter!("isthmus_custom_resource_writes_total").increment(1);
                self.see(&run.key, &live);
                let version = live.metadata.resource_version.as_deref().unwrap_or_default();
                self.seen.wrote(&run.key, version, run.digest);
            }
            Event::Found(key, live) => {
                self.well(&Subject::Resource(key.clone()));
                self.see(&key, &live);
            }
            Event::Deleted(key, object) => {
                self.well(&Subject::Resource(key.clone()));
                metrics::counter!("isthmus_custom_resource_writes_total").increment(1);
                self.seen.deleting(&key, &object);
            }
            Event::Connection(key, live) => {
                self.well(&Subject::Connection(key.clone()));
                self.seen.see_connection(&key.namespace, &live);
            }
            Event::Disconnected(key) => {
                self.well(&Subject::Connection(key.clone()));
                self.seen.forget_connection(&key);
            }
            Event::Kept(key, uid, kept) => {
                self.well(&Subject::Secret(key));
                self.kept.insert(uid, (kept, self.parts.clock.boot()));
            }
            Event::Left(gone, left) => self.left(gone, &left),
            Event::Failed(subject, error) => self.failed(&subject, &error),
        }
    }

    fn see(&mut self, key: &Key, live: &kube::core::DynamicObject) {
        let (share, config, told) = (&self.parts.share, &self.parts.config, &self.told);
        self.seen.see(key.kind, &key.namespace, live, |mark| shall_be(share, config, told, mark));
    }

    fn well(&mut self, subject: &Subject) {
        self.busy.remove(subject);
        self.troubles.forget(subject);
    }

    /// Says of each that is gone that it is, unless something of it is left.
    fn left(&mut self, gone: Vec<Gone>, left: &BTreeSet<Key>) {
        self.busy.remove(&Subject::Proof);
        let mut waits = false;
        for Gone { uid, generation, place } in gone {
            // Of one that was never seen here nobody knows the name: it could be anything that is left.
            let is_left = place.map_or(!left.is_empty(), |place| left.contains(&place));
            let returned =
                self.seen.found().values().any(|found| found.mark.is_some_and(|mark| mark.uid == uid));
            if is_left || returned {
                waits = true;
                continue;
            }
            self.gone.insert(uid, generation);
            tracing::info!(component.uid = %uid, generation = generation.0, "nothing is left of {uid}");
            self.observe(uid, generation, 0, Phase::Stopped, Reason::Stopped, String::new());
        }
        if waits {
            let now = self.parts.clock.boot();
            self.troubles.wait(&Subject::Proof, Policy::between(LEFT.0, LEFT.1), now);
        } else {
            self.troubles.forget(&Subject::Proof);
        }
    }

    fn failed(&mut self, subject: &Subject, error: &Error) {
        self.busy.remove(subject);
        let delay = self.troubles.after(subject, error, self.parts.clock.boot());
        let problem = Chain(error).to_string();
        if let Error::Secret(reason, _) = error {
            tracing::warn!(problem, "tried again in {delay:?}: {problem}");
            return self.say_of(subject, &Refusal { reason: *reason, message: problem });
        }
        let Error::Api(source) = error else {
            tracing::error!(problem, "a step for {subject:?} is tried again in {delay:?}: {problem}");
            return;
        };
        if source.is_conflict() {
            tracing::debug!(problem, "what was seen is not so any more, and is looked at again: {problem}");
            return;
        }
        tracing::warn!(problem, "tried again in {delay:?}: {problem}");
        let Some(refusal) = source.refusal() else { return };
        self.say_of(subject, &Refusal { reason: Reason::ApiRefused, message: refusal.to_owned() });
    }

    /// Says it of all components that a step is about.
    fn say_of(&mut self, subject: &Subject, refusal: &Refusal) {
        let of = |wanted: &Wanted| match (wanted, subject) {
            (Wanted::Run(run), Subject::Resource(key) | Subject::Secret(key)) => run.key == *key,
            (Wanted::Run(run), Subject::Connection(key)) => run.connection == *key,
            _ => false,
        };
        let concerned =
            self.wanted.iter().filter(|(_, wanted)| of(wanted)).filter_map(|(uid, wanted)| match wanted {
                Wanted::Run(run) => Some((*uid, run.generation, run.replicas)),
                Wanted::Refused { .. } | Wanted::Stop { .. } => None,
            });
        for (uid, generation, replicas) in concerned.collect::<Vec<_>>() {
            self.say(uid, generation, replicas, refusal.clone());
        }
    }

    fn say(&mut self, uid: Uid, generation: Generation, replicas: u32, refusal: Refusal) {
        let said = self.said.get(&uid);
        if said.is_some_and(|(at, known)| *at == generation && *known == refusal) {
            return;
        }
        let Refusal { reason, message } = refusal.clone();
        tracing::warn!(component.uid = %uid, generation = generation.0, %reason, "component {uid} cannot be had: {message}");
        self.said.insert(uid, (generation, refusal));
        self.observe(uid, generation, replicas, Phase::Refused, reason, message);
    }

    fn observe(
        &self,
        uid: Uid,
        generation: Generation,
        desired: u32,
        phase: Phase,
        reason: Reason,
        last_error: String,
    ) {
        let now = self.parts.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.parts.observe.observe(Observation {
            uid,
            generation,
            phase,
            desired,
            ready: 0,
            restarts: 0,
            reason,
            last_error,
            messages: Messages::default(),
            observed_at: UnixMillis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX)),
        });
    }

    fn on_time(&mut self) {
        let now = self.parts.clock.boot();
        if self.look_again_at <= now {
            self.seen.forget_foreign();
            self.look_again_at = now + FOREIGN;
        }
        self.stale = true;
    }

    /// The next moment at which something is due by time alone.
    fn next_wake(&self) -> Duration {
        let now = self.parts.clock.boot();
        let foreign =
            self.seen.has_foreign().then_some(self.look_again_at.max(now + Duration::from_millis(1)));
        let unused = self.unused.values().map(|since| *since + UNUSED).filter(|at| *at > now).min();
        [self.troubles.next(now), foreign, unused].into_iter().flatten().min().unwrap_or(Duration::MAX)
    }
}

/// Whether exactly this was taken in last.
fn same(told: &Desired, new: &Desired) -> bool {
    match (told, new) {
        (Desired::Run(old), Desired::Run(new)) => Arc::ptr_eq(old, new) || old == new,
        (told, new) => told == new,
    }
}

/// What the resource with this mark shall be, if it is of the generation that is wanted.
fn shall_be(
    share: &Share,
    config: &Config,
    told: &HashMap<Uid, Desired>,
    mark: Mark,
) -> Option<(Box<str>, isthmus_model::component::Object)> {
    match told.get(&mark.uid)? {
        Desired::Run(assignment) if assignment.generation == mark.generation => {
            let Rendered { run, body, .. } = rendered(share, config, assignment).ok()?;
            Some((run.digest, body))
        }
        Desired::Run(_) | Desired::Stop(_) => None,
    }
}
