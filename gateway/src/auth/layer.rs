//! The one place where calls are let in: a tower layer in front of every service.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{Either, Ready, ready};
use http::{Request, Response};
use isthmus_daemon::listener::Peer;
use isthmus_model::name::PrincipalName;
use isthmus_model::reason::Reason;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::identify::{Caller, Gate};
use super::permit::{self, Denied};
use crate::status_code;

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
    type Future = Either<S::Future, Refused<S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Some(need) = permit::need(request.uri().path()) else {
            return refused(unknown(request.uri().path()));
        };
        match self.gate.admit(request.headers(), request.extensions().get::<Peer>(), need) {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                Either::Left(self.inner.call(request))
            }
            Err(denied) => refused(denied.into()),
        }
    }
}

/// An answer without the service. In a box, because every call's future is as large as the largest that it could be.
type Refused<E> = Box<Ready<Result<Response<Body>, E>>>;

fn refused<F, E>(status: Status) -> Either<F, Refused<E>> {
    Either::Right(Box::new(ready(Ok(status.into_http()))))
}

impl From<Denied> for Status {
    fn from(Denied { reason, message }: Denied) -> Self {
        status_code::failed(reason, message)
    }
}

/// The caller that was let in. Only a request that did not pass the gate has none, and then nobody knows who calls.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Caller, Status> {
    request.extensions().get::<Caller>().cloned().ok_or_else(unknown_caller)
}

/// The caller's name, for a change that the audit trail shall name somebody for.
pub fn principal<T>(request: &tonic::Request<T>) -> Result<PrincipalName, Status> {
    caller(request)?.principal().cloned().ok_or_else(unknown_caller)
}

fn unknown_caller() -> Status {
    status_code::failed(Reason::Unauthenticated, "this call needs a credential of a person or program")
}

fn unknown(path: &str) -> Status {
    let path: String = path.chars().take(128).collect();
    Status::unimplemented(format!("there is no method {path:?} here"))
}
