//! `SyncService` and `JoinService`: where agents come in.

use futures::StreamExt as _;
use futures::stream::BoxStream;
use isthmus_model::name::{ClusterName, Digest};
use isthmus_model::reason::Reason;
use isthmus_proto::sync::v1 as wire;
use isthmus_proto::sync::v1::join_service_server::JoinService;
use isthmus_proto::sync::v1::sync_service_server::SyncService;
use tonic::{Request, Response, Status, Streaming};

use super::stream::{Frames, Sessions};
use crate::auth::caller;
use crate::cluster::join::{Desk, Joined};
use crate::packages::Packages;
use crate::status_code;

/// `SyncService`.
#[derive(Debug, Clone)]
pub struct SyncApi {
    /// The sessions.
    pub sessions: Sessions,
    /// The bytes of packages.
    pub packages: Packages,
}

#[tonic::async_trait]
impl SyncService for SyncApi {
    type SessionStream = Frames;

    async fn session(
        &self,
        request: Request<Streaming<wire::AgentFrame>>,
    ) -> Result<Response<Frames>, Status> {
        let cluster = cluster(&request)?;
        Ok(Response::new(self.sessions.open(cluster, request.into_inner())?))
    }

    type FetchPackageStream = BoxStream<'static, Result<wire::FetchPackageResponse, Status>>;

    async fn fetch_package(
        &self,
        request: Request<wire::FetchPackageRequest>,
    ) -> Result<Response<Self::FetchPackageStream>, Status> {
        let cluster = cluster(&request)?;
        let digest = digest(&request.into_inner().digest)?;
        let needed = self.sessions.store.read(|state| state.needs_package(&cluster, &digest)).await;
        if !needed.map_err(status_code::closed)? {
            let message =
                format!("nothing that cluster {cluster} shall run refers to package sha256:{digest}");
            return Err(status_code::failed(Reason::Forbidden, message));
        }
        let reader = self.packages.read(digest).await;
        let reader = reader.map_err(|error| status_code::internal("read a package", &error))?;
        let missing = || {
            status_code::failed(
                Reason::PackageMissing,
                format!("the bytes of package sha256:{digest} are not stored"),
            )
        };
        let message = |chunk| wire::FetchPackageResponse { chunk };
        let failed = |error| status_code::internal("read a package", &error);
        let pieces = reader.ok_or_else(missing)?.pieces();
        Ok(Response::new(pieces.map(move |chunk| chunk.map(message).map_err(failed)).boxed()))
    }
}

/// `JoinService`.
#[derive(Debug, Clone)]
pub struct JoinDesk(pub Desk);

#[tonic::async_trait]
impl JoinService for JoinDesk {
    async fn join(
        &self,
        request: Request<wire::JoinRequest>,
    ) -> Result<Response<wire::JoinResponse>, Status> {
        let wire::JoinRequest { token, csr } = request.into_inner();
        let joined = self.0.join(&token, &csr).await.map_err(status_code::not_joined)?;
        tracing::info!(cluster = %joined.cluster, "cluster {} joined", joined.cluster);
        Ok(Response::new(self.welcome(joined)))
    }

    async fn renew(
        &self,
        request: Request<wire::RenewRequest>,
    ) -> Result<Response<wire::JoinResponse>, Status> {
        let wire::RenewRequest { credential, csr } = request.into_inner();
        let joined = self.0.renew(&credential, &csr).await.map_err(status_code::not_joined)?;
        tracing::info!(cluster = %joined.cluster, "cluster {} renewed its certificate after it had ended", joined.cluster);
        Ok(Response::new(self.welcome(joined)))
    }
}

impl JoinDesk {
    fn welcome(&self, joined: Joined) -> wire::JoinResponse {
        wire::JoinResponse {
            cluster: joined.cluster.into(),
            chain: joined.issued.chain.iter().map(|certificate| certificate.to_vec().into()).collect(),
            roots: vec![self.0.authority().root().to_vec().into()],
            renewal_credential: joined.renewal,
        }
    }
}

/// The cluster of the agent's certificate: no field of a message names it.
fn cluster<T>(request: &Request<T>) -> Result<ClusterName, Status> {
    let not_an_agent = || status_code::failed(Reason::Forbidden, "only an agent's certificate may call this");
    caller(request)?.cluster().cloned().ok_or_else(not_an_agent)
}

fn digest(bytes: &[u8]) -> Result<Digest, Status> {
    let wrong = |_| status_code::invalid_field("digest", Reason::InvalidField, "it must be 32 bytes", "");
    bytes.try_into().map(Digest).map_err(wrong)
}
