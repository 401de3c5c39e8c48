//! The one loop of a local target: takes in what is desired, plans, acts, looks, and tells.
//!
//! ```text
//! desired ─▶ dereference ─▶ plan ─▶ effects (launch, hold, stop, look) ─▶ events ─┐
//!                             ▲                                                   │
//!                             └──────────── values of instances ◀─────────────────┘─▶ observe
//! ```
//!
//! All state is owned by the loop. Effects are futures that end with an [`Event`]; they share nothing with the loop, and a panic
//! in one harms only the instance that it was for.

mod component;
mod effect;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use isthmus_daemon::clock::Clock;
use isthmus_model::name::Uid;
use isthmus_model::order::UnixMillis;
use isthmus_model::reason::Reason;
use tokio_util::sync::CancellationToken;

use super::adopt::{Found, adopt};
use super::attached::Attachments;
use super::dereference::dereference;
use super::failed::Failed;
use super::hold::Running;
use super::launch::{Host, Launch};
use super::look::{Question, look};
use super::plan::{Action, Instance, Stage, Wanted, next_start, plan};
use super::ports::{Pair, Pool};
use super::record::{Key, Layout, Record};
use crate::lease::Lease;
use crate::target::{Desired, DesiredHandle, Observe, Packages};

use component::{Component, Hold};
use effect::Event;

/// What the loop runs with.
#[derive(Debug)]
pub(super) struct Parts<A, O, P> {
    pub(super) host: Arc<Host>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) attachments: Arc<A>,
    pub(super) observe: O,
    pub(super) packages: P,
}

pub(super) struct Driver<A, O, P> {
    parts: Parts<A, O, P>,
    layout: Layout,
    ports: Pool,
    /// Each in a place of its own: tree nodes are half empty, and these are large.
    components: BTreeMap<Uid, Box<Component>>,
    effects: FuturesUnordered<BoxFuture<'static, Event>>,
    /// One round of looking at a time.
    looking: bool,
}

impl<A: Attachments, O: Observe, P: Packages> Driver<A, O, P> {
    /// Adopts what runs here.
    pub(super) async fn start(parts: Parts<A, O, P>) -> std::io::Result<Self> {
        let layout = Layout::new(&parts.host.data);
        let ports = Pool::new(parts.host.config.ports, isthmus_daemon::backoff::seed());
        let found = adopt(&layout).await?;
        let mut driver = Self {
            parts,
            layout,
            ports,
            components: BTreeMap::new(),
            effects: FuturesUnordered::new(),
            looking: false,
        };
        for (key, found) in found {
            driver.take_up(key, found);
        }
        Ok(driver)
    }

    fn take_up(&mut self, key: Key, found: Found) {
        let (now, retry) = (self.parts.clock.boot(), self.parts.host.config.backoff);
        let component = self.components.entry(key.uid).or_default();
        let mut instance = Instance::new(retry, seed(key));
        match found {
            Found::Running(record, running) => {
                tracing::info!(
                    component.uid = %key.uid, instance = key.index, pid = running.child.pid,
                    "instance {} of {} was found running and is looked after again", key.index, key.uid
                );
                self.ports.adopt(record.ports);
                instance.started(record, now);
                component.instances.insert(key.index, instance);
                self.hold(key, running);
            }
            Found::Down(record) => {
                instance.stage = Stage::Down { start_at: Duration::ZERO, last: Some(record), failure: None };
                component.instances.insert(key.index, instance);
            }
            Found::Remains => {
                component.instances.insert(key.index, instance);
            }
        }
    }

    /// Runs until `stop`. What runs then lives on.
    pub(super) async fn run(mut self, mut desired: DesiredHandle, mut lease: Lease, stop: CancellationToken) {
        self.take_in(&mut desired);
        // The writer is gone only at shutdown; until `stop` comes there is still to be looked after what runs.
        let mut writer_lives = true;
        let mut installed = self.parts.host.distribution.subscribe();
        loop {
            let wake = self.next_wake().saturating_sub(self.parts.clock.boot());
            // Every arm is safe to cancel: a change stays marked as unseen, an effect stays in the set.
            tokio::select! {
                () = stop.cancelled() => return,
                changed = desired.changed(), if writer_lives => {
                    writer_lives = changed;
                    self.take_in(&mut desired);
                }
                // The sender is this loop's own.
                Ok(()) = installed.changed() => self.refused_again(),
                Some(until) = lease.renewed() => self.renew(until),
                Some(event) = self.effects.next() => self.on(event),
                () = tokio::time::sleep(wake) => self.on_time(),
            }
        }
    }

    /// What must have one owner at most may run on.
    fn renew(&self, until: Duration) {
        if let Err(error) = self.parts.host.lease.renew(until) {
            tracing::error!(
                %error,
                "the lease cannot be renewed in {}; what must have one owner at most ends with it",
                self.parts.host.lease.path().display()
            );
        }
    }

    /// Reads the whole set, and plans for what is different from before.
    fn take_in(&mut self, desired: &mut DesiredHandle) {
        let (entries, settled) = desired.look(|set| (set.entries.clone(), set.settled));
        let unnamed: Vec<Uid> = if settled {
            self.components.keys().filter(|uid| !entries.contains_key(uid)).copied().collect()
        } else {
            Vec::new()
        };
        // Removals first: what they free may be what the others need.
        let (stops, runs): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(_, desired)| matches!(desired, Desired::Stop(_)));
        for uid in unnamed {
            if self.components.get_mut(&uid).is_some_and(|component| component.abandon()) {
                self.act(uid);
            }
        }
        for (uid, desired) in stops.into_iter().chain(runs) {
            if self.components.entry(uid).or_default().is_told(&desired) {
                continue;
            }
            let dereferenced = dereference(&self.parts.host, &desired);
            self.components.entry(uid).or_default().want(desired, dereferenced);
            self.act(uid);
        }
    }

    /// Something was installed: what could not be started for want of it perhaps can be now.
    fn refused_again(&mut self) {
        let refused = |component: &Component| matches!(component.wanted, Wanted::Refused { .. });
        let uids: Vec<Uid> =
            self.components.iter().filter(|(_, component)| refused(component)).map(|(uid, _)| *uid).collect();
        for uid in uids {
            let Some(component) = self.components.get_mut(&uid) else { continue };
            let Some(desired) = component.told().cloned() else { continue };
            let dereferenced = dereference(&self.parts.host, &desired);
            component.want(desired, dereferenced);
            self.act(uid);
        }
    }

    /// Plans for one component, carries the plan out and tells what there is to tell.
    fn act(&mut self, uid: Uid) {
        let now = self.parts.clock.boot();
        let Some(component) = self.components.get(&uid) else { return };
        for action in plan(now, &component.wanted, &component.instances) {
            self.carry_out(uid, &action);
        }
        self.tell(uid);
    }

    fn carry_out(&mut self, uid: Uid, action: &Action) {
        let (Action::Stop(index) | Action::Forget(index) | Action::Note(index) | Action::Start(index, _)) =
            *action;
        let key = Key { uid, index };
        match action {
            Action::Start(_, restarts) => self.launch(key, *restarts),
            Action::Forget(_) => {
                if let Some(component) = self.components.get_mut(&uid) {
                    component.forget(index);
                }
                if let Err(error) = self.layout.remove(key) {
                    tracing::warn!(%error, "what is left of instance {index} of {uid} cannot be removed");
                }
            }
            Action::Note(_) => {
                let Some(component) = self.components.get_mut(&uid) else { return };
                let Wanted::Run { generation, revision, .. } = component.wanted else { return };
                let noted = component
                    .instances
                    .get_mut(index)
                    .and_then(|instance| instance.note(generation, revision));
                if let Some(Err(error)) = noted.map(|record| self.layout.instance(key).note(record)) {
                    tracing::warn!(%error, "the record of instance {index} of {uid} cannot be replaced");
                }
            }
            Action::Stop(_) => {
                let Some(component) = self.components.get_mut(&uid) else { return };
                if let Some(instance) = component.instances.get_mut(index) {
                    instance.stop();
                }
                match component.holds.get(index) {
                    Some(Hold::Starting(called_off)) => called_off.cancel(),
                    Some(Hold::Running { guard, .. }) => {
                        let (guard, grace) = (Arc::clone(guard), self.parts.host.config.stop_grace);
                        self.effects.push(effect::stop(guard, grace).boxed());
                    }
                    None => {}
                }
            }
        }
    }

    fn launch(&mut self, key: Key, restarts: u64) {
        let now = self.parts.clock.boot();
        let (ports, exhausted) = match self.ports.take() {
            Ok(ports) => (ports, None),
            Err(exhausted) => (Pair::default(), Some(exhausted)),
        };
        let Some(component) = self.components.get_mut(&key.uid) else { return };
        let Wanted::Run { generation, revision, command, .. } = component.wanted else { return };
        let sealed = component.assignment.as_ref().is_some_and(|assignment| assignment.sealed.is_some());
        let record = Record { generation, revision, command, ports, restarts, sealed };
        let retry = self.parts.host.config.backoff;
        let instance = component.instances.get_or_insert_with(key.index, || Instance::new(retry, seed(key)));
        instance.start(record.clone());
        let assignment = component.assignment.clone();
        if let Some(exhausted) = exhausted {
            return self.failed(
                key,
                now,
                Failed { reason: Reason::StartFailed, message: exhausted.to_string() },
            );
        }
        let Some(assignment) = assignment else { return };
        let called_off = CancellationToken::new();
        if let Some(component) = self.components.get_mut(&key.uid) {
            component.holds.insert(key.index, Hold::Starting(called_off.clone()));
        }
        let directory = self.layout.instance(key);
        let launch = Launch { assignment, index: key.index, record, directory: directory.clone() };
        let starting = Arc::clone(&self.parts.host).launch(launch, self.parts.packages.clone(), called_off);
        self.effects.push(effect::launched(key, starting, directory).boxed());
    }

    fn on(&mut self, event: Event) {
        let now = self.parts.clock.boot();
        match event {
            Event::Launched(key, Ok(running)) => {
                let component = self.components.get_mut(&key.uid);
                if let Some(instance) = component.and_then(|component| component.instances.get_mut(key.index))
                    && let Some(record) = instance.record().cloned()
                {
                    metrics::counter!("isthmus_host_instance_starts_total").increment(1);
                    tracing::info!(
                        component.uid = %key.uid, instance = key.index, pid = running.child.pid,
                        generation = record.generation.0, restarts = record.restarts,
                        "instance {} of {} was started", key.index, key.uid
                    );
                    instance.started(record, now);
                    self.hold(key, running);
                }
                self.act(key.uid);
            }
            Event::Launched(key, Err(failed)) => {
                self.failed(key, now, failed);
                self.act(key.uid);
            }
            Event::Gone(key, last_words) => {
                self.gone(key, now, last_words);
                self.act(key.uid);
            }
            Event::Looked(answers) => {
                self.looking = false;
                let seen: BTreeSet<Uid> = answers.iter().map(|answer| answer.key.uid).collect();
                let poll = *self.poll();
                for answer in answers {
                    if let Some(component) = self.components.get_mut(&answer.key.uid) {
                        component.see(answer, now, &poll);
                    }
                }
                for uid in seen {
                    self.tell(uid);
                }
            }
            Event::Done => {}
        }
    }

    /// Remembers who runs, and waits for its end.
    fn hold(&mut self, key: Key, running: Running) {
        let guard = Arc::new(running.guard);
        let now = self.parts.clock.boot();
        if let Some(component) = self.components.get_mut(&key.uid) {
            component.runs(
                key.index,
                Hold::Running { guard: Arc::clone(&guard), child: running.child, look_at: now },
            );
        }
        self.effects.push(effect::until_gone(key, guard, self.layout.instance(key)).boxed());
    }

    fn failed(&mut self, key: Key, now: Duration, failed: Failed) {
        let Some(component) = self.components.get_mut(&key.uid) else { return };
        component.holds.remove(key.index);
        let Some(instance) = component.instances.get_mut(key.index) else { return };
        if let Some(record) = instance.record() {
            self.ports.give_back(record.ports);
        }
        let called_off = matches!(instance.stage, Stage::Starting { called_off: true, .. });
        let delay = instance.start_failed(now, failed.reason);
        if called_off {
            return;
        }
        tracing::warn!(
            component.uid = %key.uid, instance = key.index, reason = %failed.reason, retry.delay_ms = delay.as_millis(),
            "instance {} of {} could not be started and is tried again in {delay:?}: {}", key.index, key.uid, failed.message
        );
        component.seen(key.index).last_error = failed.message;
    }

    fn gone(&mut self, key: Key, now: Duration, last_words: String) {
        let stable_after = self.parts.host.config.stable_after;
        let Some(component) = self.components.get_mut(&key.uid) else { return };
        component.holds.remove(key.index);
        let Some(instance) = component.instances.get_mut(key.index) else { return };
        if let Some(record) = instance.record() {
            self.ports.give_back(record.ports);
        }
        let asked_for = matches!(instance.stage, Stage::Stopping { .. });
        let delay = instance.ended(now, stable_after);
        component.seen(key.index).forget_run();
        if asked_for {
            tracing::info!(component.uid = %key.uid, instance = key.index, "instance {} of {} is stopped", key.index, key.uid);
            return;
        }
        metrics::counter!("isthmus_host_instance_failures_total").increment(1);
        tracing::warn!(
            component.uid = %key.uid, instance = key.index, retry.delay_ms = delay.as_millis(),
            "instance {} of {} ended and is started again in {delay:?}: {last_words}", key.index, key.uid
        );
        component.seen(key.index).last_error = last_words;
    }

    /// Says how the component stands; lets go of one that is over.
    fn tell(&mut self, uid: Uid) {
        let now = self.parts.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = UnixMillis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        let Some(component) = self.components.get_mut(&uid) else { return };
        if let Some(observation) = component.observation(uid, now) {
            self.parts.observe.observe(observation);
        }
        if component.is_over() {
            self.components.remove(&uid);
        }
    }

    fn on_time(&mut self) {
        let now = self.parts.clock.boot();
        let due = |component: &Component| {
            next_start(&component.wanted, &component.instances).is_some_and(|start_at| start_at <= now)
        };
        let due: Vec<Uid> =
            self.components.iter().filter(|(_, component)| due(component)).map(|(uid, _)| *uid).collect();
        for uid in due {
            self.act(uid);
        }
        if self.looking {
            return;
        }
        let again = now + self.poll().starting;
        let questions: Vec<Question> = self
            .components
            .iter_mut()
            .flat_map(|(uid, component)| component.questions(*uid, now, again))
            .collect();
        if !questions.is_empty() {
            self.looking = true;
            let secrets = self.parts.host.config.secrets.clone();
            let round = look(questions, Arc::clone(&self.parts.attachments), *self.poll(), secrets);
            self.effects.push(effect::looked(round).boxed());
        }
    }

    /// The next moment at which something is due by time alone.
    fn next_wake(&self) -> Duration {
        let starts = self
            .components
            .values()
            .filter_map(|component| next_start(&component.wanted, &component.instances));
        let looks =
            self.components.values().filter_map(|component| component.next_look()).filter(|_| !self.looking);
        starts.chain(looks).min().unwrap_or(Duration::MAX)
    }

    fn poll(&self) -> &super::config::Poll {
        &self.parts.host.config.poll
    }
}

/// Differs from instance to instance, and is the same at every start of the agent.
fn seed(key: Key) -> u64 {
    let (high, low) = key.uid.0.as_u64_pair();
    high ^ low.rotate_left(7) ^ u64::from(key.index)
}
