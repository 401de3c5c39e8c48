//! A cluster's certificate authority: everybody in Kubernetes is who their certificate says.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::fs;

/// A certificate could not be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be made.
    #[error("cannot make a certificate for {subject}")]
    Make {
        /// Whose.
        subject: String,
        /// What is wrong.
        source: rcgen::Error,
    },
    /// It cannot be kept.
    #[error("cannot keep a certificate")]
    Keep(#[source] fs::Error),
}

/// Who somebody is to Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user name that roles are bound to.
    pub name: String,
    /// The group that roles are bound to, if any.
    pub group: Option<String>,
}

impl User {
    /// Somebody of no group.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), group: None }
    }

    /// The same, in this group.
    #[must_use]
    pub fn in_group(self, group: impl Into<String>) -> Self {
        Self { group: Some(group.into()), ..self }
    }

    /// Who may do everything.
    pub(super) fn administrator() -> Self {
        Self::named("testbed-administrator").in_group("system:masters")
    }
}

/// A certificate with its key, in PEM.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Identity {
    /// Writes both beside one another: `NAME.crt` and `NAME.key`.
    pub(super) fn write(&self, dir: &Path, name: &str) -> Result<(PathBuf, PathBuf), Error> {
        let files = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
        fs::write(&files.0, &self.certificate).map_err(Error::Keep)?;
        fs::write(&files.1, &self.key).map_err(Error::Keep)?;
        Ok(files)
    }
}

/// The root that a cluster's servers and users are signed by.
#[derive(Debug)]
pub(super) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a root.
    pub(super) fn create() -> Result<Self, Error> {
        let failed = failed("the cluster's root");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "isthmus-testbed");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(&failed)?;
        let pem = params.self_signed(&key).map_err(&failed)?.pem();
        Ok(Self { pem, issuer: Issuer::new(params, key) })
    }

    /// The root's certificate.
    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate with which a client proves to be this user.
    pub(super) fn client(&self, user: &User) -> Result<Identity, Error> {
        let mut params = CertificateParams::default();
        if let Some(group) = &user.group {
            params.distinguished_name.push(DnType::OrganizationName, group.as_str());
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&user.name, params)
    }

    /// A certificate with which a server proves to be what these names and addresses lead to.
    pub(super) fn server(
        &self,
        subject: &str,
        names: &[&str],
        addresses: &[Ipv4Addr],
    ) -> Result<Identity, Error> {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())
            .map_err(failed(subject))?;
        let addresses = addresses.iter().map(|address| SanType::IpAddress((*address).into()));
        params.subject_alt_names.extend(addresses);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(subject, params)
    }

    fn sign(&self, subject: &str, mut params: CertificateParams) -> Result<Identity, Error> {
        let failed = failed(subject);
        params.distinguished_name.push(DnType::CommonName, subject);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(&failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(&failed)?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// The key by which service accounts' tokens are signed: public half as a certificate would stand, and private half.
pub(super) fn token_key() -> Result<(String, String), Error> {
    let key = KeyPair::generate().map_err(failed("service accounts"))?;
    Ok((key.public_key_pem(), key.serialize_pem()))
}

fn failed(subject: &str) -> impl Fn(rcgen::Error) -> Error {
    let subject = subject.to_owned();
    move |source| Error::Make { subject: subject.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_printed() {
        let identity = Authority::create().unwrap().client(&User::named("jane")).unwrap();

        assert!(identity.key.contains("PRIVATE KEY"));
        assert_eq!(format!("{identity:?}"), "Identity { .. }");
    }
}
