//! The connection to the gateway: TLS, credentials, deadlines.

use std::time::Duration;

use isthmus_proto::access::v1::access_service_client::AccessServiceClient;
use isthmus_proto::cluster::v1::cluster_service_client::ClusterServiceClient;
use isthmus_proto::cluster::v1::pulsar_cluster_service_client::PulsarClusterServiceClient;
use isthmus_proto::component::v1::manifest_service_client::ManifestServiceClient;
use isthmus_proto::component::v1::sealing_service_client::SealingServiceClient;
use isthmus_proto::gateway::v1::gateway_service_client::GatewayServiceClient;
use isthmus_proto::package::v1::package_service_client::PackageServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Response, Status};

use crate::error::Error;
use crate::request::Request;

mod components;

/// What every service's client is built on.
pub(crate) type Transport = InterceptedService<Channel, Credentials>;

/// Answers up to this size are taken: a page of 5,000 components.
const MAX_ANSWER: usize = 64 << 20;

/// A connection.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    channel: Channel,
    credentials: Credentials,
    server: String,
}

/// Adds to each call who calls and how long it may take.
#[derive(Clone)]
pub(crate) struct Credentials {
    authorization: Option<MetadataValue<Ascii>>,
    timeout: Option<Duration>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        Ok(request)
    }
}

/// How a call's length is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// By `--request-timeout`.
    Unary,
    /// Not at all.
    Stream,
}

macro_rules! services {
    ($($(#[$doc:meta])* $name:ident: $client:ident,)+) => {
        impl Client {
            $($(#[$doc])*
            pub(crate) fn $name(&self, bound: Bound) -> $client<Transport> {
                $client::new(self.transport(bound)).max_decoding_message_size(MAX_ANSWER)
            })+
        }
    };
}

services! {
    /// Files.
    manifests: ManifestServiceClient,
    /// Keys for secrets.
    sealing: SealingServiceClient,
    /// Clusters.
    clusters: ClusterServiceClient,
    /// Pulsar clusters.
    pulsar_clusters: PulsarClusterServiceClient,
    /// Packages.
    packages: PackageServiceClient,
    /// Tokens and bindings.
    access: AccessServiceClient,
    /// The gateway itself.
    gateway: GatewayServiceClient,
}

impl Client {
    /// Connects; fails when nobody answers there or the server cannot be trusted.
    pub(crate) async fn connect(request: &Request) -> Result<Self, Error> {
        let Request { server, roots, identity, token, timeout } = request;
        let not_reached = |source: tonic::transport::Error| Error::NotReached {
            server: server.clone(),
            source: Box::new(source),
        };
        let mut endpoint = Endpoint::from_shared(server.clone())
            .map_err(|error| Error::Usage(format!("the server {server:?} is not a URL: {error}")))?
            .connect_timeout((*timeout).min(Duration::from_secs(10)))
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .tcp_nodelay(true)
            .user_agent(concat!("isthmus/", env!("CARGO_PKG_VERSION")))
            .map_err(not_reached)?;
        if server.starts_with("https://") {
            let mut tls = ClientTlsConfig::new();
            if let Some(roots) = roots {
                tls = tls.ca_certificate(Certificate::from_pem(roots));
            }
            if let Some(identity) = identity {
                tls = tls.identity(Identity::from_pem(&identity.certificate, &identity.key));
            }
            endpoint = endpoint
                .tls_config(tls)
                .map_err(|error| Error::here("the certificates of the profile cannot be used", error))?;
        }
        let authorization = match token {
            None => None,
            Some(token) => {
                let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.0)
                    .parse()
                    .map_err(|_| Error::Usage("the token has characters that no token has".to_owned()))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let channel = endpoint.connect().await.map_err(not_reached)?;
        let credentials = Credentials { authorization, timeout: Some(*timeout) };
        Ok(Self { channel, credentials, server: server.clone() })
    }

    fn transport(&self, bound: Bound) -> Transport {
        let timeout = self.credentials.timeout.filter(|_| bound == Bound::Unary);
        InterceptedService::new(self.channel.clone(), Credentials { timeout, ..self.credentials.clone() })
    }

    /// The answer of a call, or the error as people read it; `doing` says what was attempted on what.
    pub(crate) fn answer<T>(
        &self,
        doing: impl Into<String>,
        answer: Result<Response<T>, Status>,
    ) -> Result<T, Error> {
        answer.map(Response::into_inner).map_err(|status| self.error(doing, status))
    }

    /// The error of a call as people read it.
    pub(crate) fn error(&self, doing: impl Into<String>, status: Status) -> Error {
        Error::call(&self.server, doing, status)
    }
}
