//! From a port to connections that are ready to be served.
//!
//! A port is bound early, so that a taken one is an error at start, and accepted from late, once the parts behind
//! it are built. TLS handshakes run beside the accept loop, bounded in time, in number and in rate, so that a
//! thousand agents that come back at once, or somebody who opens connections and says nothing, hold up nobody.
//!
//! [`Incoming`] is what tonic's `serve_with_incoming_shutdown` takes. Give it a signal that never comes
//! (`std::future::pending()`): the stream ends when [`Stage::Accept`] comes, and tonic then closes its connections
//! gracefully and returns when the last one is gone. Handlers find the [`Peer`] in the extensions of a request.

mod bucket;
mod connection;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use rustls::ServerConfig;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::chain::Chain;
use crate::tasks::{OnFailure, OnShutdown, Stage, Tasks};

pub use connection::{Connection, Memo, Peer};

use bucket::Bucket;
use connection::Transport;

/// What newcomers may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Open connections. Further ones wait in the kernel's queue. Default 16,384.
    pub connections: u32,
    /// TLS handshakes at the same time. Default 256: each holds tens of KiB and waits for the network mostly.
    pub handshakes: u32,
    /// New connections a second, with a second's worth at once. Default 1,000: about what handshakes cost half a
    /// core, so that those who are connected are still served while everybody else comes back.
    pub per_second: u32,
    /// How long a handshake may take. Default 10 s: a slow link needs three round trips.
    #[serde(with = "humantime_serde")]
    pub handshake_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            handshakes: 256,
            per_second: 1000,
            handshake_timeout: Duration::from_secs(10),
        }
    }
}

/// How a port is protected.
#[derive(Clone)]
pub enum Security {
    /// TLS, with the certificates of [`tls::server_config`](crate::tls::server_config).
    Tls(Arc<ServerConfig>),
    /// Nothing: for loopback addresses only.
    Plaintext,
}

/// Without the keys.
impl std::fmt::Debug for Security {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tls(_) => "Tls",
            Self::Plaintext => "Plaintext",
        })
    }
}

/// A port cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Plain text beyond this machine.
    #[error(transparent)]
    Plaintext(#[from] PlaintextBeyondLoopback),
    /// The port is taken, or the address is not this machine's.
    #[error("cannot listen on {address}")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// A server may be reached in plain text from its own machine only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{address} is not served without TLS: plain text is for loopback addresses only; configure a certificate, or \
     listen on 127.0.0.1 or [::1]"
)]
pub struct PlaintextBeyondLoopback {
    /// The address.
    pub address: SocketAddr,
}

/// Whether an address may be served with this protection. [`Listener::bind`] asks it too; a configuration asks it
/// before anything is started.
///
/// # Errors
/// Plain text on an address that others reach.
pub fn permitted(address: SocketAddr, security: &Security) -> Result<(), PlaintextBeyondLoopback> {
    match security {
        Security::Plaintext if !address.ip().is_loopback() => Err(PlaintextBeyondLoopback { address }),
        Security::Plaintext | Security::Tls(_) => Ok(()),
    }
}

/// A bound port that does not accept yet.
#[derive(Debug)]
pub struct Listener {
    name: &'static str,
    socket: TcpListener,
    address: SocketAddr,
    limits: Limits,
    security: Security,
}

impl Listener {
    /// Binds the port; port 0 takes a free one. `name` is its name in logs and metrics.
    ///
    /// # Errors
    /// The port is taken, the address is not ours, or it would be plain text beyond this machine.
    pub async fn bind(
        name: &'static str,
        address: SocketAddr,
        limits: Limits,
        security: Security,
    ) -> Result<Self, Error> {
        permitted(address, &security)?;
        let failed = |source| Error::Bind { address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { name, socket, address, limits, security })
    }

    /// The address with the port that was really taken.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts from now on, in a task of [`Stage::Accept`].
    pub fn accept(self, tasks: &Tasks) -> Incoming {
        /// Accepted connections that the server has not taken yet; it takes them at once.
        const READY: usize = 64;
        let (ready, incoming) = mpsc::channel(READY);
        let Self { name, socket, address, limits, security } = self;
        tracing::info!(listener = name, address = %address, security = ?security, "{name} listens on {address}");
        let door = Door { name, security, limits, ready, tasks: tasks.clone() };
        let on_shutdown = OnShutdown::Abort;
        tasks.spawn(format!("listener {name}"), OnFailure::EndProcess, Stage::Accept, on_shutdown, |stop| {
            door.run(socket, stop)
        });
        Incoming { address, ready: incoming }
    }
}

/// Connections, ready to be served. Ends when the server no longer accepts.
#[derive(Debug)]
pub struct Incoming {
    address: SocketAddr,
    ready: mpsc::Receiver<Connection>,
}

impl Incoming {
    /// The address they come in at.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }
}

impl Stream for Incoming {
    type Item = Result<Connection, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(context).map(|next| next.map(Ok))
    }
}

/// The accept loop.
struct Door {
    name: &'static str,
    security: Security,
    limits: Limits,
    ready: mpsc::Sender<Connection>,
    tasks: Tasks,
}

impl Door {
    async fn run(self, socket: TcpListener, stop: CancellationToken) {
        let open = Arc::new(Semaphore::new(self.limits.connections.max(1) as usize));
        let handshakes = Arc::new(Semaphore::new(self.limits.handshakes.max(1) as usize));
        let mut bucket = Bucket::new(self.limits.per_second);
        let started = Instant::now();
        loop {
            // Everything is awaited before the accept: who is not accepted waits in the kernel and costs nothing.
            let ready = async {
                let open = open.clone().acquire_owned().await.ok()?;
                let handshake = handshakes.clone().acquire_owned().await.ok()?;
                tokio::time::sleep(bucket.take(started.elapsed())).await;
                Some((open, handshake))
            };
            // Dropping the wait gives the permits back; an accept that is dropped has accepted nothing.
            let Some(Some((open, handshake))) = stop.run_until_cancelled(ready).await else { return };
            match stop.run_until_cancelled(socket.accept()).await {
                None => return,
                Some(Ok((stream, remote))) => self.welcome(stream, remote, open, handshake),
                Some(Err(error)) => {
                    if stop.run_until_cancelled(self.pause(&error)).await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    /// An accept fails because a client went away again, or because the process is out of descriptors: in both
    /// cases the port is fine, and a short pause keeps the second from becoming a busy loop.
    async fn pause(&self, error: &std::io::Error) {
        const PAUSE: Duration = Duration::from_millis(50);
        let name = self.name;
        metrics::counter!("isthmus_accept_failures_total", "listener" => name).increment(1);
        tracing::warn!(listener = name, problem = %error, "{name} cannot accept a connection: {error}");
        tokio::time::sleep(PAUSE).await;
    }

    fn welcome(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
        open: OwnedSemaphorePermit,
        handshake: OwnedSemaphorePermit,
    ) {
        let (name, security, timeout) = (self.name, self.security.clone(), self.limits.handshake_timeout);
        let ready = self.ready.clone();
        self.tasks.spawn_request(move |stop| async move {
            // Whichever arm wins, the other's connection is closed by dropping it.
            let done = tokio::select! {
                () = stop.cancelled() => return,
                done = tokio::time::timeout(timeout, secure(stream, &security)) => done,
            };
            drop(handshake);
            let problem = match done {
                Ok(Ok(transport)) => {
                    let connection = Connection::new(name, transport, remote, open);
                    // The server is gone only when it has stopped.
                    let _stopped = ready.send(connection).await;
                    return;
                }
                Ok(Err(error)) => Chain(&error).to_string(),
                Err(_elapsed) => format!("no TLS handshake within {timeout:?}"),
            };
            metrics::counter!("isthmus_handshake_failures_total", "listener" => name).increment(1);
            tracing::debug!(listener = name, peer = %remote, problem, "{name} refused a connection: {problem}");
        });
    }
}

async fn secure(stream: TcpStream, security: &Security) -> std::io::Result<Transport> {
    // Small frames go out at once; without it each waits for the acknowledgement of the one before.
    stream.set_nodelay(true)?;
    match security {
        Security::Plaintext => Ok(Transport::Plain(stream)),
        Security::Tls(config) => {
            let tls = TlsAcceptor::from(config.clone()).accept(stream).await?;
            Ok(Transport::Tls(Box::new(tls)))
        }
    }
}

#[cfg(test)]
mod tests;
