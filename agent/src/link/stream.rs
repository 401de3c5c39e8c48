//! One session over one connection: the socket, the timers and the queues around a [`Session`], which decides.
//!
//! Nothing here waits for the gateway to read: what is to be sent waits in a queue whose length is bounded by what the
//! gateway asked, and observations and logs are only taken from their sources while that queue is empty. So a slow gateway
//! costs memory for the newest word of each component and no more, and frames are read whatever happens to those written.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use isthmus_daemon::chain::Chain;
use isthmus_daemon::clock::Clock;
use isthmus_proto::sync::v1::agent_frame::Frame;
use isthmus_proto::sync::v1::sync_service_client::SyncServiceClient;
use isthmus_proto::sync::v1::{AgentFrame, GatewayFrame, LogData};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::StreamMap;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tonic::transport::Channel;

use super::Link;
use super::identity::FreshKey;
use super::session::{Action, End, Event, LogQuestion, Session};
use crate::inbox::{self, Answer, Answers};
use crate::target::Target;

/// Frames between the session and HTTP/2's own flow control.
const OUTGOING: usize = 4;
/// Observations in one frame: some hundred bytes each, and no frame near gRPC's limit of 4 MiB.
const OBSERVATIONS: usize = 1_000;

/// Why a stream is over.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The gateway does not take it, or the connection broke.
    #[error("the gateway ended it: {}", .0.message())]
    Status(Box<tonic::Status>),
    /// The gateway ended it without a word.
    #[error("the gateway closed it")]
    Closed,
    /// The gateway did not answer in time.
    #[error("the gateway did not answer within {0:?}")]
    Late(Duration),
    /// The session ended.
    #[error(transparent)]
    End(End),
    /// The inbox is gone.
    #[error(transparent)]
    Inbox(inbox::Gone),
}

/// How a stream ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// `None` when it was told to.
    pub(super) problem: Option<Error>,
    /// The gateway had taken the session.
    pub(super) established: bool,
}

type Logs = StreamMap<u64, Pin<Box<dyn Stream<Item = LogData> + Send>>>;

struct Driver<'a, T> {
    link: &'a mut Link<T>,
    session: Session,
    channel: Channel,
    pending: VecDeque<Frame>,
    answers: Answers,
    logs: Logs,
    fresh: Option<FreshKey>,
    established: bool,
}

/// Runs one session over the channel until it ends.
pub(super) async fn run<T: Target>(
    link: &mut Link<T>,
    channel: Channel,
    boot_id: &[u8],
    stop: &CancellationToken,
) -> Ended {
    let facts = match link.inbox.facts().await {
        Ok(facts) => facts,
        Err(gone) => return Ended { problem: Some(Error::Inbox(gone)), established: false },
    };
    let declared = link.declared.borrow_and_update().clone();
    let (session, actions) =
        Session::open(link.clock.boot(), link.config.dial.timeout, facts, declared, boot_id);
    let (answers, answered) = mpsc::unbounded_channel();
    let mut driver = Driver {
        link,
        session,
        channel,
        pending: VecDeque::new(),
        answers,
        logs: StreamMap::new(),
        fresh: None,
        established: false,
    };
    let problem = driver.drive(actions, answered, stop).await.err();
    Ended { problem, established: driver.established }
}

impl<T: Target> Driver<'_, T> {
    async fn drive(
        &mut self,
        first: Vec<Action>,
        mut answered: mpsc::UnboundedReceiver<Answer>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        self.act(first).await?;
        let (sender, outgoing) = mpsc::channel(OUTGOING);
        self.flush(&sender);
        let mut incoming = match stop.run_until_cancelled(self.open(outgoing)).await {
            None => return Ok(()),
            Some(opened) => opened?,
        };
        let mut next_report = Instant::now();
        loop {
            let events =
                self.next_event(&mut incoming, &mut answered, &sender, &mut next_report, stop).await?;
            let Some(events) = events else { return Ok(()) };
            for event in events {
                let actions = self.session.on(self.link.clock.boot(), event);
                self.act(actions).await?;
            }
            self.flush(&sender);
        }
    }

    async fn open(&mut self, outgoing: mpsc::Receiver<AgentFrame>) -> Result<Streaming<GatewayFrame>, Error> {
        let timeout = self.link.config.dial.timeout;
        let mut client = SyncServiceClient::new(self.channel.clone());
        let opening = client.session(ReceiverStream::new(outgoing));
        match tokio::time::timeout(timeout, opening).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(Error::Status(Box::new(status))),
            Err(_) => Err(Error::Late(timeout)),
        }
    }

    /// Hands over what there is room for.
    fn flush(&mut self, sender: &mpsc::Sender<AgentFrame>) {
        while let Some(frame) = self.pending.pop_front() {
            if let Err(mpsc::error::TrySendError::Full(frame) | mpsc::error::TrySendError::Closed(frame)) =
                sender.try_send(AgentFrame { frame: Some(frame) })
            {
                self.pending.extend(frame.frame);
                self.pending.rotate_right(1);
                return;
            }
        }
    }

    /// What happens next, or nothing of interest; `None` when it is time to stop.
    async fn next_event(
        &mut self,
        incoming: &mut Streaming<GatewayFrame>,
        answered: &mut mpsc::UnboundedReceiver<Answer>,
        sender: &mpsc::Sender<AgentFrame>,
        next_report: &mut Instant,
        stop: &CancellationToken,
    ) -> Result<Option<Vec<Event>>, Error> {
        let Self { link, session, pending, logs, .. } = self;
        let idle = pending.is_empty();
        let now = link.clock.boot();
        let until_tick = session.deadline().saturating_sub(now);
        let reports = &link.reports;
        let news = async {
            tokio::time::sleep_until(*next_report).await;
            reports.news().await;
        };
        // Every arm only waits for one thing that stays where it is when another arm wins.
        let event = tokio::select! {
            () = stop.cancelled() => return Ok(None),
            frame = incoming.message() => match frame {
                Ok(Some(GatewayFrame { frame: Some(frame) })) => Event::Frame(frame),
                // A frame of a newer gateway that this version does not know.
                Ok(Some(GatewayFrame { frame: None })) => return Ok(Some(Vec::new())),
                Ok(None) => return Err(Error::Closed),
                Err(status) => return Err(Error::Status(Box::new(status))),
            },
            Some(answer) = answered.recv() => Event::Answer(answer),
            permit = sender.reserve(), if !idle => match permit {
                Ok(permit) => {
                    if let Some(frame) = pending.pop_front() {
                        permit.send(AgentFrame { frame: Some(frame) });
                    }
                    return Ok(Some(Vec::new()));
                }
                Err(_) => return Err(Error::Closed),
            },
            () = news, if idle && session.is_established() => {
                *next_report = Instant::now() + link.config.report_interval;
                Event::Observed(reports.drain(OBSERVATIONS))
            }
            Some((_, piece)) = logs.next(), if idle && !logs.is_empty() => Event::Log(piece),
            Ok(()) = link.declared.changed() => Event::Declared(link.declared.borrow_and_update().clone()),
            () = tokio::time::sleep(until_tick) => return Ok(Some(self.ticked())),
        };
        Ok(Some(vec![event]))
    }

    fn ticked(&self) -> Vec<Event> {
        let due = self.link.identity.validity().is_due(self.link.clock.now());
        std::iter::once(Event::Tick).chain(due.then_some(Event::CertificateDue)).collect()
    }

    async fn act(&mut self, actions: Vec<Action>) -> Result<(), Error> {
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Send(frame) => self.pending.push_back(frame),
                Action::Apply { nonce, change } => {
                    self.link.inbox.apply(nonce, change, self.answers.clone()).await.map_err(Error::Inbox)?;
                }
                Action::Confirm(digest) => {
                    self.link.inbox.confirm(digest, self.answers.clone()).await.map_err(Error::Inbox)?;
                }
                Action::Compare => {
                    self.link.inbox.compare(self.answers.clone()).await.map_err(Error::Inbox)?;
                }
                Action::Forget(stopped) => self.link.inbox.forget(stopped).await.map_err(Error::Inbox)?,
                Action::Established => self.established(),
                Action::Renew(until) => self.link.lessor.renew(until),
                Action::RequestCertificate => actions.extend(self.request_certificate()),
                Action::InstallCertificate { chain, roots } => self.install(chain, roots),
                Action::OpenLog(question) => self.open_log(question),
                Action::CloseLog(id) => drop(self.logs.remove(&id)),
                Action::Close(end) => return Err(Error::End(end)),
            }
        }
        Ok(())
    }

    fn established(&mut self) {
        self.established = true;
        self.link.reports.unheard_all();
        self.link.lender.lend(Some(self.channel.clone()));
        self.link.ready.holds();
        metrics::gauge!("isthmus_agent_session").set(1.0);
        let cluster = self.link.identity.cluster();
        tracing::info!(%cluster, "the gateway has taken the session of cluster {cluster}");
    }

    fn request_certificate(&mut self) -> Vec<Action> {
        match FreshKey::generate() {
            Ok(mut fresh) => {
                let request = std::mem::take(&mut fresh.request);
                self.fresh = Some(fresh);
                self.session.on(self.link.clock.boot(), Event::CertificateRequested(request))
            }
            Err(error) => {
                tracing::warn!("the certificate is not renewed: {}", Chain(&error));
                Vec::new()
            }
        }
    }

    fn install(&mut self, chain: Vec<Bytes>, roots: Vec<Bytes>) {
        let Some(fresh) = self.fresh.take() else { return };
        let identity = &self.link.identity;
        let bytes = |list: Vec<Bytes>| list.into_iter().map(Vec::from).collect();
        let credentials = fresh.certified(
            identity.cluster(),
            bytes(chain),
            bytes(roots),
            identity.renewal_credential(),
            identity.joined_by(),
        );
        match identity.replace(credentials) {
            Ok(()) => tracing::info!("the certificate was renewed and is used from the next connection on"),
            Err(error) => {
                tracing::warn!("the renewed certificate is not used: {}", Chain(&error));
            }
        }
    }

    fn open_log(&mut self, question: LogQuestion) {
        let target = self.link.target.clone();
        self.logs.insert(question.id, Box::pin(pieces(target, question)));
    }
}

/// A log as the frames that answer a question. It is read as fast as the frames are taken.
fn pieces<T: Target>(target: Arc<T>, question: LogQuestion) -> impl Stream<Item = LogData> + Send {
    let (sender, receiver) = mpsc::channel(1);
    // Reading and passing on are polled together: dropping the stream ends both.
    let reading = futures::stream::once(read_log(target, question, sender)).filter_map(|()| async { None });
    futures::stream::select(ReceiverStream::new(receiver), reading)
}

async fn read_log<T: Target>(target: Arc<T>, question: LogQuestion, sender: mpsc::Sender<LogData>) {
    let LogQuestion { id, uid, instance, options } = question;
    let piece = |data| LogData { id, data, end: false, error: String::new() };
    let end = |error| LogData { id, data: Bytes::new(), end: true, error };
    let error = match target.logs(uid, instance, options).await {
        Ok(log) => {
            let mut log = pin!(log);
            loop {
                match log.next().await {
                    Some(Ok(data)) => {
                        if sender.send(piece(data)).await.is_err() {
                            return;
                        }
                    }
                    Some(Err(error)) => break Chain(&error).to_string(),
                    None => break String::new(),
                }
            }
        }
        Err(error) => Chain(&error).to_string(),
    };
    // Nobody reads it any more.
    let _gone = sender.send(end(error)).await;
}
