//! A certificate and its key, replaceable while they are in use.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};

use super::follow::{Reload, Reloaded, Watched};
use super::{Error, pem, provider};

/// Where a certificate and its key lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityFiles {
    /// PEM: the certificate, then the intermediates that lead to a root.
    pub certificate: PathBuf,
    /// PEM: the private key of the first certificate.
    pub key: PathBuf,
}

/// Who we are, to the other side of a connection. Used by servers and by clients.
pub struct Identity {
    current: ArcSwap<CertifiedKey>,
    files: Option<(IdentityFiles, Watched)>,
}

impl Identity {
    /// From a chain (leaf first) and the key of its leaf.
    ///
    /// # Errors
    /// The certificate is broken or is not the key's.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self { current: ArcSwap::from_pointee(certified(chain, key)?), files: None }))
    }

    /// From files, which [`follow`](super::follow) then looks at again.
    ///
    /// # Errors
    /// A file cannot be read, or the two do not belong together.
    pub fn load(files: IdentityFiles) -> Result<Arc<Self>, Error> {
        let watched = Watched::new(vec![files.certificate.clone(), files.key.clone()]);
        let current = ArcSwap::from_pointee(read(&files)?);
        Ok(Arc::new(Self { current, files: Some((files, watched)) }))
    }

    /// From the next handshake on, this is who we are.
    ///
    /// # Errors
    /// As [`Self::new`]; then nothing has changed.
    pub fn replace(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), Error> {
        self.current.store(Arc::new(certified(chain, key)?));
        Ok(())
    }

    /// The chain in use, leaf first.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.current.load().cert.clone()
    }
}

fn read(files: &IdentityFiles) -> Result<CertifiedKey, Error> {
    certified(pem::certificates(&files.certificate)?, pem::private_key(&files.key)?)
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, Error> {
    CertifiedKey::from_der(chain, key, &provider()).map_err(Error::Identity)
}

impl Reload for Identity {
    fn reload_if_changed(&self) -> Result<Reloaded, Error> {
        let Some((files, watched)) = &self.files else { return Ok(Reloaded::Unchanged) };
        watched.if_changed(|| {
            self.current.store(Arc::new(read(files)?));
            Ok(())
        })
    }

    fn describe(&self) -> String {
        match &self.files {
            Some((files, _)) => format!("certificate {}", files.certificate.display()),
            None => "certificate".into(),
        }
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _roots: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Without the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("files", &self.files.as_ref().map(|(files, _)| files))
            .finish_non_exhaustive()
    }
}
