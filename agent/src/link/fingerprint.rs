//! Trust at first contact: the join token says the SHA-256 of the federation's root, and nothing else is believed.

use std::sync::Arc;

use isthmus_daemon::tls::Trust;
use isthmus_model::name::Digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use sha2::{Digest as _, Sha256};

/// Accepts exactly the chains that end in the root with this fingerprint, for the name that is dialled. The gateway must send
/// its root along, for nobody else has it to compare.
#[derive(Debug)]
struct ByFingerprint {
    root: Digest,
    provider: Arc<CryptoProvider>,
}

/// TLS that believes the root with this fingerprint, and shows no certificate.
pub fn tls(root: Digest) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = ByFingerprint { root, provider: provider.clone() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

impl ServerCertVerifier for ByFingerprint {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let is_root = |certificate: &&CertificateDer<'_>| self.root.0 == *Sha256::digest(certificate);
        let Some(root) = intermediates.iter().find(is_root) else {
            return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        };
        let trust = Trust::new(vec![root.clone().into_owned()])
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        trust.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
