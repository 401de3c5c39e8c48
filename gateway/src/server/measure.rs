//! Calls by method and code, and how long they took until their answer began.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use hashbrown::HashMap;
use http::{Request, Response};
use metrics::{Counter, Histogram};
use parking_lot::RwLock;
use tokio::time::Instant;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::auth::permit;

/// What stands for every method that there is not.
const UNKNOWN: &str = "unknown";

/// Puts [`Measured`] around services.
#[derive(Debug, Clone, Default)]
pub(super) struct MeasureLayer(Arc<Meters>);

/// A service whose calls are counted.
#[derive(Debug, Clone)]
pub(super) struct Measured<S> {
    inner: S,
    meters: Arc<Meters>,
}

/// The meters of all methods that were called, each looked up among all metrics once and not at every call.
#[derive(Debug, Default)]
struct Meters(RwLock<HashMap<Arc<str>, Meter>>);

/// The meters of one method.
#[derive(Debug, Clone)]
struct Meter {
    method: Arc<str>,
    succeeded: Counter,
    seconds: Histogram,
}

impl Meters {
    fn of(&self, path: &str) -> Meter {
        // Only methods that there are: what strangers think of would never stop growing.
        let method = permit::need(path).map_or(UNKNOWN, |_| path);
        let known = self.0.read().get(method).cloned();
        known.unwrap_or_else(|| {
            let meter = Meter::new(method.into());
            self.0.write().entry(meter.method.clone()).or_insert(meter).clone()
        })
    }
}

impl Meter {
    fn new(method: Arc<str>) -> Self {
        Self {
            succeeded: calls(&method, "0"),
            seconds: metrics::histogram!("isthmus_call_seconds", "method" => method.to_string()),
            method,
        }
    }

    fn answered(&self, response: &Response<Body>, started: Instant) {
        // A call that fails before it answers has its code among the headers; what a stream ends with is not seen here.
        match response.headers().get("grpc-status").and_then(|code| code.to_str().ok()) {
            None | Some("0") => self.succeeded.increment(1),
            Some(code) => calls(&self.method, code).increment(1),
        }
        self.seconds.record(started.elapsed());
    }
}

fn calls(method: &str, code: &str) -> Counter {
    metrics::counter!("isthmus_calls_total", "method" => method.to_owned(), "code" => code.to_owned())
}

impl<S> Layer<S> for MeasureLayer {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured { inner, meters: self.0.clone() }
    }
}

impl<S> Service<Request<Body>> for Measured<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let meter = self.meters.of(request.uri().path());
        let started = Instant::now();
        let call = self.inner.call(request);
        Box::pin(async move {
            let response = call.await?;
            meter.answered(&response, started);
            Ok(response)
        })
    }
}
