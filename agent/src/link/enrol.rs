//! First contact and return: a join token, or the credential of an agent that slept too long, becomes a certificate.
//!
//! The key is made here and never leaves. The token is shown only to a gateway whose certificate leads to the root that the
//! token itself names.

use std::path::{Path, PathBuf};

use isthmus_daemon::chain::Chain;
use isthmus_daemon::clock::Clock;
use isthmus_model::join_token::{self, JoinToken};
use isthmus_model::name::{ClusterName, Digest};
use isthmus_proto::sync::v1::join_service_client::JoinServiceClient;
use isthmus_proto::sync::v1::{JoinRequest, JoinResponse, RenewRequest};
use tonic::transport::Channel;

use super::address::GatewayAddress;
use super::identity::{self, Credentials, FreshKey, Identity};
use super::{dial, fingerprint};

/// Why this agent does not belong to the federation (any more).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It never joined and has no token.
    #[error(
        "this agent has not joined yet: make a token with `isthmus cluster join-token NAME` and name its file as join_token_file"
    )]
    NoToken,
    /// The token's file cannot be read.
    #[error("cannot read the join token in {}", path.display())]
    TokenFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The token is none.
    #[error("the join token cannot be used")]
    Token(#[source] join_token::Invalid),
    /// One directory is one cluster's: what it shall run would be taken for the other's.
    #[error(
        "the join token is for cluster {token}, but this data directory belongs to cluster {known}: use another directory"
    )]
    OtherCluster {
        /// The token's.
        token: ClusterName,
        /// The directory's.
        known: ClusterName,
    },
    /// Nobody says where the gateway is.
    #[error("no gateway is known: name at least one as gateways")]
    NoGateway,
    /// The gateway cannot be reached, or is not the one that the token was made by.
    #[error("cannot reach the gateway to {what}")]
    Dial {
        /// What for.
        what: &'static str,
        /// Why.
        source: dial::Error,
    },
    /// The gateway is another federation's.
    #[error(
        "gateway {gateway} does not belong to the federation that the join token is for: use a token that this gateway made, or name the gateway that made the token as gateways"
    )]
    OtherFederation {
        /// Whose certificate does not lead to the root that the token names.
        gateway: GatewayAddress,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS to join")]
    Tls(#[source] rustls::Error),
    /// The gateway says no.
    #[error("the gateway refused to {what}: {}", status.message())]
    Refused {
        /// What.
        what: &'static str,
        /// Its answer.
        status: Box<tonic::Status>,
    },
    /// The gateway did not answer in time.
    #[error("the gateway did not answer in time to {what}")]
    Late {
        /// What.
        what: &'static str,
    },
    /// The gateway's answer names no cluster.
    #[error("the gateway's answer cannot be used")]
    Answer(#[source] isthmus_model::name::Invalid),
    /// The identity cannot be made or kept.
    #[error("cannot take the identity")]
    Identity(#[source] identity::Error),
}

/// Where tokens and gateways are to be found.
#[derive(Debug, Clone)]
pub struct Config<'a> {
    /// The data directory.
    pub directory: &'a Path,
    /// Gateways to try in turn.
    pub gateways: &'a [GatewayAddress],
    /// File with the join token.
    pub token_file: Option<&'a Path>,
    /// Connections.
    pub dial: dial::Config,
}

/// This agent's identity: from the file, or by joining if there is none or if the token is another one than the agent joined
/// by: that is how an agent whose certificates were revoked comes back.
pub async fn enrol(config: Config<'_>) -> Result<Identity, Error> {
    let path = identity::path_in(config.directory);
    let known = Identity::load(&path).map_err(Error::Identity)?;
    let token = config.token_file.map(read_token).transpose();
    let Some(known) = known else {
        return join(&config, &path, &token?.ok_or(Error::NoToken)?).await;
    };
    // The token of an agent that has joined may be gone, and then says nothing new.
    let newer = token.ok().flatten().filter(|token| token.secret_hash() != known.joined_by());
    let Some(token) = newer else { return Ok(known) };
    if token.cluster != known.cluster() {
        return Err(Error::OtherCluster { token: token.cluster, known: known.cluster() });
    }
    match join(&config, &path, &token).await {
        Ok(identity) => Ok(identity),
        Err(problem) => {
            tracing::warn!(
                "the new join token is not used, the agent goes on as before: {}",
                Chain(&problem)
            );
            Ok(known)
        }
    }
}

fn read_token(file: &Path) -> Result<JoinToken, Error> {
    let text =
        std::fs::read_to_string(file).map_err(|source| Error::TokenFile { path: file.to_owned(), source })?;
    text.parse().map_err(Error::Token)
}

async fn join(config: &Config<'_>, path: &Path, token: &JoinToken) -> Result<Identity, Error> {
    const WHAT: &str = "join";
    let tls = fingerprint::tls(token.ca_fingerprint).map_err(Error::Tls)?;
    let fresh = FreshKey::generate().map_err(Error::Identity)?;
    let channel = first_believed(config, &tls, WHAT).await?;
    let request = JoinRequest { token: token.to_string(), csr: fresh.request.clone().into() };
    let answer = ask(config.dial, WHAT, JoinServiceClient::new(channel).join(request)).await?;
    let credentials = credentials(fresh, answer, token.secret_hash())?;
    let identity = Identity::keep(path, credentials).map_err(Error::Identity)?;
    let cluster = identity.cluster();
    tracing::info!(%cluster, "joined the federation as cluster {cluster}");
    Ok(identity)
}

/// Trades the renewal credential for a certificate, where the old one has ended.
pub async fn renew_if_ended(
    dial: dial::Config,
    gateway: &GatewayAddress,
    identity: &Identity,
    clock: &dyn Clock,
) -> Result<(), Error> {
    const WHAT: &str = "renew the certificate";
    if !identity.validity().has_ended(clock.now()) {
        return Ok(());
    }
    let tls = identity.anonymous_tls().map_err(Error::Identity)?;
    let fresh = FreshKey::generate().map_err(Error::Identity)?;
    let channel =
        dial::dial(dial, gateway, tls).await.map_err(|source| Error::Dial { what: WHAT, source })?;
    let request =
        RenewRequest { credential: identity.renewal_credential(), csr: fresh.request.clone().into() };
    let answer = ask(dial, WHAT, JoinServiceClient::new(channel).renew(request)).await?;
    identity.replace(credentials(fresh, answer, identity.joined_by())?).map_err(Error::Identity)?;
    tracing::info!("the certificate had ended while no gateway could be reached, and was renewed");
    Ok(())
}

/// The first gateway that can be reached and has the root that the token names. Where there is none, one of another federation
/// is a mistake that waiting does not mend, and says more than another that is away.
async fn first_believed(
    config: &Config<'_>,
    tls: &std::sync::Arc<rustls::ClientConfig>,
    what: &'static str,
) -> Result<Channel, Error> {
    let mut worst = Error::NoGateway;
    for gateway in config.gateways {
        match dial::dial(config.dial, gateway, tls.clone()).await {
            Ok(channel) => return Ok(channel),
            Err(source) if source.is_unknown_issuer() => {
                worst = Error::OtherFederation { gateway: gateway.clone() };
            }
            Err(_) if matches!(worst, Error::OtherFederation { .. }) => {}
            Err(source) => worst = Error::Dial { what, source },
        }
    }
    Err(worst)
}

async fn ask(
    config: dial::Config,
    what: &'static str,
    call: impl Future<Output = Result<tonic::Response<JoinResponse>, tonic::Status>>,
) -> Result<JoinResponse, Error> {
    match tokio::time::timeout(config.timeout, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(Error::Refused { what, status: Box::new(status) }),
        Err(_) => Err(Error::Late { what }),
    }
}

fn credentials(fresh: FreshKey, answer: JoinResponse, joined_by: Digest) -> Result<Credentials, Error> {
    let JoinResponse { cluster, chain, roots, renewal_credential } = answer;
    let cluster = ClusterName::new(&cluster).map_err(Error::Answer)?;
    let bytes = |list: Vec<bytes::Bytes>| list.into_iter().map(Vec::from).collect();
    Ok(fresh.certified(cluster, bytes(chain), bytes(roots), renewal_credential, joined_by))
}
