//! The two ends of a connection, put together.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, ConfigBuilder, ConfigSide, ServerConfig, WantsVerifier, WantsVersions};

use super::trust::OfClients;
use super::{Error, Identity, Trust, provider};

/// What is spoken inside TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    /// gRPC only.
    Http2,
    /// gRPC, and browsers or `curl`, as the client prefers.
    Http2AndHttp1,
}

impl Alpn {
    fn protocols(self) -> Vec<Vec<u8>> {
        match self {
            Self::Http2 => vec![b"h2".to_vec()],
            Self::Http2AndHttp1 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        }
    }
}

/// What a server wants of its clients.
#[derive(Debug, Clone)]
pub enum Clients {
    /// They are not asked for a certificate.
    NotAsked,
    /// They may show a certificate; one that is shown must be good.
    MayShow(Arc<Trust>),
    /// Without a good certificate there is no connection.
    MustShow(Arc<Trust>),
}

/// The TLS of a server.
///
/// # Errors
/// The crypto provider lacks a protocol version; never in our builds.
pub fn server_config(
    identity: Arc<Identity>,
    clients: Clients,
    alpn: Alpn,
) -> Result<Arc<ServerConfig>, Error> {
    let builder = versions(ServerConfig::builder_with_provider(provider()))?;
    let builder = match clients {
        Clients::NotAsked => builder.with_no_client_auth(),
        Clients::MayShow(trust) => {
            builder.with_client_cert_verifier(Arc::new(OfClients { trust, mandatory: false }))
        }
        Clients::MustShow(trust) => {
            builder.with_client_cert_verifier(Arc::new(OfClients { trust, mandatory: true }))
        }
    };
    let mut config = builder.with_cert_resolver(identity);
    config.alpn_protocols = alpn.protocols();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// The TLS of a client that believes servers of `trust` and shows `identity`, if it has one.
///
/// # Errors
/// The crypto provider lacks a protocol version; never in our builds.
pub fn client_config(
    trust: Arc<Trust>,
    identity: Option<Arc<Identity>>,
    alpn: Alpn,
) -> Result<Arc<ClientConfig>, Error> {
    let builder = versions(ClientConfig::builder_with_provider(provider()))?;
    // The verifier is webpki's own behind a replaceable reference; "dangerous" is only the name of the door.
    let builder = builder.dangerous().with_custom_certificate_verifier(trust);
    let mut config = match identity {
        Some(identity) => builder.with_client_cert_resolver(identity),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.protocols();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn versions<Side: ConfigSide>(
    builder: ConfigBuilder<Side, WantsVersions>,
) -> Result<ConfigBuilder<Side, WantsVerifier>, Error> {
    builder.with_safe_default_protocol_versions().map_err(Error::Config)
}
