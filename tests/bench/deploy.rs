//! Deployments, by single calls and by the batch stream. Every answer is looked at: what is not created, placed and assigned
//! fails the bench, because refusing is quick.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http::Uri;
use http::uri::PathAndQuery;
use isthmus_daemon::clock::{Clock, SystemClock};
use isthmus_model::name::Uid;
use isthmus_proto::cluster::v1::ListPulsarClustersRequest;
use isthmus_proto::component::v1::{BatchResponse, Change, ChangeResponse, CreateRequest, batch_result};
use isthmus_tests::{Client, Connection};
use prost::Message;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::client::Grpc;
use tonic_prost::ProstCodec;

use crate::lean::{self, Lean};
use crate::load::{self, Encoded};

/// Connections that calls are spread over, here and for the references.
pub(crate) const CONNECTIONS: usize = 4;

/// Items of one frame of a batch.
pub(crate) const FRAME: u64 = 128;

/// Items of one stream that are unanswered at most: what the gateway takes.
const WINDOW: usize = 4096;

/// Streams at a time.
const STREAMS: u64 = 2;

/// Acknowledged deployments, and how long they took in all.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Done {
    pub(crate) count: u64,
    pub(crate) took: Duration,
    /// What the server used of processors for them, where that was looked at.
    pub(crate) used: Duration,
}

impl Done {
    /// In a second.
    pub(crate) fn rate(self) -> f64 {
        self.count as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// With those of another round.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { count: self.count + other.count, took: self.took + other.took, used: self.used + other.used }
    }

    /// Processor time of the server for each, in microseconds.
    pub(crate) fn each(self) -> f64 {
        self.used.as_secs_f64() * 1e6 / (self.count as f64).max(1.0)
    }
}

/// Numbers of functions of one series, each given out once, until the time is over.
#[derive(Debug)]
pub(crate) struct Series {
    name: String,
    next: AtomicU64,
    encoded: Encoded,
}

impl Series {
    /// None given out yet.
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), next: AtomicU64::new(0), encoded: Encoded::new(name) })
    }

    /// The next numbers.
    pub(crate) fn take(&self, count: u64) -> Range<u64> {
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        first..first + count
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The `n`-th function, encoded.
    pub(crate) fn function(&self, n: u64) -> Vec<u8> {
        self.encoded.function(n)
    }
}

/// A [`CreateRequest`] whose component is encoded.
#[derive(Clone, PartialEq, Message)]
struct Create {
    #[prost(bytes, tag = "1")]
    component: Vec<u8>,
}

/// A [`BatchRequest`](isthmus_proto::component::v1::BatchRequest) whose components are encoded.
#[derive(Clone, PartialEq, Message)]
struct Frame {
    #[prost(message, repeated, tag = "1")]
    items: Vec<Item>,
}

#[derive(Clone, PartialEq, Message)]
struct Item {
    #[prost(uint64, tag = "1")]
    sequence: u64,
    #[prost(bytes, tag = "3")]
    create: Vec<u8>,
}

/// Of a [`ChangeResponse`], what says that a function was created and assigned.
#[derive(Clone, PartialEq, Message)]
struct Created {
    #[prost(enumeration = "Change", tag = "1")]
    change: i32,
    #[prost(message, optional, tag = "3")]
    component: Option<CreatedComponent>,
}

#[derive(Clone, PartialEq, Message)]
struct CreatedComponent {
    #[prost(message, optional, tag = "5")]
    status: Option<CreatedStatus>,
}

#[derive(Clone, PartialEq, Message)]
struct CreatedStatus {
    #[prost(message, repeated, tag = "6")]
    clusters: Vec<()>,
}

/// The administrator's clients, each with a connection of its own.
pub(crate) fn clients(connection: &Connection, count: usize) -> Result<Vec<Client>> {
    (0..count).map(|_| connection.administrator()).collect()
}

/// As [`clients`], with connections that stand: their handshakes are no part of what is measured.
pub(crate) async fn connected(connection: &Connection, count: usize) -> Result<Vec<Client>> {
    let clients = clients(connection, count)?;
    for client in &clients {
        client.pulsar_clusters().list_pulsar_clusters(ListPulsarClustersRequest::default()).await?;
    }
    Ok(clients)
}

/// Single calls, so many in flight, for a while.
pub(crate) async fn unary(
    connection: &Connection,
    series: &Arc<Series>,
    in_flight: usize,
    time: Duration,
) -> Result<Done> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(Lean::administrator(connection).await?);
    }
    let method = lean::method(connection.server(), "/isthmus.component.v1.FunctionService/Create")?;
    let begun = Instant::now();
    let mut workers = JoinSet::new();
    for client in clients.iter().cycle().take(in_flight) {
        let (client, series, method) = (client.clone(), series.clone(), method.clone());
        workers.spawn(async move {
            let mut count = 0;
            while begun.elapsed() < time {
                for n in series.take(1) {
                    create_encoded(&client, &method, series.function(n)).await?;
                    count += 1;
                }
            }
            anyhow::Ok(count)
        });
    }
    let mut count = 0;
    while let Some(worker) = workers.join_next().await {
        count += worker??;
    }
    Ok(Done { count, took: begun.elapsed(), ..Done::default() })
}

async fn create_encoded(client: &Lean, method: &Uri, component: Vec<u8>) -> Result<()> {
    let answer: Created = client.unary(method, &Create { component }).await?;
    let status = answer.component.as_ref().and_then(|component| component.status.as_ref());
    let assigned = status.map_or(0, |status| status.clusters.len());
    ensure!(
        answer.change() == Change::Created && assigned == 1,
        "not created and assigned to one: {answer:?}"
    );
    Ok(())
}

/// Creates one function; answers its identity.
pub(crate) async fn create(client: &Client, series: &str, n: u64) -> Result<Uid> {
    let request = CreateRequest { component: Some(load::function(series, n)), ..CreateRequest::default() };
    let answer = client.functions().create(request).await?.into_inner();
    created(&answer).with_context(|| format!("{series} {n}: {answer:?}"))
}

fn created(answer: &ChangeResponse) -> Result<Uid> {
    let component = answer.component.as_ref().context("the answer has no component")?;
    let assigned = component.status.as_ref().map_or(0, |status| status.clusters.len());
    ensure!(answer.change() == Change::Created && assigned == 1, "not created and assigned to one cluster");
    let uid = &component.metadata.as_ref().context("the answer has no metadata")?.uid;
    Ok(uid.parse()?)
}

/// A way to know when enough is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// So long.
    Time(Duration),
    /// So many, from the series' beginning.
    Count(u64),
}

/// Batch streams, each with a full window.
pub(crate) async fn stream(connection: &Connection, series: &Arc<Series>, until: Until) -> Result<Done> {
    let begun = Instant::now();
    let mut streams = JoinSet::new();
    for client in clients(connection, usize::try_from(STREAMS)?)? {
        let series = series.clone();
        streams.spawn(one_stream(client, series, until, begun));
    }
    let mut count = 0;
    while let Some(stream) = streams.join_next().await {
        count += stream??;
    }
    Ok(Done { count, took: begun.elapsed(), ..Done::default() })
}

async fn one_stream(client: Client, series: Arc<Series>, until: Until, begun: Instant) -> Result<u64> {
    let window = Arc::new(Semaphore::new(WINDOW));
    let (sender, frames) = mpsc::channel(4);
    let sending = tokio::spawn(send(series, until, begun, window.clone(), sender));
    let mut calls = Grpc::new(client.calls());
    calls.ready().await.context("the gateway is away")?;
    let path = PathAndQuery::from_static("/isthmus.component.v1.BatchService/Batch");
    let codec: ProstCodec<Frame, BatchResponse> = ProstCodec::default();
    let frames = Request::new(ReceiverStream::new(frames));
    let mut answers = calls.streaming(frames, path, codec).await?.into_inner();
    let mut count = 0;
    while let Some(answer) = answers.message().await? {
        window.add_permits(answer.results.len());
        for result in answer.results {
            match result.outcome {
                Some(batch_result::Outcome::Accepted(accepted))
                    if accepted.change() == Change::Created && accepted.clusters == 1 =>
                {
                    count += 1;
                }

                other => anyhow::bail!("item {} was not created and assigned: {other:?}", result.sequence),
            }
        }
    }
    let sent = sending.await??;
    ensure!(count == sent, "{sent} items were sent and {count} answered");
    Ok(count)
}

async fn send(
    series: Arc<Series>,
    until: Until,
    begun: Instant,
    window: Arc<Semaphore>,
    frames: mpsc::Sender<Frame>,
) -> Result<u64> {
    let mut sent = 0;
    loop {
        let numbers = match until {
            Until::Time(time) if begun.elapsed() >= time => break,
            Until::Time(_) => series.take(FRAME),
            Until::Count(count) => {
                let numbers = series.take(FRAME);
                numbers.start..numbers.end.min(count)
            }
        };
        if numbers.is_empty() {
            break;
        }
        let items: Vec<_> = numbers.map(|n| Item { sequence: n, create: series.function(n) }).collect();
        window.acquire_many(u32::try_from(items.len())?).await?.forget();
        sent += items.len() as u64;
        if frames.send(Frame { items }).await.is_err() {
            break;
        }
    }
    Ok(sent)
}

/// Calls so often in a second, each with its number and when it was due, whatever becomes of those before.
pub(crate) async fn at_rate<T>(
    rate: u32,
    count: u64,
    call: impl AsyncFn(u64, Duration) -> Result<T>,
) -> Result<Vec<T>> {
    let (begun, since, call) = (tokio::time::Instant::now(), now(), &call);
    let calls = (0..count).map(|n| async move {
        let after = Duration::from_secs(n) / rate;
        tokio::time::sleep_until(begun + after).await;
        call(n, since + after).await
    });
    futures::future::try_join_all(calls).await
}

/// Now, on the clock that all processes of the machine share.
pub(crate) fn now() -> Duration {
    SystemClock.boot()
}
