//! `BatchService`: many changes over one stream, each answered after its own commit.
//!
//! Items are admitted and queued as they come, without waiting for those before them; answers go out in whatever order their
//! commits come. Nothing is read while answers are not taken, so a client that does not listen stops itself.

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use isthmus_daemon::tasks::Tasks;
use isthmus_model::access::Role;
use isthmus_model::reason::Reason;
use isthmus_proto::component::v1 as wire;
use isthmus_proto::component::v1::batch_item::Action;
use isthmus_proto::component::v1::batch_result::Outcome;
use isthmus_proto::convert;
use isthmus_proto::failure::embedded;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::prepare;
use super::resource::{Components, deletion, may};
use crate::auth::Caller;
use crate::auth::caller;
use crate::status_code;
use crate::store::command::WriteMode;
use crate::store::{Answer, Change, Command, State, Submission};

/// Items of one stream that may be unacknowledged.
pub const MOST_IN_FLIGHT: usize = 4096;

/// Answers between the work and the connection.
const ANSWERS: usize = 16;

/// `BatchService`.
#[derive(Debug, Clone)]
pub struct Batches {
    components: Components,
    tasks: Tasks,
}

impl Batches {
    /// Over functions, sources and sinks; streams run among `tasks`.
    pub fn new(components: Components, tasks: Tasks) -> Self {
        Self { components, tasks }
    }
}

#[tonic::async_trait]
impl wire::batch_service_server::BatchService for Batches {
    type BatchStream = ReceiverStream<Result<wire::BatchResponse, Status>>;

    async fn batch(
        &self,
        request: Request<Streaming<wire::BatchRequest>>,
    ) -> Result<Response<Self::BatchStream>, Status> {
        let caller = caller(&request)?;
        let (answers, stream) = mpsc::channel(ANSWERS);
        let work = Work {
            components: self.components.clone(),
            caller,
            in_flight: FuturesUnordered::new(),
            unanswered: 0,
        };
        self.tasks.spawn_request(move |stop| work.run(request.into_inner(), answers, stop));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn batch_once(
        &self,
        request: Request<wire::BatchRequest>,
    ) -> Result<Response<wire::BatchResponse>, Status> {
        let caller = caller(&request)?;
        let items = request.into_inner().items;
        if items.len() > MOST_IN_FLIGHT {
            let message = format!("a batch has at most {MOST_IN_FLIGHT} items, this one has {}", items.len());
            return Err(status_code::failed(Reason::TooManyInFlight, message));
        }
        let Taken { mut results, queued } = self.components.take(&caller, items);
        results.extend(self.components.submit_items(queued).await);
        results.sort_unstable_by_key(|result| result.sequence);
        Ok(Response::new(wire::BatchResponse { results }))
    }
}

/// Items that were admitted, with the numbers that their answers carry.
#[derive(Default)]
struct Queued {
    sequences: Vec<u64>,
    submissions: Vec<Submission>,
}

/// What became of items at once: answers, and what is to be decided.
#[derive(Default)]
struct Taken {
    results: Vec<wire::BatchResult>,
    queued: Queued,
}

struct Work {
    components: Components,
    caller: Caller,
    in_flight: FuturesUnordered<BoxFuture<'static, Vec<wire::BatchResult>>>,
    unanswered: usize,
}

impl Work {
    async fn run(
        mut self,
        mut items: Streaming<wire::BatchRequest>,
        answers: mpsc::Sender<Result<wire::BatchResponse, Status>>,
        stop: tokio_util::sync::CancellationToken,
    ) {
        let mut reading = true;
        while reading || !self.in_flight.is_empty() {
            // A message is not taken before it is whole, and a group's answers stay in the set until they are taken.
            let results = tokio::select! {
                biased;
                Some(results) = self.in_flight.next(), if !self.in_flight.is_empty() => {
                    self.unanswered = self.unanswered.saturating_sub(results.len());
                    results
                }
                message = items.message(), if reading => {
                    // Nothing more: the client has said all, or is gone; what it said before is answered.
                    let Ok(Some(message)) = message else {
                        reading = false;
                        continue;
                    };
                    self.take(message.items).await
                }
                () = stop.cancelled(), if reading => {
                    reading = false;
                    continue;
                }
            };
            if !results.is_empty() && answers.send(Ok(wire::BatchResponse { results })).await.is_err() {
                return;
            }
        }
        if stop.is_cancelled() {
            let message = "the gateway is stopping; repeat with the same request ids what was not answered";
            let _gone = answers.send(Err(status_code::failed(Reason::Unavailable, message))).await;
        }
    }

    /// Queues items; what is answered at once comes back.
    async fn take(&mut self, mut items: Vec<wire::BatchItem>) -> Vec<wire::BatchResult> {
        let room = MOST_IN_FLIGHT.saturating_sub(self.unanswered).min(items.len());
        let surplus = items.split_off(room);
        let Taken { mut results, queued } = self.components.take(&self.caller, items);
        results.extend(surplus.into_iter().map(|item| {
            let message = format!(
                "{MOST_IN_FLIGHT} items are unacknowledged on this stream already; wait for their answers"
            );
            rejected(item.sequence, &status_code::failed(Reason::TooManyInFlight, message))
        }));
        let Queued { sequences, submissions } = queued;
        if submissions.is_empty() {
            return results;
        }
        self.unanswered += submissions.len();
        match self.components.context.store().enqueue(submissions, count_clusters).await {
            Ok(answers) => self.in_flight.push(Box::pin(async move {
                let (answers, clusters) = answers.await;
                answered(sequences, answers, clusters)
            })),
            Err(closed) => {
                self.unanswered = self.unanswered.saturating_sub(sequences.len());
                let status = status_code::closed(closed);
                results.extend(sequences.into_iter().map(|sequence| rejected(sequence, &status)));
            }
        }
        results
    }
}

impl Components {
    fn take(&self, caller: &Caller, items: Vec<wire::BatchItem>) -> Taken {
        let mut taken = Taken::default();
        for item in items {
            let sequence = item.sequence;
            match self.admit(caller, item) {
                Ok(submission) => {
                    taken.queued.sequences.push(sequence);
                    taken.queued.submissions.push(submission);
                }
                Err(status) => taken.results.push(rejected(sequence, &status)),
            }
        }
        taken
    }

    fn admit(&self, caller: &Caller, item: wire::BatchItem) -> Result<Submission, Status> {
        let missing =
            |field: &str| status_code::invalid_field(field, Reason::MissingField, "it must be given", "");
        let write = |component, mode: fn(Option<isthmus_model::order::Revision>) -> WriteMode| {
            Ok::<_, Status>(Command::Write(self.prepare(Some(component), None, mode)?.write))
        };
        let command = match item.action.ok_or_else(|| missing("action"))? {
            Action::Create(component) => write(component, |_| WriteMode::Create)?,
            Action::Update(component) => write(component, WriteMode::Update)?,
            Action::Apply(component) => write(component, WriteMode::Apply)?,
            Action::Delete(request) => {
                let kind = convert::component::read_kind(request.kind());
                Command::Delete(deletion(request, kind.ok_or_else(|| missing("delete.kind"))?)?)
            }
        };
        let name = match &command {
            Command::Write(write) => &write.name,
            Command::Delete(delete) => &delete.name,
            _ => return Err(missing("action")),
        };
        let principal = may(caller, Role::Developer, name)?;
        let request = prepare::request_id(&principal, &item.request_id)?;
        Ok(Submission { principal, time: self.context.now(), request, command })
    }

    async fn submit_items(&self, queued: Queued) -> Vec<wire::BatchResult> {
        let Queued { sequences, submissions } = queued;
        let (answers, clusters) = self.context.store().submit_all_and_look(submissions, count_clusters).await;
        answered(sequences, answers, clusters)
    }
}

/// On how many clusters each component runs as its change left it.
fn count_clusters(state: &State, answers: &[Answer]) -> Vec<u32> {
    let count = |answer: &Answer| {
        let view = answer.as_ref().ok().and_then(|outcome| state.component_by_uid(outcome.change.uid()?));
        let clusters = view.map_or(0, |view| view.assignments().filter(|a| !a.removed()).count());
        u32::try_from(clusters).unwrap_or(u32::MAX)
    };
    answers.iter().map(count).collect()
}

/// What the client is told of each item.
fn answered(sequences: Vec<u64>, answers: Vec<Answer>, clusters: Option<Vec<u32>>) -> Vec<wire::BatchResult> {
    let clusters = clusters.unwrap_or_default().into_iter().chain(std::iter::repeat(0));
    let result = |((sequence, answer), clusters): ((u64, Answer), u32)| match answer {
        Ok(outcome) => {
            let (change, revision) = match outcome.change {
                Change::Created { .. } => (wire::Change::Created, 1),
                Change::Updated { revision, .. } => (wire::Change::Updated, revision.0),
                Change::Unchanged { revision, .. } => (wire::Change::Unchanged, revision.0),
                Change::Deleted { .. } => (wire::Change::Deleted, 0),
                Change::Done | Change::Nothing => (wire::Change::Unspecified, 0),
            };
            let accepted = wire::BatchAccepted {
                change: change.into(),
                log_index: outcome.index.0,
                uid: outcome.change.uid().map(|uid| uid.as_bytes().to_vec()).unwrap_or_default(),
                revision,
                clusters,
            };
            wire::BatchResult { sequence, outcome: Some(Outcome::Accepted(accepted)) }
        }
        Err(rejection) => rejected(sequence, &status_code::rejected(rejection)),
    };
    sequences.into_iter().zip(answers).zip(clusters).map(result).collect()
}

fn rejected(sequence: u64, status: &Status) -> wire::BatchResult {
    wire::BatchResult { sequence, outcome: Some(Outcome::Rejected(embedded(status))) }
}
