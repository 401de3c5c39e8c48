//! What the instances of a component wrote, read through the session of its cluster.

use futures::stream::{self, BoxStream, StreamExt as _};
use isthmus_model::access::Role;
use isthmus_model::component::ComponentKind;
use isthmus_model::name::ClusterName;
use isthmus_model::reason::Reason;
use isthmus_proto::component::v1 as wire;
use isthmus_proto::sync::v1::LogRequest;
use tokio::sync::mpsc;
use tonic::{Request, Status};

use super::prepare;
use super::resource::{Components, find, may, missing};
use crate::auth::caller;
use crate::status_code;
use crate::sync::registry::{LogEnd, Order};

/// Pieces that wait for the reader; a piece has at most 64 KiB.
const AHEAD: usize = 64;

/// Pieces of a log.
pub(super) type Pieces = BoxStream<'static, Result<wire::LogsResponse, Status>>;

impl Components {
    pub(super) async fn logs(
        &self,
        kind: ComponentKind,
        request: Request<wire::LogsRequest>,
    ) -> Result<Pieces, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let name = prepare::name(request.name)?;
        may(&caller, Role::Viewer, &name)?;
        let read = self.context.read(|state| {
            let view = find(state, kind, &name)?;
            let shares: Vec<ClusterName> = view.assignments().map(|share| share.cluster().clone()).collect();
            Some((view.uid(), shares))
        });
        let (uid, shares) = read.await?.ok_or_else(|| missing(kind, &name))?;
        let cluster = choose(&request.cluster, shares)?;
        let away = || {
            let message =
                format!("cluster {cluster} has no session, so its logs cannot be read now; try again");
            status_code::failed(Reason::Disconnected, message)
        };
        let link = self.eyes.registry.get(&cluster).ok_or_else(away)?;
        let (reader, pieces) = mpsc::channel(AHEAD);
        let order = LogRequest {
            id: 0,
            uid: uid.as_bytes().to_vec().into(),
            instance: request.instance,
            tail_lines: request.tail_lines,
            follow: request.follow,
        };
        if !link.order(Order::Log(order, reader)) {
            return Err(away());
        }
        let first =
            wire::LogsResponse { data: Vec::new(), cluster: cluster.to_string(), instance: request.instance };
        let pieces = stream::unfold(pieces, |mut pieces| async move { Some((pieces.recv().await?, pieces)) });
        let told = pieces.map(|piece| match piece {
            Ok(data) => Ok(wire::LogsResponse { data: data.to_vec(), ..wire::LogsResponse::default() }),
            Err(end) => Err(ended(&end)),
        });
        Ok(self.context.endless(stream::iter([Ok(first)]).chain(told)))
    }
}

fn choose(asked: &str, mut shares: Vec<ClusterName>) -> Result<ClusterName, Status> {
    let list = || shares.iter().map(ClusterName::as_str).collect::<Vec<_>>().join(", ");
    let wrong = |reason, rule: String| {
        let value = serde_json::Value::from(asked).to_string();
        Err(status_code::invalid_field("cluster", reason, rule, if asked.is_empty() { "" } else { &value }))
    };
    if asked.is_empty() {
        return match shares.len() {
            0 => Err(status_code::failed(Reason::Pending, "it runs in no cluster, so there are no logs")),
            1 => Ok(shares.swap_remove(0)),
            _ => wrong(Reason::MissingField, format!("it runs in several clusters; name one of {}", list())),
        };
    }
    match shares.iter().position(|cluster| cluster.as_str() == asked) {
        Some(at) => Ok(shares.swap_remove(at)),
        None => wrong(Reason::InvalidField, format!("it does not run there; it runs in: {}", list())),
    }
}

fn ended(end: &LogEnd) -> Status {
    match end {
        LogEnd::Agent(_) => status_code::failed(Reason::NotFound, end.to_string()),
        LogEnd::Session => status_code::failed(Reason::Unavailable, end.to_string()),
        LogEnd::Slow => status_code::failed(Reason::TooManyInFlight, end.to_string()),
    }
}
