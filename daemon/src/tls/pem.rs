//! Certificates and keys as they lie in files.

use std::path::Path;

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::Error;

/// All certificates of a PEM file, in their order.
///
/// # Errors
/// The file cannot be read, is broken, or holds none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let found = CertificateDer::pem_file_iter(path)
        .map_err(failed)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    some(found, || path.display().to_string())
}

/// All certificates of a PEM text, in their order.
///
/// # Errors
/// The text is broken, or holds none.
pub fn certificates_in(text: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let failed = |source| Error::Text { what: "a certificate", source };
    let found = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<Vec<_>, pem::Error>>()
        .map_err(failed)?;
    some(found, || "the PEM text".into())
}

/// The first private key of a PEM file (PKCS #8, SEC1 or PKCS #1).
///
/// # Errors
/// The file cannot be read, is broken, or holds none.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_file(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

/// The first private key of a PEM text (PKCS #8, SEC1 or PKCS #1).
///
/// # Errors
/// The text is broken, or holds none.
pub fn private_key_in(text: &str) -> Result<PrivateKeyDer<'static>, Error> {
    let failed = |source| Error::Text { what: "a private key", source };
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(failed)
}

fn some<T>(found: Vec<T>, place: impl FnOnce() -> String) -> Result<Vec<T>, Error> {
    if found.is_empty() { Err(Error::NoCertificate { place: place() }) } else { Ok(found) }
}
