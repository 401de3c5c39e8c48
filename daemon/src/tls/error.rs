//! What can be wrong with certificates and keys. Keys themselves are never shown.

use std::path::PathBuf;

use rustls_pki_types::pem;

/// Why an identity or a trust cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read, or is not PEM.
    #[error("cannot read PEM file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// The text is not PEM.
    #[error("cannot read {what} as PEM")]
    Text {
        /// What it should be.
        what: &'static str,
        /// What is wrong.
        source: pem::Error,
    },
    /// A PEM file or text without a certificate in it.
    #[error("{place} holds no certificate")]
    NoCertificate {
        /// The file, or what the text is.
        place: String,
    },
    /// The certificate is broken, or the key does not belong to it.
    #[error("the certificate and the private key cannot be used together")]
    Identity(#[source] rustls::Error),
    /// A root that cannot be a root.
    #[error("a certificate cannot be used as a root of trust")]
    Root(#[source] rustls::Error),
    /// The roots make no verifier.
    #[error("the roots of trust cannot be used")]
    Trust(#[source] rustls::client::VerifierBuilderError),
    /// TLS cannot be set up; a mistake in this program.
    #[error("cannot set up TLS")]
    Config(#[source] rustls::Error),
}
