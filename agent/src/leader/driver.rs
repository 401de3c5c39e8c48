//! [client] Carries out what the election says.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use isthmus_daemon::chain::Chain;
use isthmus_daemon::clock::Clock;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;

use super::election::{Action, Election, Event, Holder, Seen};
use super::{Config, Tenure};

/// This agent may write no more. What it runs goes on.
#[derive(Debug, thiserror::Error)]
#[error("the Lease {lease} was not renewed in time, so that another agent of this cluster may hold it now")]
pub struct Lost {
    lease: String,
}

/// An agent that holds the Lease.
#[derive(Debug)]
pub struct Elected {
    candidate: Candidate,
    tenure: Tenure,
    wake: Duration,
}

struct Candidate {
    api: Api<Lease>,
    config: Config,
    clock: Arc<dyn Clock>,
    /// Of this run of this agent and of nobody else ever, so that a Lease with this name is one that it wrote itself.
    identity: String,
    election: Election,
    /// As it was seen or written last.
    lease: Lease,
}

impl std::fmt::Debug for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// What an event led to.
#[derive(Debug, Default)]
struct Turn {
    wake: Option<Duration>,
    hold: Option<Duration>,
    lost: bool,
}

/// Waits until this agent holds the Lease. Safe to cancel: a claim that is on its way then runs out by itself.
pub async fn elect(client: Client, config: Config, clock: Arc<dyn Clock>) -> Elected {
    let identity = format!("{:032x}", rand::random::<u128>());
    let (api, election) = (Api::namespaced(client, &config.namespace), Election::new(&config));
    let mut candidate = Candidate { api, config, clock, identity, election, lease: Lease::default() };
    tracing::info!("waits for the Lease {}", candidate.name());
    loop {
        let turn = candidate.turn(Event::Due).await;
        let now = candidate.clock.boot();
        let wake = turn.wake.unwrap_or(now);
        if let Some(until) = turn.hold {
            tracing::info!("holds the Lease {} as {}", candidate.name(), candidate.identity);
            let tenure = Tenure::until(candidate.clock.clone(), until);
            return Elected { candidate, tenure, wake };
        }
        tokio::time::sleep(wake.saturating_sub(now)).await;
    }
}

impl Elected {
    /// For everybody who writes.
    pub fn tenure(&self) -> Tenure {
        self.tenure.clone()
    }

    /// Renews until `stop`, and gives the Lease up then, so that another agent follows at once. All writes must have ended
    /// before that.
    ///
    /// # Errors
    /// The Lease was lost.
    pub async fn keep(self, stop: CancellationToken) -> Result<(), Lost> {
        let Self { mut candidate, tenure, mut wake } = self;
        loop {
            let pause = tokio::time::sleep(wake.saturating_sub(candidate.clock.boot()));
            // Only waits.
            if stop.run_until_cancelled(pause).await.is_none() {
                candidate.turn(Event::Stop).await;
                tenure.extend(Duration::ZERO);
                return Ok(());
            }
            let turn = candidate.turn(Event::Due).await;
            if turn.lost {
                tenure.extend(Duration::ZERO);
                return Err(Lost { lease: candidate.name() });
            }
            if let Some(until) = turn.hold {
                tenure.extend(until);
            }
            wake = turn.wake.unwrap_or(wake);
        }
    }
}

impl Candidate {
    fn name(&self) -> String {
        format!("{}/{}", self.config.namespace, self.config.name)
    }

    /// Has the election take in the event and what comes of it.
    async fn turn(&mut self, event: Event) -> Turn {
        let (mut turn, mut next) = (Turn::default(), Some(event));
        while let Some(event) = next.take() {
            for action in self.election.on(event, self.clock.boot()) {
                match action {
                    Action::Wake(at) => turn.wake = Some(at),
                    Action::Hold(until) => turn.hold = Some(until),
                    Action::Lose => turn.lost = true,
                    Action::Read => next = Some(self.read().await),
                    Action::Write(over) => next = Some(self.claim(over).await),
                    Action::Release(version) => self.release(version).await,
                }
            }
        }
        turn
    }

    async fn read(&mut self) -> Event {
        match self.within(self.api.get_opt(&self.config.name)).await {
            Ok(None) => Event::Read(None),
            Ok(Some(lease)) => {
                let seen = self.seen(&lease);
                self.lease = lease;
                Event::Read(Some(seen))
            }
            Err(failed) => failed,
        }
    }

    /// A holder that says no time counts for as long as this agent would.
    fn seen(&self, lease: &Lease) -> Seen {
        let spec = lease.spec.as_ref();
        let holder = match spec.and_then(|spec| spec.holder_identity.as_deref()) {
            None | Some("") => Holder::Nobody,
            Some(identity) if identity == self.identity => Holder::This,
            Some(_) => Holder::Other,
        };
        let seconds = spec.and_then(|spec| spec.lease_duration_seconds);
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let duration = seconds.map_or(self.config.duration, Duration::from_secs);
        Seen { version: lease.metadata.resource_version.clone().unwrap_or_default(), holder, duration }
    }

    async fn claim(&mut self, over: Option<String>) -> Event {
        let lease = self.next(over, &self.identity);
        let sent = self.clock.boot();
        match self.send(&lease).await {
            Ok(lease) => {
                let version = lease.metadata.resource_version.clone().unwrap_or_default();
                self.lease = lease;
                Event::Written { sent, version }
            }
            Err(failed) => failed,
        }
    }

    async fn release(&mut self, version: String) {
        let lease = self.next(Some(version), "");
        if self.send(&lease).await.is_ok() {
            tracing::info!("has given up the Lease {}", self.name());
        } else {
            tracing::info!("could not give up the Lease {}, which runs out by itself", self.name());
        }
    }

    /// The Lease with this holder; over this version, or a new one.
    fn next(&self, over: Option<String>, holder: &str) -> Lease {
        let now = Timestamp::try_from(self.clock.now()).ok().map(MicroTime);
        let seconds = i32::try_from(self.config.duration.as_secs()).unwrap_or(i32::MAX);
        let before = over.as_ref().and(self.lease.spec.as_ref());
        let stays = before.filter(|spec| spec.holder_identity.as_deref() == Some(holder));
        let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or_default();
        let taken = stays.is_none() && before.is_some() && !holder.is_empty();
        let spec = LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(seconds),
            acquire_time: stays.map_or_else(|| now.clone(), |spec| spec.acquire_time.clone()),
            renew_time: now,
            lease_transitions: Some(transitions.saturating_add(i32::from(taken))),
            ..before.cloned().unwrap_or_default()
        };
        let metadata = match over {
            // What people wrote there stays.
            Some(version) => ObjectMeta { resource_version: Some(version), ..self.lease.metadata.clone() },
            None => ObjectMeta { name: Some(self.config.name.clone()), ..ObjectMeta::default() },
        };
        Lease { metadata, spec: Some(spec) }
    }

    async fn send(&self, lease: &Lease) -> Result<Lease, Event> {
        let params = PostParams::default();
        match lease.metadata.resource_version {
            Some(_) => self.within(self.api.replace(&self.config.name, &params, lease)).await,
            None => self.within(self.api.create(&params, lease)).await,
        }
    }

    /// A call that takes longer than a renewal may is not waited for.
    async fn within<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, Event> {
        let problem = match tokio::time::timeout(self.config.renew, call).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => {
                return Err(Event::Conflict);
            }
            Ok(Err(error)) => Chain(&error).to_string(),
            Err(_) => format!("no answer within {:?}", self.config.renew),
        };
        tracing::warn!(problem, "the Lease {} cannot be read or renewed: {problem}", self.name());
        Err(Event::Failed)
    }
}
