//! One client for the three services of functions, sources and sinks, which are alike.

use isthmus_model::component::ComponentKind;
use isthmus_proto::component::v1::function_service_client::FunctionServiceClient;
use isthmus_proto::component::v1::sink_service_client::SinkServiceClient;
use isthmus_proto::component::v1::source_service_client::SourceServiceClient;
use isthmus_proto::component::v1::{
    ChangeResponse, Component, DeleteRequest, ExplainRequest, ExplainResponse, GetRequest, ListRequest,
    ListResponse, LogsRequest, LogsResponse, WatchRequest, WatchResponse,
};
use tonic::{Response, Status, Streaming};

use super::{Bound, Client, MAX_ANSWER, Transport};

/// The service of one kind.
#[derive(Debug, Clone)]
pub(crate) enum Components {
    Function(FunctionServiceClient<Transport>),
    Source(SourceServiceClient<Transport>),
    Sink(SinkServiceClient<Transport>),
}

impl Client {
    /// The service of this kind.
    pub(crate) fn components(&self, kind: ComponentKind, bound: Bound) -> Components {
        let transport = self.transport(bound);
        match kind {
            ComponentKind::Function => Components::Function(
                FunctionServiceClient::new(transport).max_decoding_message_size(MAX_ANSWER),
            ),
            ComponentKind::Source => {
                Components::Source(SourceServiceClient::new(transport).max_decoding_message_size(MAX_ANSWER))
            }
            ComponentKind::Sink => {
                Components::Sink(SinkServiceClient::new(transport).max_decoding_message_size(MAX_ANSWER))
            }
        }
    }
}

macro_rules! calls {
    ($($name:ident: $request:ty => $answer:ty,)+) => {
        impl Components {
            $(pub(crate) async fn $name(&mut self, request: $request) -> Result<Response<$answer>, Status> {
                match self {
                    Self::Function(client) => client.$name(request).await,
                    Self::Source(client) => client.$name(request).await,
                    Self::Sink(client) => client.$name(request).await,
                }
            })+
        }
    };
}

calls! {
    get: GetRequest => Component,
    list: ListRequest => ListResponse,
    delete: DeleteRequest => ChangeResponse,
    watch: WatchRequest => Streaming<WatchResponse>,
    explain: ExplainRequest => ExplainResponse,
    logs: LogsRequest => Streaming<LogsResponse>,
}
