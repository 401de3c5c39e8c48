//! Calls by method and code, and how long they took until their answer began.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use tokio::time::Instant;
use tonic::body::Body;
use tower::{Layer, Service};

/// Puts [`Measured`] around services.
#[derive(Debug, Clone, Copy)]
pub(super) struct MeasureLayer;

/// A service whose calls are counted.
#[derive(Debug, Clone)]
pub(super) struct Measured<S>(S);

impl<S> Layer<S> for MeasureLayer {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured(inner)
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
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = crate::auth::permit::need(request.uri().path())
            .map_or_else(|| "unknown".to_owned(), |_| request.uri().path().to_owned());
        let started = Instant::now();
        let call = self.0.call(request);
        Box::pin(async move {
            let response = call.await?;
            // A call that fails before it answers has its code among the headers; what a stream ends with is not seen here.
            let code =
                response.headers().get("grpc-status").and_then(|code| code.to_str().ok()).unwrap_or("0");
            metrics::counter!("isthmus_calls_total", "method" => method.clone(), "code" => code.to_owned())
                .increment(1);
            metrics::histogram!("isthmus_call_seconds", "method" => method).record(started.elapsed());
            Ok(response)
        })
    }
}
