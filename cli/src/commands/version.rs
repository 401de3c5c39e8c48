//! `version`: of this program and of the gateway.

use isthmus_proto::gateway::v1::{GetInfoRequest, GetInfoResponse};
use serde_json::json;

use super::Context;
use crate::client::Bound;
use crate::error::Error;
use crate::output::Output;

const OWN: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn run(context: &Context<'_>, only_client: bool) -> Result<Output, Error> {
    if only_client {
        return Ok(Output::said(format!("isthmus {OWN}"), json!({"client": OWN})));
    }
    let client = context.client().await?;
    let answer = client.gateway(Bound::Unary).get_info(GetInfoRequest {}).await;
    let GetInfoResponse { version, federation, epoch, log_index, oldest_log_index, connected_clusters } =
        client.answer("asking for the gateway's version", answer)?;
    let text = format!(
        "isthmus {OWN}\ngateway {version}, federation {federation}, epoch {epoch}, log index {log_index}, \
         {connected_clusters} clusters connected\n"
    );
    let gateway = json!({
        "version": version,
        "federation": federation,
        "epoch": epoch,
        "logIndex": log_index,
        "oldestLogIndex": oldest_log_index,
        "connectedClusters": connected_clusters,
    });
    Ok(Output::Text { text, value: json!({"client": OWN, "gateway": gateway}) })
}
