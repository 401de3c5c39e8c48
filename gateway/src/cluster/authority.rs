//! The federation's certificate authority: one root, and short-lived certificates under it.
//!
//! Every chain that it makes ends with the root itself, so that an agent that knows nothing but the root's fingerprint, from
//! its join token, can tell the gateway from anybody else before it sends the token.

use std::path::Path;
use std::time::{Duration, SystemTime};

use isthmus_daemon::tls;
use isthmus_model::name::{ClusterName, Digest, PrincipalName};
use isthmus_model::order::UnixMillis;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};

use crate::clock::millis_of;
use crate::store::command::Certificate as Record;

/// Life of the root.
const ROOT_LIFE: Duration = Duration::from_hours(10 * 365 * 24);
/// Life of an agent's certificate; it is renewed at half to two thirds of it.
pub const AGENT_LIFE: Duration = Duration::from_hours(24);
/// Life of the gateway's own certificate; it is made anew at two thirds of it.
pub const SERVER_LIFE: Duration = Duration::from_hours(7 * 24);
/// Life of a person's certificate.
const CLIENT_LIFE: Duration = Duration::from_hours(365 * 24);
/// Certificates start before they are made, for the sake of clocks that are behind.
const BACKDATED: Duration = Duration::from_mins(5);

/// Why a certificate cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The root cannot be made.
    #[error("cannot make the root of the federation")]
    Root(#[source] rcgen::Error),
    /// The root's files cannot be used.
    #[error("cannot read the certificate authority")]
    Files(#[source] tls::Error),
    /// The root's files do not belong together.
    #[error("cannot use the certificate authority of {certificate}")]
    Issuer {
        /// The root's file.
        certificate: String,
        /// What is wrong.
        source: rcgen::Error,
    },
    /// The request for a certificate is malformed, or is not signed by its own key.
    #[error("the certificate request cannot be used: it must be PKCS #10 in DER, signed by its own key")]
    Request(#[source] rcgen::Error),
    /// A name cannot stand in a certificate.
    #[error("the name {name:?} cannot stand in a certificate")]
    Name {
        /// The name.
        name: String,
        /// What is wrong.
        source: rcgen::Error,
    },
    /// Signing failed.
    #[error("cannot sign a certificate for {subject}")]
    Sign {
        /// Whose.
        subject: String,
        /// What is wrong.
        source: rcgen::Error,
    },
}

/// A certificate that was made.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Leaf first, the root last.
    pub chain: Vec<CertificateDer<'static>>,
    /// What the store keeps of it.
    pub record: Record,
}

/// A certificate with its key.
pub struct Keyed {
    /// The certificate.
    pub issued: Issued,
    /// PEM of the private key.
    pub key_pem: String,
}

/// Without the key.
impl std::fmt::Debug for Keyed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyed").field("issued", &self.issued).finish_non_exhaustive()
    }
}

impl Keyed {
    /// The key as rustls takes it.
    pub fn key(&self) -> Result<PrivateKeyDer<'static>, Error> {
        tls::private_key_in(&self.key_pem).map_err(Error::Files)
    }
}

/// The root, able to sign.
pub struct Authority {
    trust_domain: String,
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// Without the key.
impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("trust_domain", &self.trust_domain).finish_non_exhaustive()
    }
}

/// A new root as files: PEM of the certificate and of the key.
pub struct NewRoot {
    /// The certificate.
    pub certificate_pem: String,
    /// The key.
    pub key_pem: String,
}

/// Without the key.
impl std::fmt::Debug for NewRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewRoot").finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a root for a new federation.
    pub fn create(trust_domain: &str, now: SystemTime) -> Result<(Self, NewRoot), Error> {
        let key = KeyPair::generate().map_err(Error::Root)?;
        let key_pem = key.serialize_pem();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, format!("Isthmus {trust_domain}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        lives(&mut params, now, ROOT_LIFE);
        let certificate = params.self_signed(&key).map_err(Error::Root)?;
        let certificate_pem = certificate.pem();
        let root = certificate.der().clone();
        let issuer = Issuer::new(params, key);
        Ok((
            Self { trust_domain: trust_domain.to_owned(), root, issuer },
            NewRoot { certificate_pem, key_pem },
        ))
    }

    /// Reads the root from its files.
    pub fn load(trust_domain: &str, certificate: &Path, key: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Issuer { certificate: certificate.display().to_string(), source };
        let mut roots = tls::certificates(certificate).map_err(Error::Files)?;
        let root = roots.swap_remove(0);
        let key = tls::private_key(key).map_err(Error::Files)?;
        let key = KeyPair::try_from(&key).map_err(failed)?;
        let issuer = Issuer::from_ca_cert_der(&root, key).map_err(failed)?;
        Ok(Self { trust_domain: trust_domain.to_owned(), root, issuer })
    }

    /// Name of the federation.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The root.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// SHA-256 of the root.
    pub fn fingerprint(&self) -> Digest {
        Digest(Sha256::digest(&self.root).into())
    }

    /// A certificate for a cluster's agent. Only the key is taken from the request; the name is ours.
    pub fn agent(&self, cluster: &ClusterName, request: &[u8], now: SystemTime) -> Result<Issued, Error> {
        let request = CertificateSigningRequestDer::from(request);
        let request = CertificateSigningRequestParams::from_der(&request).map_err(Error::Request)?;
        let uri = format!("spiffe://{}/cluster/{cluster}", self.trust_domain);
        let mut params = leaf(cluster.as_str(), ExtendedKeyUsagePurpose::ClientAuth);
        let name = |source| Error::Name { name: uri.clone(), source };
        params.subject_alt_names.push(SanType::URI(uri.as_str().try_into().map_err(name)?));
        self.sign(params, &request.public_key, cluster.as_str(), now, AGENT_LIFE)
    }

    /// A certificate with a fresh key for a person.
    pub fn client(&self, principal: &PrincipalName, now: SystemTime) -> Result<Keyed, Error> {
        let params = leaf(principal.as_str(), ExtendedKeyUsagePurpose::ClientAuth);
        self.with_key(params, principal.as_str(), now, CLIENT_LIFE)
    }

    /// A certificate with a fresh key for the gateway, reached by these names or addresses.
    pub fn server(&self, names: &[String], now: SystemTime) -> Result<Keyed, Error> {
        let mut params = leaf("isthmus-gateway", ExtendedKeyUsagePurpose::ServerAuth);
        for name in names {
            let named = CertificateParams::new([name.clone()])
                .map_err(|source| Error::Name { name: name.clone(), source })?;
            params.subject_alt_names.extend(named.subject_alt_names);
        }
        self.with_key(params, "the gateway", now, SERVER_LIFE)
    }

    fn with_key(
        &self,
        params: CertificateParams,
        subject: &str,
        now: SystemTime,
        life: Duration,
    ) -> Result<Keyed, Error> {
        let key =
            KeyPair::generate().map_err(|source| Error::Sign { subject: subject.to_owned(), source })?;
        let issued = self.sign(params, &key, subject, now, life)?;
        Ok(Keyed { issued, key_pem: key.serialize_pem() })
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        key: &impl PublicKeyData,
        subject: &str,
        now: SystemTime,
        life: Duration,
    ) -> Result<Issued, Error> {
        let not_after = lives(&mut params, now, life);
        // A positive number of at most 20 bytes whose first byte is not 0, so that its text is the same however it is read.
        let mut serial: [u8; 16] = rand::random();
        serial[0] = serial[0] & 0x3f | 0x40;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let certificate = params
            .signed_by(key, &self.issuer)
            .map_err(|source| Error::Sign { subject: subject.to_owned(), source })?;
        Ok(Issued {
            chain: vec![certificate.der().clone(), self.root.clone()],
            record: Record { serial: hex::encode(serial), not_after },
        })
    }
}

fn leaf(common_name: &str, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params
}

fn lives(params: &mut CertificateParams, now: SystemTime, life: Duration) -> UnixMillis {
    let end = now + life;
    params.not_before = (now - BACKDATED).into();
    params.not_after = end.into();
    millis_of(end)
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::{FromDer as _, X509Certificate};

    use super::*;

    fn authority() -> Authority {
        Authority::create("example", SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap().0
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
    }

    fn request() -> Vec<u8> {
        let mut params = CertificateParams::new(["another.example".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "admin");
        params.serialize_request(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn an_agents_certificate_has_our_name_and_nothing_of_the_request_but_its_key() {
        let east = ClusterName::new("east").unwrap();
        let issued = authority().agent(&east, &request(), now()).unwrap();
        let (_, certificate) = X509Certificate::from_der(&issued.chain[0]).unwrap();
        let names = format!("{:?}", certificate.subject_alternative_name().unwrap().unwrap().value);
        assert!(names.contains("spiffe://example/cluster/east") && !names.contains("another"), "{names}");
        assert_eq!(certificate.subject().iter_common_name().next().unwrap().as_str().unwrap(), "east");
        assert_eq!(hex::encode(certificate.raw_serial()), issued.record.serial);
        assert_eq!(certificate.validity().not_after.timestamp(), 1_000_000_000 + 86_400);
    }

    #[test]
    fn a_request_that_its_own_key_did_not_sign_is_refused() {
        let east = ClusterName::new("east").unwrap();
        let mut request = request();
        let last = request.len() - 1;
        request[last] ^= 1;
        assert!(matches!(authority().agent(&east, &request, now()), Err(Error::Request(_))));
        assert!(matches!(authority().agent(&east, b"", now()), Err(Error::Request(_))));
    }

    #[test]
    fn a_root_signs_the_same_after_it_was_written_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let (made, files) = Authority::create("example", now()).unwrap();
        let (certificate, key) = (folder.path().join("ca.pem"), folder.path().join("ca.key"));
        std::fs::write(&certificate, files.certificate_pem).unwrap();
        std::fs::write(&key, files.key_pem).unwrap();
        let read = Authority::load("example", &certificate, &key).unwrap();
        assert_eq!(read.fingerprint(), made.fingerprint());
        let keyed = read.server(&["localhost".into(), "127.0.0.1".into()], now()).unwrap();
        tls::install_crypto_provider();
        let roots = tls::Trust::new(vec![made.root().clone()]);
        assert!(roots.is_ok() && keyed.key().is_ok());
        let (_, leaf) = X509Certificate::from_der(&keyed.issued.chain[0]).unwrap();
        let (_, root) = X509Certificate::from_der(made.root()).unwrap();
        assert!(leaf.verify_signature(Some(root.public_key())).is_ok());
    }
}
