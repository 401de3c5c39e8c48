//! The gateway's services, as whoever calls: the administrator of the profile, the holder of a token or of a certificate, or
//! nobody known.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine as _;
use isthmus_agent::link::identity::Credentials;
use isthmus_model::profile::{Pem, PemSource, Profile, Profiles};
use isthmus_proto::access::v1::access_service_client::AccessServiceClient;
use isthmus_proto::cluster::v1::cluster_service_client::ClusterServiceClient;
use isthmus_proto::cluster::v1::pulsar_cluster_service_client::PulsarClusterServiceClient;
use isthmus_proto::component::v1::batch_service_client::BatchServiceClient;
use isthmus_proto::component::v1::function_service_client::FunctionServiceClient;
use isthmus_proto::component::v1::manifest_service_client::ManifestServiceClient;
use isthmus_proto::component::v1::sink_service_client::SinkServiceClient;
use isthmus_proto::component::v1::source_service_client::SourceServiceClient;
use isthmus_proto::gateway::v1::gateway_service_client::GatewayServiceClient;
use isthmus_proto::package::v1::package_service_client::PackageServiceClient;
use isthmus_proto::sync::v1::join_service_client::JoinServiceClient;
use isthmus_proto::sync::v1::sync_service_client::SyncServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

/// For one connection to be made; the gateway's process may be starting.
const CONNECT: Duration = Duration::from_secs(10);

/// How a gateway is reached, and who may be believed to be it.
#[derive(Debug, Clone)]
pub struct Connection {
    server: String,
    roots: String,
    administrator: (String, String),
}

impl Connection {
    /// What the current profile of a file says, as `isthmus-gateway init` writes it.
    pub fn from_profile(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let Profiles { current_profile, mut profiles } = serde_saphyr::from_str(&text)?;
        let name = current_profile.context("the file names no current profile")?;
        let Profile { server, certificate_authority, client_certificate, client_key, .. } =
            profiles.remove(&name).with_context(|| format!("the file has no profile {name}"))?;
        let read = |pem: Option<Pem>, what: &str| -> Result<String> {
            match pem.with_context(|| format!("the profile has no {what}"))?.source() {
                PemSource::Inline(text) => Ok(text.to_owned()),
                PemSource::File(file) => {
                    let file = path.parent().unwrap_or_else(|| Path::new(".")).join(file);
                    std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))
                }
            }
        };
        Ok(Self {
            server,
            roots: read(certificate_authority, "certificateAuthority")?,
            administrator: (read(client_certificate, "clientCertificate")?, read(client_key, "clientKey")?),
        })
    }

    /// `https://host:port`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// PEM of the federation's root.
    pub fn roots(&self) -> &str {
        &self.roots
    }

    /// The administrator's certificate and key, in PEM.
    pub fn administrator_pem(&self) -> (&str, &str) {
        (&self.administrator.0, &self.administrator.1)
    }

    /// As the administrator.
    pub fn administrator(&self) -> Result<Client> {
        let (certificate, key) = &self.administrator;
        self.certified(certificate, key)
    }

    /// As the holder of a certificate: PEM, leaf first, and its key.
    pub fn certified(&self, certificate: &str, key: &str) -> Result<Client> {
        Client::new(self, Some(Identity::from_pem(certificate, key)), None)
    }

    /// With the identity of an agent, which lies in its data directory: what whoever steals it could do.
    pub fn agent(&self, data: &Path) -> Result<Client> {
        self.credentials(&identity(data)?)
    }

    /// With the credentials of an agent.
    pub fn credentials(&self, credentials: &Credentials) -> Result<Client> {
        let Credentials { key, chain, .. } = credentials;
        let chain: String = chain.iter().map(|der| pem("CERTIFICATE", der)).collect();
        self.certified(&chain, &pem("PRIVATE KEY", key))
    }

    /// As the holder of an API token.
    pub fn token(&self, token: &str) -> Result<Client> {
        Client::new(self, None, Some(format!("Bearer {token}").parse()?))
    }

    /// As nobody known.
    pub fn anonymous(&self) -> Result<Client> {
        Client::new(self, None, None)
    }
}

/// One caller's connection. It is made when it is first used, and made again when the gateway was away.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
    credential: Credential,
}

/// Puts the token, if there is one, before each call.
#[derive(Debug, Clone)]
pub struct Credential(Option<MetadataValue<Ascii>>);

impl Interceptor for Credential {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(bearer) = &self.0 {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        Ok(request)
    }
}

/// What carries the calls.
pub type Calls = InterceptedService<Channel, Credential>;

impl Client {
    /// The bare connection, for messages that are encoded already.
    pub fn calls(&self) -> Calls {
        InterceptedService::new(self.channel.clone(), self.credential.clone())
    }
}

/// The client of one service, which takes answers as large as a page of many components.
macro_rules! services {
    ($($(#[$doc:meta])+ $name:ident: $client:ident,)+) => {
        impl Client {
            $(
                $(#[$doc])+
                pub fn $name(&self) -> $client<Calls> {
                    $client::new(self.calls()).max_decoding_message_size(64 << 20)
                }
            )+
        }
    };
}

services! {
    /// Functions.
    functions: FunctionServiceClient,
    /// Sources.
    sources: SourceServiceClient,
    /// Sinks.
    sinks: SinkServiceClient,
    /// Many changes over one stream.
    batch: BatchServiceClient,
    /// What people have as files.
    manifests: ManifestServiceClient,
    /// Places to run.
    clusters: ClusterServiceClient,
    /// The Pulsar clusters that they reach.
    pulsar_clusters: PulsarClusterServiceClient,
    /// User code.
    packages: PackageServiceClient,
    /// Who may do what.
    access: AccessServiceClient,
    /// The gateway itself.
    gateway: GatewayServiceClient,
    /// First contact of an agent.
    joining: JoinServiceClient,
    /// An agent's stream.
    sync: SyncServiceClient,
}

/// What an agent has in its data directory to prove itself with.
pub fn identity(data: &Path) -> Result<Credentials> {
    let path = isthmus_agent::link::identity::path_in(data);
    let text = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

impl Client {
    fn new(
        connection: &Connection,
        identity: Option<Identity>,
        bearer: Option<MetadataValue<Ascii>>,
    ) -> Result<Self> {
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&connection.roots));
        if let Some(identity) = identity {
            tls = tls.identity(identity);
        }
        let endpoint = Endpoint::from_shared(connection.server.clone())?.tls_config(tls)?;
        let channel = endpoint.connect_timeout(CONNECT).connect_lazy();
        Ok(Self { channel, credential: Credential(bearer) })
    }
}
