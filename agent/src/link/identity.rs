//! Who this agent is: key, certificate, the roots it believes and the credential that brings it back, in one file that is
//! replaced as a whole, and live for the next handshake.

use std::fmt;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use isthmus_daemon::tls::{self, Alpn, Trust};
use isthmus_model::name::{ClusterName, Digest};
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};

/// Why there is no usable identity.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the identity in {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not ours. Its text is not shown: it holds a key.
    #[error("the identity in {} is damaged: remove the file and join again with a new token", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot keep the identity in {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Certificate, key or roots cannot be used.
    #[error("the identity cannot be used")]
    Unusable(#[source] tls::Error),
    /// The certificate cannot be read.
    #[error("the certificate that the gateway gave cannot be read")]
    Certificate,
    /// No key can be made.
    #[error("cannot make a key and a certificate request")]
    Request(#[source] rcgen::Error),
}

/// Everything, as it lies in the file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// Which cluster this is, as the gateway says.
    pub cluster: ClusterName,
    /// PKCS #8, DER.
    #[serde(with = "hex_bytes")]
    pub key: Vec<u8>,
    /// Leaf first, each DER.
    #[serde(with = "hex_list")]
    pub chain: Vec<Vec<u8>>,
    /// Each DER.
    #[serde(with = "hex_list")]
    pub roots: Vec<Vec<u8>>,
    /// Good for one renewal without a certificate.
    pub renewal_credential: String,
    /// Hash of the token that this came from: another token means that an operator wants the agent to join anew.
    pub joined_by: Digest,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// A fresh key that has no certificate yet.
pub struct FreshKey {
    key: Vec<u8>,
    /// PKCS #10, DER.
    pub request: Vec<u8>,
}

impl FreshKey {
    /// A new key and a request for it. The request names nobody: the gateway knows who asks, and takes no name from it.
    pub fn generate() -> Result<Self, Error> {
        let key = rcgen::KeyPair::generate().map_err(Error::Request)?;
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let request = params.serialize_request(&key).map_err(Error::Request)?;
        Ok(Self { key: key.serialize_der(), request: request.der().to_vec() })
    }

    /// With its certificate.
    pub fn certified(
        self,
        cluster: ClusterName,
        chain: Vec<Vec<u8>>,
        roots: Vec<Vec<u8>>,
        renewal_credential: String,
        joined_by: Digest,
    ) -> Credentials {
        Credentials { cluster, key: self.key, chain, roots, renewal_credential, joined_by }
    }
}

impl fmt::Debug for FreshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FreshKey(…)")
    }
}

/// The agent's identity: what is in the file, in use.
#[derive(Debug)]
pub struct Identity {
    path: PathBuf,
    tls: Arc<tls::Identity>,
    trust: Arc<Trust>,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    credentials: Credentials,
    validity: Validity,
}

/// When a certificate is good, and when it is time for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    not_after: SystemTime,
    rotate_at: SystemTime,
}

impl Validity {
    /// `chance`, from 0 to 1, chooses the moment between 50 and 67 % of the certificate's life, so that agents that joined
    /// together do not renew together.
    pub fn new(not_before: SystemTime, not_after: SystemTime, chance: f64) -> Self {
        let life = not_after.duration_since(not_before).unwrap_or_default();
        let share = 0.5 + 0.17 * chance.clamp(0.0, 1.0);
        Self { not_after, rotate_at: not_before + life.mul_f64(share) }
    }

    fn of(leaf: &[u8], chance: f64) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(leaf).ok()?;
        let at = |seconds: i64| Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?));
        let validity = certificate.validity();
        Some(Self::new(at(validity.not_before.timestamp())?, at(validity.not_after.timestamp())?, chance))
    }

    /// Whether it is time for the next certificate.
    pub fn is_due(self, now: SystemTime) -> bool {
        now >= self.rotate_at
    }

    /// Whether nobody accepts it any more.
    pub fn has_ended(self, now: SystemTime) -> bool {
        now >= self.not_after
    }
}

/// Where the identity lies within a data directory.
pub fn path_in(directory: &Path) -> PathBuf {
    directory.join("identity.json")
}

impl Identity {
    /// Reads the identity; `None` when this agent has not joined yet.
    pub fn load(path: &Path) -> Result<Option<Self>, Error> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
        };
        let credentials: Credentials =
            serde_json::from_slice(&bytes).map_err(|_| Error::Damaged { path: path.to_owned() })?;
        Self::use_(path.to_owned(), credentials).map(Some)
    }

    /// Keeps new credentials in the file and uses them.
    pub fn keep(path: &Path, credentials: Credentials) -> Result<Self, Error> {
        let identity = Self::use_(path.to_owned(), credentials)?;
        write(path, &identity.current.lock().credentials)?;
        Ok(identity)
    }

    fn use_(path: PathBuf, credentials: Credentials) -> Result<Self, Error> {
        let validity = validity(&credentials)?;
        let tls = tls::Identity::new(certificates(&credentials.chain), private_key(&credentials))
            .map_err(Error::Unusable)?;
        let trust = Trust::new(certificates(&credentials.roots)).map_err(Error::Unusable)?;
        Ok(Self { path, tls, trust, current: Mutex::new(Current { credentials, validity }) })
    }

    /// Replaces the credentials, in the file first. Sessions go on with the certificate that they began with.
    pub fn replace(&self, credentials: Credentials) -> Result<(), Error> {
        let validity = validity(&credentials)?;
        // Tried before anything is overwritten: the file must never hold what cannot be used.
        tls::Identity::new(certificates(&credentials.chain), private_key(&credentials))
            .map_err(Error::Unusable)?;
        let trust = certificates(&credentials.roots);
        Trust::new(trust.clone()).map_err(Error::Unusable)?;
        write(&self.path, &credentials)?;
        self.tls
            .replace(certificates(&credentials.chain), private_key(&credentials))
            .map_err(Error::Unusable)?;
        self.trust.replace(trust).map_err(Error::Unusable)?;
        *self.current.lock() = Current { credentials, validity };
        Ok(())
    }

    /// Which cluster this is.
    pub fn cluster(&self) -> ClusterName {
        self.current.lock().credentials.cluster.clone()
    }

    /// The trust domain of the federation, as the certificate says it; nothing where it says none.
    pub fn federation(&self) -> Option<String> {
        let leaf = self.current.lock().credentials.chain.first().cloned()?;
        let (_, certificate) = x509_parser::parse_x509_certificate(&leaf).ok()?;
        let names = certificate.subject_alternative_name().ok()??;
        names.value.general_names.iter().find_map(|name| match name {
            x509_parser::prelude::GeneralName::URI(uri) => {
                Some(uri.strip_prefix("spiffe://")?.split('/').next()?.to_owned())
            }
            _ => None,
        })
    }

    /// Hash of the token that this agent joined by.
    pub fn joined_by(&self) -> Digest {
        self.current.lock().credentials.joined_by
    }

    /// For a renewal without a certificate.
    pub fn renewal_credential(&self) -> String {
        self.current.lock().credentials.renewal_credential.clone()
    }

    /// When the certificate is good.
    pub fn validity(&self) -> Validity {
        self.current.lock().validity
    }

    /// TLS with this certificate, as it is at each handshake.
    pub fn mutual_tls(&self) -> Result<Arc<ClientConfig>, Error> {
        tls::client_config(self.trust.clone(), Some(self.tls.clone()), Alpn::Http2).map_err(Error::Unusable)
    }

    /// TLS without a certificate, to gateways of the known roots.
    pub fn anonymous_tls(&self) -> Result<Arc<ClientConfig>, Error> {
        tls::client_config(self.trust.clone(), None, Alpn::Http2).map_err(Error::Unusable)
    }
}

fn validity(credentials: &Credentials) -> Result<Validity, Error> {
    let leaf = credentials.chain.first().ok_or(Error::Certificate)?;
    Validity::of(leaf, rand::random()).ok_or(Error::Certificate)
}

fn certificates(list: &[Vec<u8>]) -> Vec<CertificateDer<'static>> {
    list.iter().cloned().map(CertificateDer::from).collect()
}

fn private_key(credentials: &Credentials) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from(PrivatePkcs8KeyDer::from(credentials.key.clone()))
}

/// Replaces the file as a whole and waits for the disk: the file before, or the file after, never half of one.
fn write(path: &Path, credentials: &Credentials) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let temporary = path.with_extension("json.new");
    let text = serde_json::to_vec_pretty(credentials).map_err(|error| failed(error.into()))?;
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(&temporary).map_err(failed)?;
    file.write_all(&text).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&temporary, path).map_err(failed)?;
    match path.parent() {
        Some(directory) => std::fs::File::open(directory).and_then(|d| d.sync_all()).map_err(failed),
        None => Ok(()),
    }
}

mod hex_bytes {
    //! Bytes as hexadecimal digits.

    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(|_| D::Error::custom("not hexadecimal"))
    }
}

mod hex_list {
    //! Several of them.

    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(list: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(hex::encode))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<u8>>, D::Error> {
        let list = Vec::<String>::deserialize(deserializer)?;
        list.iter()
            .map(hex::decode)
            .collect::<Result<_, _>>()
            .map_err(|_| D::Error::custom("not hexadecimal"))
    }
}

#[cfg(test)]
mod tests;
