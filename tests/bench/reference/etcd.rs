//! etcd's own writes: puts and transactions of puts.
//!
//! The few messages that this takes are written out here, because the client crate compiles etcd's whole API with a `protoc`
//! that a fresh machine does not have. They travel by the same client as ours; etcd speaks without TLS, which is in its favour.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http::Uri;
use prost::Message;
use tokio::task::JoinSet;

use crate::deploy::{CONNECTIONS, Done, FRAME, Series};
use crate::lean::{self, Lean};

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
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(Lean::plain(url).await.context("connect to etcd")?);
    }
    let methods = Methods {
        put: lean::method(url, "/etcdserverpb.KV/Put")?,
        txn: lean::method(url, "/etcdserverpb.KV/Txn")?,
    };
    let begun = Instant::now();
    let mut workers = JoinSet::new();
    for client in clients.iter().cycle().take(in_flight) {
        let (client, series, methods) = (client.clone(), series.clone(), methods.clone());
        workers.spawn(async move {
            let mut count = 0;
            while begun.elapsed() < time {
                write(&client, &methods, series.take(share).map(|n| put(&series, n)).collect()).await?;
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

#[derive(Debug, Clone)]
struct Methods {
    put: Uri,
    txn: Uri,
}

async fn write(client: &Lean, methods: &Methods, puts: Vec<PutRequest>) -> Result<()> {
    match <[PutRequest; 1]>::try_from(puts) {
        Ok([put]) => {
            let answer: PutResponse = client.unary(&methods.put, &put).await?;
            ensure!(answer.header.is_some_and(|header| header.revision > 0), "etcd did not put");
        }
        Err(puts) => {
            let success = puts.into_iter().map(|put| RequestOp { put: Some(put) }).collect();
            let answer: TxnResponse = client.unary(&methods.txn, &TxnRequest { success }).await?;
            ensure!(answer.succeeded, "etcd refused a transaction");
        }
    }
    Ok(())
}
