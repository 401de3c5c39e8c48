//! What was typed, meant: flags before environment before profile before defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use isthmus_model::component::Redacted;
use isthmus_model::name::{Namespace, Tenant};
use isthmus_model::profile::{Pem, PemSource, Profile, Profiles};

use crate::args::Global;
use crate::environment::Environment;
use crate::error::Error;

/// Everything that a call to the gateway needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// `https://host:port`, or `http://` towards this machine.
    pub(crate) server: String,
    /// PEM of the roots to trust; none only towards this machine without TLS.
    pub(crate) roots: Option<Vec<u8>>,
    /// PEM of the caller's certificate and of its key.
    pub(crate) identity: Option<Identity>,
    /// The caller's API token.
    pub(crate) token: Option<Redacted>,
    /// How long one call may take.
    pub(crate) timeout: Duration,
}

/// A client certificate with its key. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(certificate and key)")
    }
}

/// The tenant and namespace of names that have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) tenant: String,
    pub(crate) namespace: String,
    /// The tenant was typed, not only the profile's or the default.
    pub(crate) tenant_was_typed: bool,
}

/// The profiles' file and what it says.
#[derive(Debug, Clone)]
pub(crate) struct ProfilesFile {
    pub(crate) path: PathBuf,
    pub(crate) profiles: Profiles,
}

impl ProfilesFile {
    /// Reads it; one that does not exist has no profiles, unless it was named on the command line.
    pub(crate) fn read(global: &Global, environment: &Environment) -> Result<Self, Error> {
        let place = |path: &Option<PathBuf>| path.as_deref().map(Path::to_path_buf);
        let path = place(&global.config).or_else(|| {
            Profiles::path(
                environment.config.as_deref(),
                environment.xdg_config_home.as_deref(),
                environment.home.as_deref(),
            )
        });
        let Some(path) = path else {
            return Err(Error::Usage(
                "there is no home directory to look for profiles in; give --config".to_owned(),
            ));
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && global.config.is_none() => {
                return Ok(Self { path, profiles: Profiles::default() });
            }
            Err(error) => {
                return Err(Error::Usage(format!(
                    "the profiles in {} cannot be read: {error}",
                    path.display()
                )));
            }
        };
        let profiles = serde_saphyr::from_str(&text).map_err(|error| {
            // Not the text around the error: it may hold a key or token.
            Error::Usage(format!(
                "the profiles in {} cannot be read: {}",
                path.display(),
                error.without_snippet()
            ))
        })?;
        Ok(Self { path, profiles })
    }

    /// The profile in use and its name; none when none is named and none is current.
    pub(crate) fn profile(&self, global: &Global) -> Result<Option<(&str, &Profile)>, Error> {
        let named = global.profile.as_deref();
        let Some(name) = named.or(self.profiles.current_profile.as_deref()) else { return Ok(None) };
        match self.profiles.profiles.get_key_value(name) {
            Some((name, profile)) => Ok(Some((name, profile))),
            None => Err(Error::Usage(format!(
                "there is no profile {name:?} in {}; it has: {}",
                self.path.display(),
                or_none(self.profiles.profiles.keys().map(String::as_str))
            ))),
        }
    }
}

fn or_none<'t>(names: impl Iterator<Item = &'t str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// What is meant by the flags and the profile.
pub(crate) fn resolve(global: &Global, file: &ProfilesFile) -> Result<Request, Error> {
    let profile = file.profile(global)?.map(|(_, profile)| profile.clone()).unwrap_or_default();
    let server = global.server.clone().unwrap_or(profile.server);
    if server.is_empty() {
        return Err(Error::Usage(format!(
            "no gateway is named: give --server, or a profile in {} (isthmus-gateway init writes one)",
            file.path.display()
        )));
    }
    let directory = file.path.parent().unwrap_or_else(|| Path::new("."));
    let read = |what: &str, pem: &Pem| match pem.source() {
        PemSource::Inline(text) => Ok(text.as_bytes().to_vec()),
        PemSource::File(path) => read_file(what, &directory.join(path)),
    };
    let flag =
        |what: &str, path: &Option<PathBuf>| path.as_deref().map(|path| read_file(what, path)).transpose();
    let roots = match flag("certificate authority", &global.certificate_authority)? {
        Some(roots) => Some(roots),
        None => profile.certificate_authority.map(|pem| read("certificate authority", &pem)).transpose()?,
    };
    check_server(&server, roots.is_some())?;
    let typed =
        (flag("client certificate", &global.client_certificate)?, flag("client key", &global.client_key)?);
    let token_file = |path: &PathBuf| {
        let text = read_file("token", &directory.join(path))?;
        Ok::<_, Error>(Redacted(String::from_utf8_lossy(&text).trim().to_owned()))
    };
    let token = match (&global.token, profile.token) {
        (Some(token), _) => Some(Redacted(token.clone())),
        (None, Some(token)) => Some(token),
        (None, None) => profile.token_file.as_ref().map(token_file).transpose()?,
    };
    let identity = match (typed, profile.client_certificate, profile.client_key) {
        ((Some(certificate), Some(key)), _, _) => Some(Identity { certificate, key }),
        // Who types a token wants to be who the token says, not who the profile's certificate says.
        _ if global.token.is_some() => None,
        (_, Some(certificate), Some(key)) => Some(Identity {
            certificate: read("client certificate", &certificate)?,
            key: read("client key", &key)?,
        }),
        (_, None, None) => None,
        (_, Some(_), None) | (_, None, Some(_)) => {
            let message =
                "the profile has a client certificate without a key, or a key without a certificate";
            return Err(Error::Usage(message.to_owned()));
        }
    };
    Ok(Request { server, roots, identity, token, timeout: global.request_timeout })
}

/// TLS everywhere, except towards the machine itself.
fn check_server(server: &str, roots: bool) -> Result<(), Error> {
    if let Some(rest) = server.strip_prefix("http://") {
        let host = rest.split('/').next().unwrap_or(rest);
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        return match host {
            "localhost" | "127.0.0.1" | "[::1]" => Ok(()),
            _ => Err(Error::Usage(format!("{server} is not this machine, so it must be https://"))),
        };
    }
    match server.strip_prefix("https://") {
        None => Err(Error::Usage(format!("the server {server:?} must be https://HOST:PORT"))),
        Some(_) if !roots => Err(Error::Usage(
            "no certificate authority is named: give --certificate-authority or put it into the profile"
                .to_owned(),
        )),
        Some(_) => Ok(()),
    }
}

fn read_file(what: &str, path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path)
        .map_err(|error| Error::Usage(format!("the {what} in {} cannot be read: {error}", path.display())))
}

/// The tenant and namespace that are meant. `--namespace` may hold both.
pub(crate) fn scope(global: &Global, file: &ProfilesFile) -> Result<Scope, Error> {
    let profile = file.profile(global)?.map(|(_, profile)| profile.clone()).unwrap_or_default();
    let (in_namespace, namespace) = match global.namespace.as_deref().map(|text| text.split_once('/')) {
        Some(Some((tenant, namespace))) => (Some(tenant.to_owned()), Some(namespace.to_owned())),
        Some(None) => (None, global.namespace.clone()),
        None => (None, None),
    };
    let typed = match (global.tenant.clone(), in_namespace) {
        (Some(a), Some(b)) if a != b => {
            return Err(Error::Usage(format!("--tenant {a} and --namespace {b}/… name two tenants")));
        }
        (a, b) => a.or(b),
    };
    let tenant_was_typed = typed.is_some();
    Ok(Scope {
        tenant: typed.or(profile.tenant).unwrap_or_else(|| Tenant::DEFAULT.to_owned()),
        namespace: namespace.or(profile.namespace).unwrap_or_else(|| Namespace::DEFAULT.to_owned()),
        tenant_was_typed,
    })
}

#[cfg(test)]
mod tests;
