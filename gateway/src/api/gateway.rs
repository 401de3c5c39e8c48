//! `GatewayService`: which gateway this is, and where it stands.

use std::sync::Arc;

use isthmus_proto::gateway::v1 as wire;
use tonic::{Request, Response, Status};

use super::context::Context;
use crate::status_code;
use crate::sync::registry::Registry;

/// `GatewayService`.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// The store.
    pub context: Context,
    /// Who is connected.
    pub registry: Arc<Registry>,
    /// Name of the federation.
    pub federation: String,
}

#[tonic::async_trait]
impl wire::gateway_service_server::GatewayService for Gateway {
    async fn get_info(
        &self,
        _: Request<wire::GetInfoRequest>,
    ) -> Result<Response<wire::GetInfoResponse>, Status> {
        let (epoch, applied) = self.context.read(|state| (state.epoch(), state.applied())).await?;
        let oldest = self.context.store().oldest().await.map_err(|error| status_code::watch_ended(&error))?;
        Ok(Response::new(wire::GetInfoResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            federation: self.federation.clone(),
            epoch: epoch.0,
            log_index: applied.0,
            oldest_log_index: oldest.0,
            connected_clusters: u32::try_from(self.registry.len()).unwrap_or(u32::MAX),
        }))
    }
}
