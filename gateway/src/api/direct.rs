//! The services that are called most, without the router in front of them.
//!
//! The router puts each body into a box of its own on the way in and on the way out, and asks for every frame through
//! them. For the three services of components, which are told by the beginning of the path, that would be a tenth of a call.

use std::convert::Infallible;
use std::task::{Context, Poll};

use http::{Request, Response};
use isthmus_proto::component::v1::function_service_server::FunctionServiceServer;
use isthmus_proto::component::v1::sink_service_server::SinkServiceServer;
use isthmus_proto::component::v1::source_service_server::SourceServiceServer;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::NamedService;
use tower::{Layer, Service};

use super::kinds::{Functions, Sinks, Sources};
use super::resource::Components;

/// Puts the services of components in front of all others.
#[derive(Debug, Clone)]
pub struct DirectLayer {
    functions: FunctionServiceServer<Functions>,
    sources: SourceServiceServer<Sources>,
    sinks: SinkServiceServer<Sinks>,
}

/// The services of components, and the others.
#[derive(Debug, Clone)]
pub struct Direct<S> {
    components: DirectLayer,
    others: S,
}

impl DirectLayer {
    /// None of them takes a message of more than `limit` bytes.
    pub(super) fn new(components: &Components, limit: usize) -> Self {
        let components = || components.clone();
        Self {
            functions: FunctionServiceServer::new(Functions(components())).max_decoding_message_size(limit),
            sources: SourceServiceServer::new(Sources(components())).max_decoding_message_size(limit),
            sinks: SinkServiceServer::new(Sinks(components())).max_decoding_message_size(limit),
        }
    }
}

/// Whether a path is of a method of this service.
fn is_of<S: NamedService>(path: &str, _: &S) -> bool {
    let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(S::NAME));
    rest.is_some_and(|method| method.starts_with('/'))
}

impl<S> Layer<S> for DirectLayer {
    type Service = Direct<S>;

    fn layer(&self, others: S) -> Direct<S> {
        Direct { components: self.clone(), others }
    }
}

impl<S> Service<Request<Body>> for Direct<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    // Small, because every layer in front moves it.
    type Future = BoxFuture<Response<Body>, Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.others.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let DirectLayer { functions, sources, sinks } = &mut self.components;
        let path = request.uri().path();
        if is_of(path, functions) {
            functions.call(request)
        } else if is_of(path, sources) {
            sources.call(request)
        } else if is_of(path, sinks) {
            sinks.call(request)
        } else {
            Box::pin(self.others.call(request))
        }
    }
}
