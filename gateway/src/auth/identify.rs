//! A connection's certificate, or a call's token → who calls.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use isthmus_daemon::clock::Clock;
use isthmus_daemon::listener::Peer;
use isthmus_model::access::{Binding, Role, Scope};
use isthmus_model::name::{ClusterName, PrincipalName};
use isthmus_model::order::UnixMillis;
use isthmus_model::reason::Reason;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::permit::{self, Denied, Need, Who};
use crate::clock::unix_millis;
use crate::store::Handle;
use crate::store::command::SecretHash;
use crate::store::state::Access;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Nobody known.
    Anonymous,
    /// The agent of a cluster.
    Agent {
        /// The cluster, from the certificate.
        cluster: ClusterName,
        /// Serial number of the certificate.
        serial: String,
    },
    /// Somebody with a client certificate.
    Certificate {
        /// The certificate's common name.
        principal: PrincipalName,
        /// Its serial number.
        serial: String,
    },
    /// Somebody with an API token.
    Token {
        /// Whom the token speaks for.
        principal: PrincipalName,
        /// The token's hash.
        hash: SecretHash,
    },
}

/// What decides who calls and what they may: the state of now, at every question.
#[derive(Debug)]
pub struct Gate {
    store: Handle,
    clock: Arc<dyn Clock>,
    trust_domain: String,
}

/// A caller that was let in. Handlers find it in the extensions of a request; long streams ask it again from time to time.
#[derive(Debug, Clone)]
pub struct Caller {
    gate: Arc<Gate>,
    identity: Identity,
}

impl Gate {
    /// Decides by `store`; agents' certificates must be of `trust_domain`.
    pub fn new(store: Handle, clock: Arc<dyn Clock>, trust_domain: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { store, clock, trust_domain: trust_domain.into() })
    }

    /// Who calls, and whether they may call a method that needs `need`.
    pub fn admit(
        self: &Arc<Self>,
        headers: &HeaderMap,
        peer: Option<&Peer>,
        need: Need,
    ) -> Result<Caller, Denied> {
        let identity = match headers.get(AUTHORIZATION) {
            Some(value) => self.token(value.as_bytes())?,
            None => peer.map_or(Ok(Identity::Anonymous), |peer| self.certificate(peer))?,
        };
        let caller = Caller { gate: self.clone(), identity };
        caller.check(need)?;
        Ok(caller)
    }

    fn token(&self, header: &[u8]) -> Result<Identity, Denied> {
        let unknown = |message| Denied::new(Reason::Unauthenticated, message);
        let (scheme, token) = header
            .split_at_checked(7)
            .ok_or_else(|| unknown("the header `authorization` must be `Bearer` and an API token"))?;
        if !scheme.eq_ignore_ascii_case(b"bearer ") {
            return Err(unknown("the header `authorization` must be `Bearer` and an API token"));
        }
        // A lookup by hash: how long it takes tells about the hash of a guess, and nothing about any token.
        let hash = SecretHash::of(token.trim_ascii());
        let found = self.store.access().api_token(&hash).map(|token| token.principal.clone());
        let principal =
            found.ok_or_else(|| unknown("the API token is not known here; it may have been revoked"))?;
        Ok(Identity::Token { principal, hash })
    }

    /// What the connection's certificate says; read once in the life of the connection.
    fn certificate(&self, peer: &Peer) -> Result<Identity, Denied> {
        let Some(leaf) = peer.certificates.first() else { return Ok(Identity::Anonymous) };
        let read = peer.memo.get_or_init(|| read(leaf, &self.trust_domain));
        read.cloned().unwrap_or_else(|| self::read(leaf, &self.trust_domain))
    }

    fn knows(&self, cluster: &ClusterName) -> bool {
        self.store.peek(|state| state.cluster(cluster).is_some()).0
    }

    fn now(&self) -> UnixMillis {
        unix_millis(&*self.clock)
    }
}

/// Who a verified certificate speaks for: an agent by the SPIFFE URI of this federation, anybody else by the common name.
fn read(certificate: &[u8], trust_domain: &str) -> Result<Identity, Denied> {
    let unusable = |what: &str| {
        Denied::new(Reason::Unauthenticated, format!("the client certificate cannot be used: {what}"))
    };
    let (_, certificate) =
        X509Certificate::from_der(certificate).map_err(|_| unusable("it is not a certificate"))?;
    let serial = hex::encode(certificate.raw_serial());
    let names = certificate.subject_alternative_name().map_err(|_| unusable("its names are malformed"))?;
    let uri = names.iter().flat_map(|names| &names.value.general_names).find_map(|name| match name {
        GeneralName::URI(uri) => uri.strip_prefix("spiffe://"),
        _ => None,
    });
    if let Some(uri) = uri {
        let cluster = uri
            .strip_prefix(trust_domain)
            .and_then(|path| path.strip_prefix("/cluster/"))
            .ok_or_else(|| unusable("it is of another federation, or not an agent's"))?;
        let cluster = cluster.parse().map_err(|_| unusable("it names no cluster"))?;
        return Ok(Identity::Agent { cluster, serial });
    }
    let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    let principal = name
        .and_then(|name| name.parse().ok())
        .ok_or_else(|| unusable("its common name is missing or is no principal's"))?;
    Ok(Identity::Certificate { principal, serial })
}

impl Caller {
    /// Who calls.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The name that the audit trail gets.
    pub fn principal(&self) -> Option<&PrincipalName> {
        match &self.identity {
            Identity::Certificate { principal, .. } | Identity::Token { principal, .. } => Some(principal),
            Identity::Anonymous | Identity::Agent { .. } => None,
        }
    }

    /// The cluster that an agent speaks for.
    pub fn cluster(&self) -> Option<&ClusterName> {
        match &self.identity {
            Identity::Agent { cluster, .. } => Some(cluster),
            _ => None,
        }
    }

    /// Whether the credential is still good, and allows a method that needs `need`.
    pub fn check(&self, need: Need) -> Result<(), Denied> {
        if need == Need::Nothing {
            return Ok(());
        }
        self.with_bindings(|principal, bindings| {
            let who = match (&self.identity, principal) {
                (Identity::Anonymous, _) => Who::Anonymous,
                (Identity::Agent { .. }, _) => Who::Agent,
                (_, Some(principal)) => Who::Principal(principal, bindings),
                (_, None) => Who::Anonymous,
            };
            permit::permit(who, need)
        })?
    }

    /// Whether the caller has `role` in `scope`, now.
    pub fn holds(&self, role: Role, scope: &Scope) -> Result<(), Denied> {
        self.with_bindings(|principal, bindings| match principal {
            Some(principal) => permit::holds(principal, bindings, role, scope),
            None => permit::permit(Who::Anonymous, Need::Role(role, permit::Reach::Namespace)),
        })?
    }

    /// The caller's own bindings.
    pub fn bindings(&self) -> Result<Vec<Binding>, Denied> {
        self.with_bindings(|_, bindings| bindings.iter().copied().cloned().collect())
    }

    /// The state may be newer than what is durable: a grant that a crash takes back again was made by an admin all the same.
    fn with_bindings<T>(
        &self,
        decide: impl FnOnce(Option<&PrincipalName>, &[&Binding]) -> T,
    ) -> Result<T, Denied> {
        let now = self.gate.now();
        let access = self.gate.store.access();
        self.credential_is_good(&access, now)?;
        let bindings: Vec<&Binding> = match self.principal() {
            Some(principal) => access.bindings_of(principal).collect(),
            None => Vec::new(),
        };
        Ok(decide(self.principal(), &bindings))
    }

    fn credential_is_good(&self, access: &Access, now: UnixMillis) -> Result<(), Denied> {
        let refused = |reason, message: &str| Err(Denied::new(reason, message));
        match &self.identity {
            Identity::Agent { serial, .. } | Identity::Certificate { serial, .. }
                if access.certificate_revoked(serial) =>
            {
                refused(
                    Reason::CertificateRevoked,
                    "the certificate was revoked; join again, or ask an admin for another",
                )
            }
            Identity::Agent { cluster, .. } if !self.gate.knows(cluster) => refused(
                Reason::Unauthenticated,
                "the cluster does not belong to this federation any more; join again",
            ),
            Identity::Anonymous | Identity::Agent { .. } | Identity::Certificate { .. } => Ok(()),
            Identity::Token { hash, .. } => match access.api_token(hash) {
                Some(token) if token.revoked_at.is_some() => {
                    refused(Reason::Unauthenticated, "the API token was revoked; ask an admin for another")
                }
                Some(token) if token.expires_at.is_some_and(|end| end <= now) => {
                    refused(Reason::Unauthenticated, "the API token has expired; ask an admin for another")
                }
                Some(_) => Ok(()),
                None => refused(Reason::Unauthenticated, "the API token is not known here any more"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(common_name: &str, uri: Option<&str>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.subject_alt_names.extend(uri.map(|uri| SanType::URI(uri.try_into().unwrap())));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_speaks_for_its_common_name_or_for_an_agent() {
        let ann = read(&certificate("ann", None), "example").unwrap();
        assert!(matches!(ann, Identity::Certificate { principal, .. } if principal.as_str() == "ann"));
        let agent = read(&certificate("ann", Some("spiffe://example/cluster/east")), "example").unwrap();
        assert!(matches!(agent, Identity::Agent { cluster, .. } if cluster.as_str() == "east"));
    }

    #[test]
    fn an_agent_of_another_federation_is_nobody_here_whatever_its_common_name() {
        for uri in [
            "spiffe://other/cluster/east",
            "spiffe://example2/cluster/east",
            "spiffe://example/cluster/",
            "spiffe://example/x",
        ] {
            let refused = read(&certificate("admin", Some(uri)), "example").unwrap_err();
            assert_eq!(refused.reason, Reason::Unauthenticated, "{uri}");
        }
    }
}
