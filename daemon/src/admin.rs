//! What a machine asks a server about itself: does it live, is it ready, what are its numbers.
//!
//! A port of its own and plain HTTP, because who asks (a kubelet, Prometheus, a person with `curl`) has no client
//! certificate, and because it must answer when the public port does not. It shows no secret. The one thing that
//! can be changed here, the log filter, is changed from this machine only.
//!
//! | request | answer |
//! |---|---|
//! | `GET /livez` | 200 as long as the runtime turns |
//! | `GET /readyz` | 200, or 503 with one line for each thing that is missing |
//! | `GET /metrics` | Prometheus' text format |
//! | `GET /log` | the log filter in force |
//! | `PUT /log` | takes the body as the new log filter; 400 if it does not parse, 403 from another machine |

mod readiness;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::chain::Chain;
use crate::telemetry::{Filter, Telemetry};

pub use readiness::{Condition, Readiness};

/// Where the admin port is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Address and port. Default `127.0.0.1:9090`: plain HTTP leaves the machine only where somebody says so
    /// (in a pod, `0.0.0.0:9090`). Port 0 takes a free one.
    pub listen: SocketAddr,
}

impl Default for Config {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 9090)) }
    }
}

/// The admin port cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for the admin port")]
pub struct Error {
    /// What was asked for.
    pub address: SocketAddr,
    source: std::io::Error,
}

/// The admin port, bound, before it answers.
#[derive(Debug)]
pub struct Admin {
    socket: TcpListener,
    address: SocketAddr,
    about: About,
}

#[derive(Debug, Clone)]
struct About {
    readiness: Readiness,
    telemetry: Telemetry,
}

impl Admin {
    /// Binds the port.
    ///
    /// # Errors
    /// The port is taken, or the address is not this machine's.
    pub async fn bind(config: &Config, readiness: Readiness, telemetry: Telemetry) -> Result<Self, Error> {
        let failed = |source| Error { address: config.listen, source };
        let socket = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address, about: About { readiness, telemetry } })
    }

    /// The address with the port that was really taken.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until told to stop. A lasting task of [`Stage::Flush`](crate::tasks::Stage::Flush), so that it
    /// answers while the rest of the server drains.
    ///
    /// # Errors
    /// The listening socket broke.
    pub async fn serve(self, stop: CancellationToken) -> std::io::Result<()> {
        tracing::info!(address = %self.address, "the admin port answers on http://{}", self.address);
        let service = routes(self.about).into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(self.socket, service).with_graceful_shutdown(stop.cancelled_owned()).await
    }
}

fn routes(about: About) -> Router {
    /// No sensible filter is longer.
    const LONGEST_FILTER: usize = 4096;
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/log", get(filter).put(set_filter).layer(DefaultBodyLimit::max(LONGEST_FILTER)))
        .with_state(about)
}

async fn readyz(State(about): State<About>) -> Response {
    let missing = about.readiness.missing();
    if missing.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, missing.join("\n") + "\n").into_response()
}

async fn metrics(State(about): State<About>) -> Response {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (content_type, about.telemetry.metrics.render()).into_response()
}

async fn filter(State(about): State<About>) -> String {
    format!("{}\n", about.telemetry.filter.get())
}

async fn set_filter(
    State(about): State<About>,
    ConnectInfo(caller): ConnectInfo<SocketAddr>,
    body: String,
) -> Response {
    if !caller.ip().to_canonical().is_loopback() {
        return (StatusCode::FORBIDDEN, "the log filter is changed from this machine only\n").into_response();
    }
    match body.parse::<Filter>() {
        Ok(filter) => {
            tracing::info!(filter = %filter, "the log filter is now {filter}");
            let answer = format!("{filter}\n");
            about.telemetry.filter.set(filter);
            answer.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{}\n", Chain(&error))).into_response(),
    }
}

#[cfg(test)]
mod tests;
