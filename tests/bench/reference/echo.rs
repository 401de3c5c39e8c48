//! A bare tonic echo over mutual TLS that puts each request on the disk before it answers: what any durable answer over this
//! transport costs. It runs in a process of its own, as the gateway does.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::uri::PathAndQuery;
use isthmus_testbed::Run;
use isthmus_testbed::ports::Port;
use isthmus_testbed::process::{Program, Supervised};
use isthmus_testbed::wait::until;
use prost::Message;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::server::{NamedService, UnaryService};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::Service;

use super::fdatasync::Disk;
use crate::latency::Latency;
use crate::{load, process};

type Codec = ProstCodec<Bytes, Bytes>;

/// The server's process.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Where it listens on loopback.
    #[arg(long)]
    port: u16,
    /// Its certificate, key and data.
    #[arg(long)]
    directory: PathBuf,
}

/// Serves until the process is ended.
pub(crate) async fn serve(options: Options) -> Result<()> {
    let Options { port, directory } = options;
    let (certificate, key) = credentials(&directory)?;
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(&certificate, key))
        .client_ca_root(Certificate::from_pem(&certificate));
    let service = EchoServer(Disk::open(&directory)?);
    Server::builder().tls_config(tls)?.add_service(service).serve(([127, 0, 0, 1], port).into()).await?;
    Ok(())
}

/// Connects, asks once, writes [`CONNECTED`] and does nothing until the process is ended.
pub(crate) async fn idle(options: Options) -> Result<()> {
    let Options { port, directory } = options;
    let channel = connect(port, &directory).await?;
    call(channel.clone(), Bytes::from_static(b"there?")).await?;
    std::fs::write(directory.join(CONNECTED), "")?;
    std::future::pending::<()>().await;
    drop(channel);
    Ok(())
}

/// The file that says that an idle client has its connection.
const CONNECTED: &str = "connected";

#[derive(Debug, Clone)]
struct EchoServer(Disk);

impl NamedService for EchoServer {
    const NAME: &'static str = "bench.Echo";
}

impl Service<http::Request<Body>> for EchoServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Poller<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = Echo(self.0.clone());
        Box::pin(async move { Ok(tonic::server::Grpc::new(Codec::default()).unary(echo, request).await) })
    }
}

struct Echo(Disk);

impl UnaryService<Bytes> for Echo {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let disk = self.0.clone();
        Box::pin(async move {
            let bytes = request.into_inner();
            let written = bytes.clone();
            let done = tokio::task::spawn_blocking(move || disk.write(&written)).await;
            let done = done.map_err(|error| Status::internal(error.to_string()))?;
            done.map_err(|error| Status::internal(error.to_string())).map(|()| Response::new(bytes))
        })
    }
}

/// A running echo server and a connection to it.
#[derive(Debug)]
pub(crate) struct Echoing {
    server: Supervised,
    port: Port,
    directory: PathBuf,
}

impl Echoing {
    /// Starts one, with a certificate of its own that client and server show each other.
    pub(crate) async fn start(run: &Run, port: Port) -> Result<Self> {
        let directory = run.dir().join("echo");
        std::fs::create_dir_all(&directory).context("make the echo's directory")?;
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        std::fs::write(directory.join("certificate.pem"), made.cert.pem())?;
        std::fs::write(directory.join("key.pem"), made.signing_key.serialize_pem())?;
        let program = Program::new(crate::own()?)
            .args(["echo", "--port", &port.to_string(), "--directory"])
            .arg(&directory);
        let server = program.start(run, &run.dir().join("echo.log"))?;
        let echoing = Self { server, port, directory };
        until("the echo to serve", Duration::from_secs(30), async || {
            let channel = echoing.connect().await.map_err(|error| format!("{error:#}"))?;
            call(channel, Bytes::from_static(b"there?")).await.map_err(|error| format!("{error:#}"))
        })
        .await?;
        Ok(echoing)
    }

    /// Resident bytes of a process that holds one connection and nothing else, a while after it stands.
    pub(crate) async fn idle_client(&self, run: &Run, settle: Duration) -> Result<u64> {
        let program = Program::new(crate::own()?)
            .args(["idle", "--port", &self.port.to_string(), "--directory"])
            .arg(&self.directory);
        let client = program.start(run, &run.dir().join("idle.log"))?;
        until("the idle client to connect", Duration::from_secs(30), async || {
            if self.directory.join(CONNECTED).exists() { Ok(()) } else { Err("it has not".to_owned()) }
        })
        .await?;
        tokio::time::sleep(settle).await;
        let resident = process::resident(run, "isthmus-bench")?;
        client.kill().await?;
        Ok(resident)
    }

    /// One call after the other, for a while.
    pub(crate) async fn one_in_flight(&self, time: Duration) -> Result<Latency> {
        let channel = self.connect().await?;
        let begun = Instant::now();
        let mut all = Vec::new();
        for n in 0.. {
            if begun.elapsed() >= time {
                break;
            }
            all.push(timed(channel.clone(), Instant::now(), n).await?);
        }
        Latency::of(all).context("not one call was answered in time")
    }

    /// So many calls a second, whatever becomes of those before, for a while.
    pub(crate) async fn at_rate(&self, rate: u32, time: Duration) -> Result<Latency> {
        let mut channels = Vec::new();
        for _ in 0..crate::deploy::CONNECTIONS {
            channels.push(self.connect().await?);
        }
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let begun = Instant::now();
        let mut calls = JoinSet::new();
        for (n, channel) in (0..).zip(channels.iter().cycle()) {
            // From the moment when it was due: a load that comes late shall not hide what it waited for.
            let due = ticks.tick().await;
            if begun.elapsed() >= time {
                break;
            }
            calls.spawn(timed(channel.clone(), due, n));
        }
        let all = calls.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
        Latency::of(all).context("not one call was answered in time")
    }

    /// Ends it.
    pub(crate) async fn stop(self) -> Result<()> {
        Ok(self.server.kill().await?)
    }

    async fn connect(&self) -> Result<Channel> {
        connect(self.port.number(), &self.directory).await
    }
}

async fn connect(port: u16, directory: &Path) -> Result<Channel> {
    let (certificate, key) = credentials(directory)?;
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&certificate))
        .identity(Identity::from_pem(&certificate, key))
        .domain_name("localhost");
    let endpoint = Endpoint::from_shared(format!("https://127.0.0.1:{port}"))?;
    Ok(endpoint.tls_config(tls)?.connect().await?)
}

fn credentials(directory: &Path) -> Result<(String, String)> {
    let read =
        |name: &str| std::fs::read_to_string(directory.join(name)).with_context(|| format!("read {name}"));
    Ok((read("certificate.pem")?, read("key.pem")?))
}

async fn timed(channel: Channel, from: Instant, n: u64) -> Result<Duration> {
    let bytes = load::function("echo", n).encode_to_vec();
    call(channel, bytes.into()).await?;
    Ok(from.elapsed())
}

async fn call(channel: Channel, bytes: Bytes) -> Result<()> {
    let mut client = Grpc::new(channel);
    client.ready().await?;
    let path = PathAndQuery::from_static("/bench.Echo/Echo");
    let answer = client.unary(Request::new(bytes.clone()), path, Codec::default()).await?.into_inner();
    anyhow::ensure!(answer == bytes, "the echo says something else");
    Ok(())
}
