//! Roots that the other side's certificate must lead to, replaceable while they are in use.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::follow::{Reload, Reloaded, Watched};
use super::{Error, pem, provider};

/// Whom we believe. One value verifies servers (for our clients) and clients (for our servers).
#[derive(Debug)]
pub struct Trust {
    current: ArcSwap<Verifiers>,
    files: Option<(PathBuf, Watched)>,
}

#[derive(Debug)]
struct Verifiers {
    of_clients: Arc<dyn ClientCertVerifier>,
    of_servers: Arc<WebPkiServerVerifier>,
}

impl Trust {
    /// In the given roots, and in nothing else.
    ///
    /// # Errors
    /// No root, or one that cannot be read.
    pub fn new(roots: Vec<CertificateDer<'static>>) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self { current: ArcSwap::from_pointee(verifiers(roots)?), files: None }))
    }

    /// In the roots of a PEM file, which [`follow`](super::follow) then looks at again.
    ///
    /// # Errors
    /// The file cannot be read, or holds no usable root.
    pub fn load(path: PathBuf) -> Result<Arc<Self>, Error> {
        let watched = Watched::new(vec![path.clone()]);
        let current = ArcSwap::from_pointee(verifiers(pem::certificates(&path)?)?);
        Ok(Arc::new(Self { current, files: Some((path, watched)) }))
    }

    /// From the next handshake on, these are the roots. To rotate a root, first trust the old and the new one.
    ///
    /// # Errors
    /// As [`Self::new`]; then nothing has changed.
    pub fn replace(&self, roots: Vec<CertificateDer<'static>>) -> Result<(), Error> {
        self.current.store(Arc::new(verifiers(roots)?));
        Ok(())
    }
}

fn verifiers(roots: Vec<CertificateDer<'static>>) -> Result<Verifiers, Error> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root).map_err(Error::Root)?;
    }
    let store = Arc::new(store);
    let of_clients = WebPkiClientVerifier::builder_with_provider(store.clone(), provider())
        .build()
        .map_err(Error::Trust)?;
    let of_servers =
        WebPkiServerVerifier::builder_with_provider(store, provider()).build().map_err(Error::Trust)?;
    Ok(Verifiers { of_clients, of_servers })
}

impl Reload for Trust {
    fn reload_if_changed(&self) -> Result<Reloaded, Error> {
        let Some((path, watched)) = &self.files else { return Ok(Reloaded::Unchanged) };
        watched.if_changed(|| self.replace(pem::certificates(path)?))
    }

    fn describe(&self) -> String {
        match &self.files {
            Some((path, _)) => format!("roots of trust {}", path.display()),
            None => "roots of trust".into(),
        }
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verifiers = self.current.load();
        verifiers.of_servers.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.current.load().of_servers.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.current.load().of_servers.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current.load().of_servers.supported_verify_schemes()
    }
}

/// Verifies clients, and says whether a client may also show no certificate.
#[derive(Debug)]
pub(super) struct OfClients {
    pub(super) trust: Arc<Trust>,
    pub(super) mandatory: bool,
}

impl ClientCertVerifier for OfClients {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    /// None: the roots may change while a handshake borrows them, and clients of ours have one certificate anyway.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.trust.current.load().of_clients.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trust.current.load().of_clients.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trust.current.load().of_clients.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.current.load().of_clients.supported_verify_schemes()
    }
}
