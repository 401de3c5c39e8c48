//! All services of the API, composed.

use bytesize::ByteSize;
use isthmus_proto::access::v1::access_service_server::AccessServiceServer;
use isthmus_proto::cluster::v1::cluster_service_server::ClusterServiceServer;
use isthmus_proto::cluster::v1::pulsar_cluster_service_server::PulsarClusterServiceServer;
use isthmus_proto::component::v1::batch_service_server::BatchServiceServer;
use isthmus_proto::component::v1::manifest_service_server::ManifestServiceServer;
use isthmus_proto::component::v1::sealing_service_server::SealingServiceServer;
use isthmus_proto::gateway::v1::gateway_service_server::GatewayServiceServer;
use isthmus_proto::package::v1::package_service_server::PackageServiceServer;
use isthmus_proto::sync::v1::join_service_server::JoinServiceServer;
use isthmus_proto::sync::v1::sync_service_server::SyncServiceServer;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthReporter;
use tonic_reflection::server::Error;

use super::access::Access;
use super::batch::Batches;
use super::clusters::Clusters;
use super::context::Context;
use super::direct::DirectLayer;
use super::gateway::Gateway;
use super::health::HealthApi;
use super::manifest::Manifests;
use super::packages::PackageApi;
use super::pulsar_clusters::PulsarClusters;
use super::resource::Components;
use super::sealing::Sealing;
use crate::packages::Packages;
use crate::sync::service::{JoinDesk, SyncApi};
use crate::sync::stream::Sessions;

/// What the services work with.
#[derive(Debug, Clone)]
pub struct Api {
    /// The way into the store.
    pub context: Context,
    /// The sessions with agents.
    pub sessions: Sessions,
    /// The bytes of packages.
    pub packages: Packages,
    /// Name of the federation.
    pub federation: String,
    /// What the health service tells.
    pub health: HealthReporter,
}

impl Api {
    /// The services, none of which takes a message larger than `message`: those of components, and all others.
    pub fn services(self, message: ByteSize) -> Result<(DirectLayer, Routes), Error> {
        let limit = usize::try_from(message.as_u64()).unwrap_or(usize::MAX);
        let Self { context, sessions, packages, federation, health } = self;
        let clusters = Clusters {
            context: context.clone(),
            sessions: sessions.registry.clone(),
            desk: sessions.desk.clone(),
        };
        let package_api = PackageApi { context: context.clone(), packages: packages.clone() };
        let components = Components::new(context.clone(), &sessions);
        let batches = Batches::new(components.clone(), sessions.tasks.clone());
        let gateway = Gateway { context: context.clone(), registry: sessions.registry.clone(), federation };
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(isthmus_proto::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let health = HealthServer::new(HealthApi::new(health, context.clone()));
        let direct = DirectLayer::new(&components, limit);
        let routes = Routes::default()
            .add_service(BatchServiceServer::new(batches).max_decoding_message_size(limit))
            .add_service(ManifestServiceServer::new(Manifests(components)).max_decoding_message_size(limit))
            .add_service(SealingServiceServer::new(Sealing(context.clone())).max_decoding_message_size(limit))
            .add_service(GatewayServiceServer::new(gateway).max_decoding_message_size(limit))
            .add_service(ClusterServiceServer::new(clusters).max_decoding_message_size(limit))
            .add_service(
                PulsarClusterServiceServer::new(PulsarClusters(context.clone()))
                    .max_decoding_message_size(limit),
            )
            .add_service(PackageServiceServer::new(package_api).max_decoding_message_size(limit))
            .add_service(AccessServiceServer::new(Access(context)).max_decoding_message_size(limit))
            .add_service(
                JoinServiceServer::new(JoinDesk(sessions.desk.clone())).max_decoding_message_size(limit),
            )
            .add_service(
                SyncServiceServer::new(SyncApi { sessions, packages }).max_decoding_message_size(limit),
            )
            .add_service(health)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?);
        Ok((direct, routes))
    }
}
