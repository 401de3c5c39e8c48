//! The one place where calls are let in: a tower layer in front of every service.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{Either, Ready, ready};
use http::{Request, Response};
use isthmus_daemon::listener::Peer;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::identify::Gate;
use super::permit;
use crate::api::status_code;

/// Puts [`Gate`] in front of services.
#[derive(Debug, Clone)]
pub struct AuthLayer(pub Arc<Gate>);

/// A service behind the gate.
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    gate: Arc<Gate>,
    inner: S,
}

impl<S> Layer<S> for AuthLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { gate: self.0.clone(), inner }
    }
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Some(need) = permit::need(request.uri().path()) else {
            return Either::Right(ready(Ok(unknown(request.uri().path()).into_http())));
        };
        match self.gate.admit(request.headers(), request.extensions().get::<Peer>(), need) {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                Either::Left(self.inner.call(request))
            }
            Err(denied) => Either::Right(ready(Ok(status_code::denied(denied).into_http()))),
        }
    }
}

fn unknown(path: &str) -> Status {
    let path: String = path.chars().take(128).collect();
    Status::unimplemented(format!("there is no method {path:?} here"))
}
