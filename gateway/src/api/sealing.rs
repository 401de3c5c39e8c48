//! `SealingService`: the clusters' public keys, for who seals secrets.

use isthmus_model::access::Role;
use isthmus_model::cluster::Cluster;
use isthmus_model::policy::Placement;
use isthmus_proto::component::v1 as wire;
use isthmus_proto::component::v1::sealing_service_server::SealingService;
use isthmus_proto::convert;
use tonic::{Request, Response, Status};

use super::context::Context;
use super::prepare;
use super::resource::may;
use crate::auth::caller;
use crate::status_code;

/// `SealingService` over the store.
#[derive(Debug, Clone)]
pub struct Sealing(pub Context);

#[tonic::async_trait]
impl SealingService for Sealing {
    async fn list_sealing_keys(
        &self,
        request: Request<wire::ListSealingKeysRequest>,
    ) -> Result<Response<wire::ListSealingKeysResponse>, Status> {
        let caller = caller(&request)?;
        let wire::ListSealingKeysRequest { name, placement } = request.into_inner();
        may(&caller, Role::Developer, &prepare::name(name)?)?;
        let placement = convert::placement::written(placement.unwrap_or_default());
        let placement: Placement = placement.map_err(status_code::unreadable)?;
        let response = self.0.read(|state| {
            let clusters = state.clusters().map(|view| view.cluster());
            let allowed = |cluster: &&std::sync::Arc<Cluster>| {
                placement.clusters.check(cluster.name.as_str(), &cluster.labels).is_ok()
            };
            let mut response = wire::ListSealingKeysResponse::default();
            for cluster in clusters.filter(allowed) {
                match cluster.declared.sealing_key {
                    Some(key) => response.keys.push(wire::ClusterSealingKey {
                        cluster: cluster.name.to_string(),
                        key_id: key.id().0.to_vec(),
                        public_key: key.0.to_vec(),
                    }),
                    None => response.clusters_without_key.push(cluster.name.to_string()),
                }
            }
            response
        });
        Ok(Response::new(response.await?))
    }
}
