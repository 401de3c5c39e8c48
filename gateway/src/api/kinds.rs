//! `FunctionService`, `SourceService` and `SinkService`: the same nine methods for three kinds.

use isthmus_model::component::ComponentKind;
use isthmus_proto::component::v1 as wire;
use tonic::{Request, Response, Status};

use super::logs::Pieces;
use super::resource::Components;
use super::watch::Events;

macro_rules! bind {
    ($(#[$doc:meta])* $name:ident, $service:ident, $module:ident, $kind:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Components);

        #[tonic::async_trait]
        impl wire::$module::$service for $name {
            type WatchStream = Events;
            type LogsStream = Pieces;

            async fn create(
                &self,
                request: Request<wire::CreateRequest>,
            ) -> Result<Response<wire::ChangeResponse>, Status> {
                self.0.create($kind, request).await.map(Response::new)
            }

            async fn update(
                &self,
                request: Request<wire::UpdateRequest>,
            ) -> Result<Response<wire::ChangeResponse>, Status> {
                self.0.update($kind, request).await.map(Response::new)
            }

            async fn apply(
                &self,
                request: Request<wire::ApplyRequest>,
            ) -> Result<Response<wire::ChangeResponse>, Status> {
                self.0.apply($kind, request).await.map(Response::new)
            }

            async fn delete(
                &self,
                request: Request<wire::DeleteRequest>,
            ) -> Result<Response<wire::ChangeResponse>, Status> {
                self.0.delete($kind, request).await.map(Response::new)
            }

            async fn get(&self, request: Request<wire::GetRequest>) -> Result<Response<wire::Component>, Status> {
                self.0.get($kind, request).await.map(Response::new)
            }

            async fn list(
                &self,
                request: Request<wire::ListRequest>,
            ) -> Result<Response<wire::ListResponse>, Status> {
                self.0.list($kind, request).await.map(Response::new)
            }

            async fn watch(&self, request: Request<wire::WatchRequest>) -> Result<Response<Events>, Status> {
                self.0.watch($kind, request).await.map(Response::new)
            }

            async fn explain(
                &self,
                request: Request<wire::ExplainRequest>,
            ) -> Result<Response<wire::ExplainResponse>, Status> {
                self.0.explain($kind, request).await.map(Response::new)
            }

            async fn logs(&self, request: Request<wire::LogsRequest>) -> Result<Response<Pieces>, Status> {
                self.0.logs($kind, request).await.map(Response::new)
            }
        }
    };
}

bind! {
    /// `FunctionService`.
    Functions, FunctionService, function_service_server, ComponentKind::Function
}
bind! {
    /// `SourceService`.
    Sources, SourceService, source_service_server, ComponentKind::Source
}
bind! {
    /// `SinkService`.
    Sinks, SinkService, sink_service_server, ComponentKind::Sink
}
