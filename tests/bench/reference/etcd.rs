//! etcd's own writes: puts and transactions of puts.
//!
//! The few messages that this takes are written out here, because the client crate compiles etcd's whole API with a `protoc`
//! that a fresh machine does not have. They travel over the same tonic as ours; etcd speaks without TLS, which is in its favour.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http::uri::PathAndQuery;
use isthmus_tests::client::gathering;
use prost::Message;
use tokio::task::JoinSet;
use tonic::Request;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use crate::deploy::{CONNECTIONS, Done, FRAME, Series};

#[derive(Clone, PartialEq, Message)]
struct PutRequest {
    #[prost(bytes, tag = "1")]
    key: Vec<u8>,
    #[prost(bytes, tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Header {
    #[prost(int64, tag = "3")]
    revision: i64,
}

#[derive(Clone, PartialEq, Message)]
struct PutResponse {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
}

#[derive(Clone, PartialEq, Message)]
struct TxnRequest {
    #[prost(message, repeated, tag = "2")]
    success: Vec<RequestOp>,
}

#[derive(Clone, PartialEq, Message)]
struct RequestOp {
    #[prost(message, optional, tag = "2")]
    put: Option<PutRequest>,
}

#[derive(Clone, PartialEq, Message)]
struct TxnResponse {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
    #[prost(bool, tag = "2")]
    succeeded: bool,
}

/// The bytes that we deploy, under the name that they have.
fn put(series: &Series, n: u64) -> PutRequest {
    let key = format!("/functions/{}-{n:07}", series.name()).into_bytes();
    PutRequest { key, value: series.function(n) }
}

/// Puts, so many in flight, for a while.
pub(crate) async fn puts(url: &str, series: &Arc<Series>, in_flight: usize, time: Duration) -> Result<Done> {
    load(url, series, in_flight, time, 1).await
}

/// Transactions of as many puts as one may have by default, so many in flight, for a while. Counts puts.
pub(crate) async fn transactions(
    url: &str,
    series: &Arc<Series>,
    in_flight: usize,
    time: Duration,
) -> Result<Done> {
    load(url, series, in_flight, time, FRAME).await
}

async fn load(url: &str, series: &Arc<Series>, in_flight: usize, time: Duration, share: u64) -> Result<Done> {
    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS {
        let endpoint = Endpoint::from_shared(url.to_owned())?;
        let channel = endpoint.connect_with_connector(tower::service_fn(gathering)).await;
        channels.push(channel.context("connect to etcd")?);
    }
    let begun = Instant::now();
    let mut workers = JoinSet::new();
    for channel in channels.iter().cycle().take(in_flight) {
        let (mut client, series) = (Grpc::new(channel.clone()), series.clone());
        workers.spawn(async move {
            let mut count = 0;
            while begun.elapsed() < time {
                write(&mut client, series.take(share).map(|n| put(&series, n)).collect()).await?;
                count += share;
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

async fn write(client: &mut Grpc<Channel>, puts: Vec<PutRequest>) -> Result<()> {
    client.ready().await.context("etcd is away")?;
    match <[PutRequest; 1]>::try_from(puts) {
        Ok([put]) => {
            let path = PathAndQuery::from_static("/etcdserverpb.KV/Put");
            let codec: ProstCodec<PutRequest, PutResponse> = ProstCodec::default();
            let answer = client.unary(Request::new(put), path, codec).await?.into_inner();
            ensure!(answer.header.is_some_and(|header| header.revision > 0), "etcd did not put");
        }
        Err(puts) => {
            let success = puts.into_iter().map(|put| RequestOp { put: Some(put) }).collect();
            let path = PathAndQuery::from_static("/etcdserverpb.KV/Txn");
            let codec: ProstCodec<TxnRequest, TxnResponse> = ProstCodec::default();
            let answer = client.unary(Request::new(TxnRequest { success }), path, codec).await?.into_inner();
            ensure!(answer.succeeded, "etcd refused a transaction");
        }
    }
    Ok(())
}
