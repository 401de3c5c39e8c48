//! A token and a certificate request → a certificate, once; and a renewal credential → the next one.
//!
//! The certificate is made before the command that uses up the token, and handed out after it: a refusal then wastes a
//! signature, and never a token.

use std::sync::Arc;
use std::time::Duration;

use isthmus_daemon::clock::Clock;
use isthmus_model::join_token;
use isthmus_model::name::{ClusterName, Labels, PrincipalName};
use isthmus_model::order::UnixMillis;
use isthmus_model::reason::{Reason, Violation};

use super::authority::{self, Authority, Issued};
use crate::clock::unix_millis;
use crate::store::command::{ClusterChange, JoinToken, ResourceChange, SecretHash};
use crate::store::{Command, Handle, Rejection, Submission};

/// What every renewal credential starts with.
const CREDENTIAL_PREFIX: &str = "isthmus-renew-";

/// Shortest and longest life of a join token.
pub const TOKEN_LIFE: std::ops::RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(24);

/// Life of a join token of which nothing is said.
pub const DEFAULT_TOKEN_LIFE: Duration = Duration::from_mins(15);

/// Why somebody cannot join.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store refused.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The certificate could not be made.
    #[error("cannot make the agent's certificate")]
    Certificate(#[source] authority::Error),
}

impl Error {
    fn token(message: &str) -> Self {
        Self::Rejected(Rejection::new(Reason::TokenInvalid, message))
    }
}

/// What an agent gets.
pub struct Joined {
    /// Which cluster it is.
    pub cluster: ClusterName,
    /// Its certificate.
    pub issued: Issued,
    /// With this it renews when its certificate has ended.
    pub renewal: String,
}

/// Without the credential.
impl std::fmt::Debug for Joined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Joined").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// Lets agents in.
#[derive(Debug, Clone)]
pub struct Desk {
    authority: Arc<Authority>,
    store: Handle,
    clock: Arc<dyn Clock>,
    /// Where agents reach the gateway, `host:port` each: goes into tokens.
    advertised: Arc<[String]>,
}

impl Desk {
    /// Signs with `authority` and records in `store`; tokens say that gateways answer at `advertised`.
    pub fn new(
        authority: Arc<Authority>,
        store: Handle,
        clock: Arc<dyn Clock>,
        advertised: &[String],
    ) -> Self {
        Self { authority, store, clock, advertised: advertised.into() }
    }

    /// The authority that it signs with.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Makes a token with which one agent may join as `cluster`. The text is to be shown once.
    pub async fn create_token(
        &self,
        principal: PrincipalName,
        cluster: ClusterName,
        labels: Labels,
        life: Duration,
    ) -> Result<(String, UnixMillis), Error> {
        let time = unix_millis(&*self.clock);
        let life = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
        let expires_at = UnixMillis(time.0.saturating_add(life));
        let text = join_token::JoinToken::new(
            cluster.clone(),
            expires_at,
            self.authority.fingerprint(),
            self.advertised.to_vec(),
            rand::random(),
        );
        let hash = SecretHash(text.secret_hash());
        let token = JoinToken { hash, cluster, labels, expires_at, used_at: None };
        let command = Command::Resource(ResourceChange::CreateJoinToken(token));
        self.store.submit(Submission { principal, time, request: None, command }).await?;
        Ok((text.to_string(), expires_at))
    }

    /// Trades a token for a certificate. Single use is the store's decision, made in its order.
    pub async fn join(&self, token: &str, request: &[u8]) -> Result<Joined, Error> {
        let written: join_token::JoinToken =
            token.parse().map_err(|error: join_token::Invalid| Error::token(&error.to_string()))?;
        let hash = SecretHash(written.secret_hash());
        let made_here = self.store.peek(|state| state.join_token(&hash).map(|token| token.cluster.clone())).0;
        let Some(cluster) = made_here else {
            return Err(if written.ca_fingerprint == self.authority.fingerprint() {
                Error::token(
                    "the join token is not known here; it was altered, or the gateway's data is older than it: make a new one",
                )
            } else {
                Error::token("the join token belongs to another federation; make one with this gateway")
            });
        };
        let issued = self.sign(&cluster, request)?;
        let renewal = credential(&cluster);
        let change = ClusterChange::Join {
            token: hash,
            certificate: issued.record.clone(),
            renewal: SecretHash::of(renewal.as_bytes()),
        };
        self.change(&cluster, change).await?;
        Ok(Joined { cluster, issued, renewal })
    }

    /// Trades a renewal credential for a certificate and the next credential.
    pub async fn renew(&self, credential_text: &str, request: &[u8]) -> Result<Joined, Error> {
        let unknown =
            || Error::token("the renewal credential is not known here, or was used before; join again");
        let text = credential_text.trim();
        let cluster: ClusterName = text
            .strip_prefix(CREDENTIAL_PREFIX)
            .and_then(|rest| rest.rsplit_once('.'))
            .and_then(|(cluster, _)| cluster.parse().ok())
            .ok_or_else(unknown)?;
        let presented = SecretHash::of(text.as_bytes());
        // Both are hashes, so that the time of the comparison tells nothing about the credential.
        let good = self
            .store
            .peek(|state| state.cluster(&cluster).is_some_and(|view| view.identity().renewal == presented))
            .0;
        if !good {
            return Err(unknown());
        }
        let issued = self.sign(&cluster, request)?;
        let renewal = credential(&cluster);
        let change = ClusterChange::Renew {
            certificate: issued.record.clone(),
            renewal: Some(SecretHash::of(renewal.as_bytes())),
        };
        self.change(&cluster, change).await?;
        Ok(Joined { cluster, issued, renewal })
    }

    /// A certificate for a fresh key of an agent that is connected, with its own certificate.
    pub async fn recertify(&self, cluster: &ClusterName, request: &[u8]) -> Result<Issued, Error> {
        let issued = self.sign(cluster, request)?;
        let change = ClusterChange::Renew { certificate: issued.record.clone(), renewal: None };
        self.change(cluster, change).await?;
        Ok(issued)
    }

    fn sign(&self, cluster: &ClusterName, request: &[u8]) -> Result<Issued, Error> {
        self.authority.agent(cluster, request, self.clock.now()).map_err(|error| match error {
            authority::Error::Request(_) => {
                let violation = Violation::new("csr", Reason::InvalidField, error.to_string());
                Error::Rejected(Rejection::new(Reason::InvalidField, error.to_string()).with(violation))
            }
            error => Error::Certificate(error),
        })
    }

    async fn change(&self, cluster: &ClusterName, change: ClusterChange) -> Result<(), Error> {
        self.store
            .submit(Submission {
                principal: agent_principal(cluster),
                time: unix_millis(&*self.clock),
                request: None,
                command: Command::Cluster { name: cluster.clone(), change },
            })
            .await?;
        Ok(())
    }
}

/// The name that the audit trail has for a cluster's agent.
pub fn agent_principal(cluster: &ClusterName) -> PrincipalName {
    let name = format!("agent:{cluster}");
    // A cluster's name is a DNS label, and so this is always a principal's name.
    PrincipalName::new(&name).unwrap_or_else(|_| unreachable!("{name} is a principal's name"))
}

fn credential(cluster: &ClusterName) -> String {
    format!("{CREDENTIAL_PREFIX}{cluster}.{}", secret())
}

/// 32 random bytes in hexadecimal digits.
pub(crate) fn secret() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}
