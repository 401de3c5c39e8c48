//! One agent's stream ⇄ its session: bounds, deadlines, and the effects of what the session decides.
//!
//! One task a session, two frames of buffer, no timer that ticks for nothing: a thousand idle agents are a thousand small
//! futures.

mod logs;
mod sent;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use isthmus_daemon::clock::Clock;
use isthmus_daemon::tasks::Tasks;
use isthmus_model::cluster::{Declared, Health};
use isthmus_model::name::ClusterName;
use isthmus_model::observation::Observation;
use isthmus_model::order::{LogIndex, SetGeneration};
use isthmus_model::reason::Reason;
use isthmus_proto::sync::v1::agent_frame::Frame as FromAgent;
use isthmus_proto::sync::v1::gateway_frame::Frame as ToAgent;
use isthmus_proto::sync::v1::{AgentFrame, Certificate, GatewayFrame};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::registry::{Order, Place, Registry};
use super::session::{self, Action, Close, Event, Session};
use super::view::View;
use crate::clock::unix_millis;
use crate::cluster::health::{self, Monitor};
use crate::cluster::join::{Desk, agent_principal};
use crate::placement::ClusterId;
use crate::status::Observed;
use crate::status_code;
use crate::store::command::ClusterChange;
use crate::store::{Command, Handle, Submission};
use logs::Logs;
use sent::Sent;

/// Frames between the session and the connection: one that is being written and one that follows.
const BUFFER: usize = 2;

/// What a session answers with.
pub type Frames = ReceiverStream<Result<GatewayFrame, Status>>;

/// Everything that sessions work with.
#[derive(Debug, Clone)]
pub struct Sessions {
    /// What clusters must run.
    pub store: Handle,
    /// Who is connected.
    pub registry: Arc<Registry>,
    /// What clusters see.
    pub observed: Arc<Observed>,
    /// Who signs certificates.
    pub desk: Desk,
    /// How well every session is.
    pub monitor: Arc<Mutex<Monitor>>,
    /// How sessions are held.
    pub config: session::Config,
    /// How patient the gateway is.
    pub health: health::Config,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where sessions run.
    pub tasks: Tasks,
}

impl Sessions {
    /// Opens the session of a cluster, whose name is that of the agent's certificate.
    pub fn open(&self, cluster: ClusterName, inbound: Streaming<AgentFrame>) -> Result<Frames, Status> {
        let id = self.store.peek(|state| state.cluster(&cluster).map(|view| view.id())).0;
        let id = id.ok_or_else(|| gone(&cluster))?;
        let (out, frames) = mpsc::channel(BUFFER);
        let driver = Driver {
            session: Session::new(cluster.clone(), self.config, self.health, self.clock.boot()),
            changes: self.store.desired_changes(id),
            place: self.registry.enter(&cluster, unix_millis(&*self.clock)),
            logs: Logs::default(),
            sent: Sent::default(),
            outgoing: VecDeque::new(),
            shared: self.clone(),
            cluster,
            id,
        };
        self.tasks.spawn_request(move |stop| driver.run(inbound, out, stop));
        Ok(ReceiverStream::new(frames))
    }

    /// Watches the silence of all clusters, until told to stop. A lasting task.
    pub async fn watch_health(self, stop: tokio_util::sync::CancellationToken) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        // Both arms only wait; nothing is lost when either is dropped.
        while tokio::select! { () = stop.cancelled() => false, _ = ticks.tick() => true } {
            let now = self.clock.boot();
            let changed = self.monitor.lock().tick(now);
            for (cluster, health) in changed {
                if self.store.peek(|state| state.cluster(&cluster).is_none()).0 {
                    self.monitor.lock().forget(&cluster);
                    self.registry.forget(&cluster);
                    continue;
                }
                tracing::warn!(cluster = %cluster, health = ?health, "cluster {cluster} is {health:?}");
                self.change(&cluster, ClusterChange::Health(health)).await;
            }
        }
    }

    /// Records something about a cluster. What is refused is logged: nobody waits for it.
    async fn change(&self, cluster: &ClusterName, change: ClusterChange) {
        let command = Command::Cluster { name: cluster.clone(), change };
        self.submit(cluster, command).await;
    }

    async fn submit(&self, cluster: &ClusterName, command: Command) {
        let submission = Submission {
            principal: agent_principal(cluster),
            time: unix_millis(&*self.clock),
            request: None,
            command,
        };
        if let Err(rejection) = self.store.submit(submission).await {
            tracing::warn!(cluster = %cluster, reason = %rejection.reason, "what cluster {cluster} says was not recorded: {rejection}");
        }
    }
}

fn gone(cluster: &ClusterName) -> Status {
    let message = format!("cluster {cluster} does not belong to this federation any more; join again");
    status_code::failed(Reason::Unauthenticated, message)
}

/// One session at work.
struct Driver {
    shared: Sessions,
    cluster: ClusterName,
    id: ClusterId,
    session: Session,
    changes: watch::Receiver<SetGeneration>,
    place: Place,
    logs: Logs,
    sent: Sent,
    outgoing: VecDeque<ToAgent>,
}

/// How a session ends.
enum End {
    /// The agent closed the stream, or the connection broke.
    Gone,
    /// We end it, and say why.
    Told(Status),
}

impl Driver {
    async fn run(
        mut self,
        inbound: Streaming<AgentFrame>,
        out: mpsc::Sender<Result<GatewayFrame, Status>>,
        stop: tokio_util::sync::CancellationToken,
    ) {
        tracing::info!(cluster = %self.cluster, "cluster {} has a session", self.cluster);
        let end = self.converse(inbound, &out, stop).await;
        if let End::Told(status) = end {
            tracing::info!(cluster = %self.cluster, code = ?status.code(), "the session of cluster {} ends: {}", self.cluster, status.message());
            // What was decided before goes out first, but nobody waits long for an agent that does not read.
            let _timed_out =
                tokio::time::timeout(Duration::from_secs(2), self.last_words(&out, status)).await;
        } else {
            tracing::info!(cluster = %self.cluster, "cluster {} left its session", self.cluster);
        }
        let (observed, id) = (self.shared.observed.clone(), self.id);
        let forgotten = self.shared.store.peek(|state| state.cluster_by_id(id).is_none()).0;
        drop(self);
        if forgotten {
            observed.forget_cluster(id);
        } else {
            // The statuses of what it runs are stale from here on.
            observed.touch(observed.uids_of(id));
        }
    }

    async fn last_words(&mut self, out: &mpsc::Sender<Result<GatewayFrame, Status>>, status: Status) {
        while let Some(frame) = self.outgoing.pop_front() {
            if out.send(Ok(GatewayFrame { frame: Some(frame) })).await.is_err() {
                return;
            }
        }
        let _gone = out.send(Err(status)).await;
    }

    async fn converse(
        &mut self,
        mut inbound: Streaming<AgentFrame>,
        out: &mpsc::Sender<Result<GatewayFrame, Status>>,
        stop: tokio_util::sync::CancellationToken,
    ) -> End {
        let ended = self.place.end().clone();
        loop {
            let deadline = self.session.deadline().saturating_sub(self.shared.clock.boot());
            // Every arm is safe to drop: receiving takes nothing before it is ready, a permit that is dropped is given back, and
            // the others only wait.
            let event = tokio::select! {
                biased;
                () = ended.cancelled() => {
                    let message = "the session was ended: a newer one replaced it, or the cluster's certificates were revoked";
                    return End::Told(status_code::failed(Reason::Unavailable, message));
                }
                () = stop.cancelled() => Event::Redirect(Duration::from_millis(rand::random_range(250..1500))),
                permit = out.reserve(), if !self.outgoing.is_empty() => {
                    let Ok(permit) = permit else { return End::Gone };
                    if let Some(frame) = self.outgoing.pop_front() {
                        if let ToAgent::Delta(delta) = &frame {
                            metrics::counter!("isthmus_deltas_total").increment(1);
                            self.sent.note(delta, self.shared.clock.boot());
                        }
                        permit.send(Ok(GatewayFrame { frame: Some(frame) }));
                    }
                    match self.follow().await {
                        Ok(()) => continue,
                        Err(status) => return End::Told(status),
                    }
                }
                frame = inbound.message() => match frame {
                    Ok(Some(frame)) => {
                        if let Some(FromAgent::Ack(ack)) = &frame.frame {
                            self.sent.acknowledged(ack.nonce, self.shared.clock.boot());
                        }
                        self.heard().await;
                        Event::Frame(Box::new(frame))
                    }
                    Ok(None) | Err(_) => return End::Gone,
                },
                changed = self.changes.changed() => match (changed, self.follow().await) {
                    (Ok(()), Ok(())) => continue,
                    (Err(_), _) => return End::Told(gone(&self.cluster)),
                    (_, Err(status)) => return End::Told(status),
                },
                Some(order) = self.place.orders.recv() => match self.obey(order) {
                    Some(event) => event,
                    None => continue,
                },
                () = tokio::time::sleep(deadline) => Event::Tick,
            };
            if let Err(status) = self.take(event).await {
                return End::Told(status);
            }
        }
    }

    /// Takes an event in and does what follows from it.
    async fn take(&mut self, event: Event) -> Result<(), Status> {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let now = self.shared.clock.boot();
            let (cluster, session, store) = (&self.cluster, &mut self.session, &self.shared.store);
            let durable = store.durable_index();
            let (actions, seen) = store
                .peek(|state| View::of(state, cluster, durable).map(|view| session.on(event, now, &view)));
            let actions = actions.ok_or_else(|| gone(&self.cluster))?;
            // Most acknowledgements are answered with nothing, and wait for nothing.
            if actions.iter().any(|action| !matches!(action, Action::Acknowledged(_))) {
                store.durable(seen).await.map_err(status_code::closed)?;
            }
            for action in actions {
                events.extend(self.act(action).await?);
            }
        }
        self.follow().await
    }

    /// Fetches the next part of what the agent does not know, when the one before has gone out.
    async fn follow(&mut self) -> Result<(), Status> {
        self.changes.mark_unchanged();
        if !self.outgoing.is_empty() {
            return Ok(());
        }
        let (cluster, session, store) = (&self.cluster, &mut self.session, &self.shared.store);
        let durable = store.durable_index();
        let (part, seen) =
            store.peek(|state| View::of(state, cluster, durable).map(|view| session.next_part(&view)));
        let Some(part) = part.ok_or_else(|| gone(&self.cluster))? else { return Ok(()) };
        let takes_in = match &part {
            ToAgent::Delta(delta) => LogIndex(delta.log_index),
            _ => seen,
        };
        store.durable(takes_in).await.map_err(status_code::closed)?;
        self.outgoing.push_back(part);
        Ok(())
    }

    async fn act(&mut self, action: Action) -> Result<Option<Event>, Status> {
        match action {
            Action::Send(frame) => self.outgoing.push_back(frame),
            Action::Declare(declared) => self.declare(declared).await,
            Action::Observe(observations) => self.observe(observations),
            Action::Stopped(stopped) => {
                let uids: Vec<_> = stopped.iter().map(|removal| removal.uid).collect();
                let command = Command::Stopped { cluster: self.cluster.clone(), stopped };
                self.shared.submit(&self.cluster, command).await;
                self.shared.observed.forget(self.id, uids);
            }
            Action::Ahead { epoch, log_index } => {
                metrics::counter!("isthmus_agents_ahead_total").increment(1);
                tracing::error!(
                    cluster = %self.cluster,
                    "cluster {} knows commit {log_index} of epoch {epoch}, which this gateway does not have: its data was restored \
                     from a backup, or is another gateway's",
                    self.cluster
                );
            }
            Action::Held(held) => self.place.hold(held),
            Action::Acknowledged(set) => self.place.link().acknowledge(set),
            Action::Certify(request) => return Ok(Some(self.certify(&request).await)),
            Action::Log(data) => {
                if let Some(cancel) = self.logs.take(data) {
                    self.outgoing.push_back(ToAgent::LogCancel(cancel));
                }
            }
            Action::Close(close) => return Err(closing(&close)),
        }
        Ok(None)
    }

    fn observe(&self, observations: Vec<Observation>) {
        self.shared.observed.observe(self.id, observations);
    }

    async fn declare(&mut self, declared: Declared) {
        let cluster = &self.cluster;
        let (known, _) = self.shared.store.peek(|state| {
            View::of(state, cluster, LogIndex(0))
                .is_some_and(|view| view.cluster().cluster().declared == declared)
        });
        if !known {
            self.shared.change(&self.cluster, ClusterChange::Declare(declared)).await;
        }
    }

    async fn heard(&mut self) {
        self.place.link().heard(unix_millis(&*self.shared.clock));
        let now = self.shared.clock.boot();
        let changed = self.shared.monitor.lock().heard(&self.cluster, now);
        let Some(health) = changed else { return };
        let cluster = &self.cluster;
        let (known, _) = self.shared.store.peek(|state| state.cluster(cluster).map(|view| view.health()));
        if known != Some(health) {
            self.shared.change(&self.cluster, ClusterChange::Health(health)).await;
        }
        if health == Health::Healthy {
            self.shared.observed.touch(self.shared.observed.uids_of(self.id));
        }
    }

    async fn certify(&self, request: &[u8]) -> Event {
        let certificate = match self.shared.desk.recertify(&self.cluster, request).await {
            Ok(issued) => Certificate {
                roots: vec![self.shared.desk.authority().root().to_vec().into()],
                chain: issued.chain.iter().map(|certificate| certificate.to_vec().into()).collect(),
                refused: String::new(),
            },
            Err(error) => {
                let status = status_code::not_joined(error);
                Certificate { refused: status.message().to_owned(), ..Certificate::default() }
            }
        };
        Event::Certified(certificate)
    }

    fn obey(&mut self, order: Order) -> Option<Event> {
        match order {
            Order::Confirm(digest) => Some(Event::Confirmed(digest)),
            Order::Log(request, reader) => {
                let request = self.logs.open(request, reader);
                self.outgoing.push_back(ToAgent::LogRequest(request));
                None
            }
        }
    }
}

fn closing(close: &Close) -> Status {
    match close {
        Close::Silent(_) | Close::Redirected | Close::Diverged => {
            status_code::failed(Reason::Unavailable, close.to_string())
        }
        Close::Broken(_) => status_code::failed(Reason::InvalidField, close.to_string()),
    }
}
