//! One connection to a gateway: TCP, TLS, HTTP/2, each with a deadline and small buffers.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::{CertificateError, ClientConfig};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use super::address::GatewayAddress;

/// How connections are made and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// For TCP, TLS and the gateway's first answer, each. Default 10 s.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Between two pings of an idle connection; it is given up when one is not answered within `timeout`. They find a dead
    /// path where the session's own heartbeats are slower. Default 20 s.
    #[serde(with = "humantime_serde")]
    pub keep_alive: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), keep_alive: Duration::from_secs(20) }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not usable.
    #[error("cannot dial {gateway}")]
    Endpoint {
        /// Whom.
        gateway: GatewayAddress,
        /// Why.
        source: tonic::transport::Error,
    },
    /// The gateway cannot be reached, or is not believed.
    #[error("cannot connect to gateway {gateway}")]
    Connect {
        /// Whom.
        gateway: GatewayAddress,
        /// Why.
        source: tonic::transport::Error,
    },
}

impl Error {
    /// Whether the gateway answered, and its certificate leads to no root that is believed.
    pub(super) fn is_unknown_issuer(&self) -> bool {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = next {
            // What an I/O error wraps is not its source, but stands in its place.
            let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            let tls = wrapped.and_then(|wrapped| wrapped.downcast_ref::<rustls::Error>());
            if let Some(rustls::Error::InvalidCertificate(problem)) = tls {
                return *problem == CertificateError::UnknownIssuer;
            }
            next = error.source();
        }
        false
    }
}

/// Bytes that the gateway may send ahead on one stream. A delta is seldom larger, and a thousand agents in one process of a
/// benchmark must fit into its memory.
const WINDOW: u32 = 256 * 1024;

/// Connects to a gateway with the given TLS.
pub async fn dial(
    config: Config,
    gateway: &GatewayAddress,
    tls: Arc<ClientConfig>,
) -> Result<Channel, Error> {
    let endpoint = |source| Error::Endpoint { gateway: gateway.clone(), source };
    // The connector below speaks TLS itself, so the endpoint must not know of it.
    let endpoint = Endpoint::from_shared(format!("http://{gateway}"))
        .map_err(endpoint)?
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .http2_keep_alive_interval(config.keep_alive)
        .keep_alive_timeout(config.timeout)
        .keep_alive_while_idle(true);
    let (timeout, target) = (config.timeout, gateway.clone());
    let connector = tower::service_fn(move |_| connect(target.clone(), tls.clone(), timeout));
    endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|source| Error::Connect { gateway: gateway.clone(), source })
}

type Stream = TokioIo<tokio_rustls::client::TlsStream<TcpStream>>;

async fn connect(
    gateway: GatewayAddress,
    tls: Arc<ClientConfig>,
    timeout: Duration,
) -> std::io::Result<Stream> {
    let name = gateway.server_name().map_err(std::io::Error::other)?;
    let tcp = within(timeout, "the connection", TcpStream::connect(gateway.host_and_port())).await?;
    tcp.set_nodelay(true)?;
    let tls = within(timeout, "the TLS handshake", TlsConnector::from(tls).connect(name, tcp)).await?;
    Ok(TokioIo::new(tls))
}

async fn within<T>(
    timeout: Duration,
    what: &str,
    work: impl Future<Output = std::io::Result<T>>,
) -> std::io::Result<T> {
    tokio::time::timeout(timeout, work).await.unwrap_or_else(|_| {
        Err(std::io::Error::new(std::io::ErrorKind::TimedOut, format!("{what} took longer than {timeout:?}")))
    })
}
