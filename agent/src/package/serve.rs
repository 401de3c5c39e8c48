//! Packages for the pods of this cluster: by digest, and only those that the cluster's share needs.
//!
//! ```text
//! GET /packages/{digest} ▶ in the share? ──no──▶ 404
//!                           └─yes─▶ cache (fetches once) ▶ pinned file ▶ streamed
//! ```
//!
//! Plain HTTP on purpose. What fetches is whatever tool the image of a runner has, which knows nothing of our root; that the bytes
//! are the right ones is checked in the pod by their digest, which its command carries; and a digest is known to nobody who could
//! not read the custom resource as well. What is left to protect is the agent: connections are few, short and serve one request.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use isthmus_daemon::chain::Chain;
use isthmus_daemon::tasks::Tasks;
use isthmus_model::component::{Component, Runtime};
use isthmus_model::name::{Digest, Uid};
use isthmus_model::order::Generation;
use isthmus_model::package::PackageRef;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;

use crate::target::{Desired, DesiredHandle, Package, Packages};

/// Connections at a time; others wait in the kernel's queue. Each has an open file and a chunk of it in memory.
const CONNECTIONS: usize = 64;

/// How long one may take from its first byte to its last: a gigabyte at 2 MB/s.
const LONGEST: Duration = Duration::from_mins(10);

/// How long a request may take to be sent.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is read of a file at a time.
const CHUNK: usize = 64 * 1024;

/// The port cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for pods that fetch packages")]
pub struct Error {
    /// What was asked for.
    pub address: SocketAddr,
    source: std::io::Error,
}

/// The port of packages, bound, before it answers.
#[derive(Debug)]
pub struct PackageServer<P> {
    socket: TcpListener,
    about: Arc<About<P>>,
}

/// What every request needs.
#[derive(Debug)]
struct About<P> {
    share: Mutex<Share>,
    packages: P,
}

impl<P: Packages> PackageServer<P> {
    /// Binds the port; 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken, or the address is not this machine's.
    pub async fn bind(address: SocketAddr, desired: DesiredHandle, packages: P) -> Result<Self, Error> {
        let socket = TcpListener::bind(address).await.map_err(|source| Error { address, source })?;
        Ok(Self { socket, about: Arc::new(About { share: Mutex::new(Share::new(desired)), packages }) })
    }

    /// The address with the port that was really taken.
    ///
    /// # Errors
    /// The socket is no longer usable.
    pub fn local_address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers until `stop`. What is being sent by then is sent to its end, as far as the shutdown gives it time.
    pub async fn serve(self, tasks: Tasks, stop: CancellationToken) {
        let Self { socket, about } = self;
        let service = Router::new().route("/packages/{digest}", get(package::<P>)).with_state(about);
        let open = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let next = async {
                // Who is not accepted yet waits in the kernel and costs nothing.
                let permit = Arc::clone(&open).acquire_owned().await.ok()?;
                Some((permit, socket.accept().await))
            };
            // Dropping the wait gives the permit back; an accept that is dropped has accepted nothing.
            match stop.run_until_cancelled(next).await {
                None | Some(None) => return,
                Some(Some((permit, Ok((stream, _))))) => {
                    let service = service.clone();
                    tasks.spawn_request(|_| connection(stream, service, permit));
                }
                Some(Some((_, Err(error)))) => {
                    /// Out of descriptors, perhaps: not to be asked again at once.
                    const PAUSE: Duration = Duration::from_millis(50);
                    tracing::warn!(problem = %error, "the port of packages cannot accept a connection: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// One request and its answer.
async fn connection(stream: TcpStream, service: Router, permit: OwnedSemaphorePermit) {
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let problem = match tokio::time::timeout(LONGEST, connection).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(Chain(&error).to_string()),
        Err(_elapsed) => Some(format!("it took longer than {LONGEST:?}")),
    };
    drop(permit);
    if let Some(problem) = problem {
        tracing::debug!(problem, "a pod did not take its package: {problem}");
    }
}

async fn package<P: Packages>(State(about): State<Arc<About<P>>>, Path(digest): Path<String>) -> Response {
    let refused = |status, text: String| (status, text + "\n").into_response();
    let Ok(digest) = digest.parse::<Digest>() else {
        return refused(StatusCode::BAD_REQUEST, "a digest is 64 hexadecimal digits".to_owned());
    };
    if !about.share.lock().needs(digest) {
        count("refused");
        let why = format!("nothing that this cluster shall run has the package sha256:{digest}");
        return refused(StatusCode::NOT_FOUND, why);
    }
    let answer = match about.packages.package(digest).await {
        Ok(package) => stream(package).await.map_err(|error| format!("it cannot be read: {error}")),
        Err(error) => Err(Chain(&error).to_string()),
    };
    match answer {
        Ok(answer) => {
            count("served");
            answer
        }
        Err(why) => {
            count("failed");
            tracing::warn!(package.digest = %digest, problem = why, "a pod does not get package sha256:{digest}: {why}");
            // It is asked for again: by the pod, whose start fails without it.
            refused(StatusCode::SERVICE_UNAVAILABLE, why)
        }
    }
}

/// The file, pinned until its last byte has been read.
async fn stream(package: Package) -> std::io::Result<Response> {
    let file = tokio::fs::File::open(package.path()).await?;
    let size = file.metadata().await?.len();
    let pinned = futures::stream::unfold(
        (ReaderStream::with_capacity(file, CHUNK), package),
        |(mut chunks, package)| async move {
            let chunk = futures::StreamExt::next(&mut chunks).await?;
            Some((chunk, (chunks, package)))
        },
    );
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, size.to_string()),
    ];
    Ok((headers, Body::from_stream(pinned)).into_response())
}

fn count(outcome: &'static str) {
    metrics::counter!("isthmus_agent_packages_served_total", "outcome" => outcome).increment(1);
}

/// Which packages the cluster's share needs, read again only where the share has changed.
#[derive(Debug)]
struct Share {
    desired: DesiredHandle,
    known: HashMap<Uid, (Generation, Vec<Digest>)>,
}

impl Share {
    fn new(desired: DesiredHandle) -> Self {
        let mut share = Self { desired, known: HashMap::new() };
        share.look();
        share
    }

    fn needs(&mut self, digest: Digest) -> bool {
        if self.desired.has_changed() {
            self.look();
        }
        self.known.values().any(|(_, digests)| digests.contains(&digest))
    }

    fn look(&mut self) {
        let known = &mut self.known;
        // Decoding takes longer than the set may be held.
        let changed = self.desired.look(|set| {
            known.retain(|uid, _| matches!(set.entries.get(uid), Some(Desired::Run(_))));
            let running = set.entries.values().filter_map(|desired| match desired {
                Desired::Run(assignment) => Some(assignment),
                Desired::Stop(_) => None,
            });
            let new = running.filter(|assignment| {
                known.get(&assignment.uid).is_none_or(|(generation, _)| *generation != assignment.generation)
            });
            new.map(Arc::clone).collect::<Vec<_>>()
        });
        for assignment in changed {
            // One that cannot be read does not run either, so that it needs nothing.
            let component = isthmus_proto::convert::component::decode(&assignment.spec);
            let digests = component.map(|component| digests(&component)).unwrap_or_default();
            self.known.insert(assignment.uid, (assignment.generation, digests));
        }
    }
}

/// The stored packages of a component.
fn digests(component: &Component) -> Vec<Digest> {
    let spec = &component.spec;
    let code = spec.runtime.as_ref().map(Runtime::package);
    let transform = spec.transform.as_ref().map(|transform| &transform.package);
    code.into_iter().chain(transform).filter_map(stored).collect()
}

fn stored(package: &PackageRef) -> Option<Digest> {
    package.digest.or_else(|| package.requested_digest())
}

#[cfg(test)]
mod tests;
