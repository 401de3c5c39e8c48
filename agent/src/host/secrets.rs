//! Secrets of an instance, to be had at its start: read from files of this host, or opened where they travelled sealed. Values from
//! files go into the instance's environment and into files that only the agent's user reads, opened ones into the environment
//! alone; none goes into logs, status or records.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Component as PathPart, Path, PathBuf};

use isthmus_model::assignment::Assignment;
use isthmus_model::component::{KeyRef, PulsarAccess, PulsarAuth, Redacted, Spec};
use isthmus_sealing::{OpenError, PrivateKey, Values};
use serde_json::json;

/// What an instance needs of the secrets that its component names.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secrets {
    /// Values by the names under which the code asks for them.
    pub(crate) environment: BTreeMap<String, String>,
    /// The same of secrets that travelled sealed: they must not get onto a disk.
    pub(crate) sealed: Values,
    /// Credentials towards Pulsar.
    pub(crate) auth: Option<Auth>,
    /// File with certificates to trust.
    pub(crate) trusted_certificates: Option<PathBuf>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("names", &self.environment.keys())
            .field("sealed", &self.sealed)
            .finish_non_exhaustive()
    }
}

/// A plugin of Pulsar's clients and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Auth {
    /// Class of the plugin.
    pub(crate) plugin: String,
    /// Its parameters.
    pub(crate) parameters: Redacted,
}

/// A secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is no directory of secrets.
    #[error(
        "secret {path}/{key} is needed, but this host has no directory of secrets; set target.host.secrets in the agent's configuration"
    )]
    NoDirectory {
        /// Its path.
        path: String,
        /// Its key.
        key: String,
    },
    /// The name would leave the directory.
    #[error("secret {path}/{key} is not a name within the directory of secrets")]
    NotAName {
        /// Its path.
        path: String,
        /// Its key.
        key: String,
    },
    /// What travelled sealed cannot be opened.
    #[error(transparent)]
    Sealed(#[from] OpenError),
    /// Nothing travelled under this name.
    #[error("secret {0} names no file of this host, and no value of it came with the component")]
    NotSealed(String),
    /// The file cannot be read.
    #[error("cannot read secret {path}/{key} on this host")]
    Unreadable {
        /// Its path.
        path: String,
        /// Its key.
        key: String,
        /// Why.
        source: io::Error,
    },
}

impl Secrets {
    /// The same without values: what a command's identity is made from, so that a rotated secret restarts nothing.
    #[must_use]
    pub(crate) fn names_only(&self) -> Self {
        Self {
            environment: self.environment.keys().map(|name| (name.clone(), String::new())).collect(),
            ..Self::default()
        }
    }

    /// What is known without reading anything.
    pub(crate) fn named_by(spec: &Spec) -> Self {
        let environment = spec.secrets.keys().map(|name| (name.clone(), String::new())).collect();
        Self { environment, ..Self::default() }
    }
}

/// Opens the secrets that travelled with an assignment.
///
/// # Errors
/// They are not for this agent's key, or were altered.
pub(crate) fn open(assignment: &Assignment, key: &PrivateKey) -> Result<Values, Error> {
    let open = |sealed| isthmus_sealing::open(&assignment.name, sealed, key);
    Ok(assignment.sealed.as_deref().map(open).transpose()?.unwrap_or_default())
}

/// Reads the secrets that the spec names from `directory`, those that travelled sealed left aside: they are `sealed`.
///
/// # Errors
/// The first that is not to be had.
pub(crate) fn read(spec: &Spec, directory: Option<&Path>, sealed: Values) -> Result<Secrets, Error> {
    let mut environment = BTreeMap::new();
    for (name, secret) in &spec.secrets {
        if !secret.is_sealed() {
            environment.insert(name.clone(), value(directory, &secret.path, &secret.key)?);
        } else if sealed.get(name).is_none() {
            return Err(Error::NotSealed(name.clone()));
        }
    }
    let Credentials { auth, trusted_certificates } = credentials(&spec.pulsar, directory)?;
    Ok(Secrets { environment, sealed, auth, trusted_certificates })
}

/// What a client needs to be believed by Pulsar and to believe it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// Credentials towards Pulsar.
    pub(crate) auth: Option<Auth>,
    /// File with certificates to trust.
    pub(crate) trusted_certificates: Option<PathBuf>,
}

/// Reads the credentials that a component's access to Pulsar names from `directory`.
///
/// # Errors
/// The first that is not to be had.
pub(crate) fn credentials(access: &PulsarAccess, directory: Option<&Path>) -> Result<Credentials, Error> {
    let auth = match &access.auth {
        Some(PulsarAuth::Generic { plugin, parameters }) => {
            Some(Auth { plugin: plugin.clone(), parameters: parameters.clone() })
        }
        Some(PulsarAuth::OAuth2 { audience, issuer_url, scope, key_secret }) => {
            let key = file(directory, &key_secret.name, &key_secret.key)?;
            let parameters = json!({
                "type": "client_credentials",
                "issuerUrl": issuer_url,
                "audience": audience,
                "scope": scope,
                "privateKey": format!("file://{}", key.display()),
            });
            Some(Auth {
                plugin: "org.apache.pulsar.client.impl.auth.oauth2.AuthenticationOAuth2".into(),
                parameters: Redacted(parameters.to_string()),
            })
        }
        None if access.auth_secret.is_empty() => None,
        None => Some(Auth {
            plugin: value(directory, &access.auth_secret, "clientAuthenticationPlugin")?,
            parameters: Redacted(value(directory, &access.auth_secret, "clientAuthenticationParameters")?),
        }),
    };
    let certificates = access.tls.as_ref().and_then(|tls| tls.cert_secret.as_ref());
    let trusted_certificates =
        certificates.map(|KeyRef { name, key }| file(directory, name, key)).transpose()?;
    Ok(Credentials { auth, trusted_certificates })
}

/// The value, without the line break that editors add.
fn value(directory: Option<&Path>, path: &str, key: &str) -> Result<String, Error> {
    let file = file(directory, path, key)?;
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)),
        Err(source) => Err(Error::Unreadable { path: path.into(), key: key.into(), source }),
    }
}

fn file(directory: Option<&Path>, path: &str, key: &str) -> Result<PathBuf, Error> {
    let (path, key) = (path.to_owned(), key.to_owned());
    let Some(directory) = directory else { return Err(Error::NoDirectory { path, key }) };
    let plain = |part: &str| {
        let mut parts = Path::new(part).components();
        matches!((parts.next(), parts.next()), (Some(PathPart::Normal(_)), None))
    };
    if !plain(&path) || !plain(&key) {
        return Err(Error::NotAName { path, key });
    }
    Ok(directory.join(path).join(key))
}

#[cfg(test)]
mod tests {
    use isthmus_model::component::SecretRef;

    use super::*;

    fn spec(path: &str, key: &str) -> Spec {
        let secret = SecretRef { path: path.into(), key: key.into() };
        Spec { secrets: BTreeMap::from([("PASSWORD".to_owned(), secret)]), ..Spec::default() }
    }

    #[test]
    fn a_secret_is_the_file_of_that_name_without_its_last_line_break() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("db")).unwrap();
        std::fs::write(directory.path().join("db/password"), "hunter2\n").unwrap();
        let secrets = read(&spec("db", "password"), Some(directory.path()), Values::default()).unwrap();
        assert_eq!(secrets.environment["PASSWORD"], "hunter2");
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }

    #[test]
    fn a_name_that_leads_out_of_the_directory_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for (path, key) in
            [("..", "x"), ("db", "../../etc/passwd"), ("/etc", "passwd"), ("", "x"), ("a/b", "x")]
        {
            let refused = read(&spec(path, key), Some(directory.path()), Values::default()).unwrap_err();
            assert!(matches!(refused, Error::NotAName { .. }), "{path} {key}: {refused}");
        }
    }

    #[test]
    fn a_host_without_secrets_says_what_to_set() {
        let refused = read(&spec("db", "password"), None, Values::default()).unwrap_err();
        assert!(refused.to_string().contains("target.host.secrets"), "{refused}");
    }

    #[test]
    fn what_travelled_sealed_is_taken_from_there_and_from_no_file() {
        let value = zeroize::Zeroizing::new("hunter2".to_owned());
        let opened: Values = [("PASSWORD".to_owned(), value)].into_iter().collect();
        let secrets = read(&spec("", ""), None, opened).unwrap();
        assert_eq!(secrets.sealed.get("PASSWORD"), Some("hunter2"));
        assert!(secrets.environment.is_empty() && !format!("{secrets:?}").contains("hunter2"));
        let refused = read(&spec("", ""), None, Values::default()).unwrap_err();
        assert!(matches!(refused, Error::NotSealed(name) if name == "PASSWORD"));
    }
}
