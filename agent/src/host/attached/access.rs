//! As whom Pulsar's admin API is asked: as the component itself, for whoever may consume a topic may see its statistics.

use std::path::{Path, PathBuf};

use isthmus_model::component::{PulsarAccess, Redacted};

use crate::host::secrets::{self, Auth, Credentials};

/// Pulsar's plugin for tokens.
const TOKEN: &str = "org.apache.pulsar.client.impl.auth.AuthenticationToken";

/// An admin API and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// `http://…` or `https://…`.
    pub url: String,
    /// Sent as a bearer token.
    pub token: Option<Redacted>,
    /// File with the certificates to trust; without it those of the machine.
    pub trusted: Option<PathBuf>,
    /// Any certificate is accepted: the component says so.
    pub allow_insecure: bool,
}

/// Whether the agent can speak for a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// So.
    As(Access),
    /// Only Pulsar's own clients can: the plugin is one that they load, and all that is known of the component is what it says
    /// itself.
    ByPlugin,
}

/// How to ask about a component.
///
/// # Errors
/// A credential cannot be read.
pub(crate) fn access(
    url: &str,
    named: Option<&PulsarAccess>,
    secrets: Option<&Path>,
) -> Result<Spoken, secrets::Error> {
    let plain = Access { url: url.to_owned(), token: None, trusted: None, allow_insecure: false };
    let Some(named) = named else { return Ok(Spoken::As(plain)) };
    let Credentials { auth, trusted_certificates } = secrets::credentials(named, secrets)?;
    let token = match auth {
        None => None,
        Some(Auth { plugin, parameters }) if plugin == TOKEN => match token(&parameters.0) {
            Some(token) => Some(Redacted(token)),
            None => return Ok(Spoken::ByPlugin),
        },
        Some(_) => return Ok(Spoken::ByPlugin),
    };
    let allow_insecure = named.tls.as_ref().is_some_and(|tls| tls.allow_insecure);
    Ok(Spoken::As(Access { token, trusted: trusted_certificates, allow_insecure, ..plain }))
}

/// The parameters as Pulsar's clients read them: `token:…`, `file:…`, JSON, or the token itself.
fn token(parameters: &str) -> Option<String> {
    if let Some(token) = parameters.strip_prefix("token:") {
        return Some(token.to_owned());
    }
    if let Some(file) = parameters.strip_prefix("file:") {
        let file = file.strip_prefix("//").unwrap_or(file);
        return std::fs::read_to_string(file).ok().map(|token| token.trim().to_owned());
    }
    match serde_json::from_str::<serde_json::Value>(parameters) {
        Ok(serde_json::Value::Object(fields)) => Some(fields.get("token")?.as_str()?.to_owned()),
        _ => Some(parameters.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use isthmus_model::component::PulsarAuth;

    use super::*;

    fn named(plugin: &str, parameters: &str) -> PulsarAccess {
        let auth = PulsarAuth::Generic { plugin: plugin.into(), parameters: Redacted(parameters.into()) };
        PulsarAccess { auth: Some(auth), ..PulsarAccess::default() }
    }

    #[test]
    fn a_token_is_read_in_every_form_that_pulsar_s_clients_take() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from-a-file\n").unwrap();
        let path = file.path().display();
        for (parameters, expected) in [
            ("token:abc".to_owned(), "abc"),
            ("abc".to_owned(), "abc"),
            (r#"{"token":"abc"}"#.to_owned(), "abc"),
            (format!("file://{path}"), "from-a-file"),
            (format!("file:{path}"), "from-a-file"),
        ] {
            let spoken = access("http://x", Some(&named(TOKEN, &parameters)), None).unwrap();
            let Spoken::As(Access { token, .. }) = spoken else { panic!("{parameters}") };
            assert_eq!(token, Some(Redacted(expected.into())), "{parameters}");
        }
    }

    #[test]
    fn what_only_a_plugin_can_say_is_left_to_it() {
        let spoken = access("http://x", Some(&named("org.example.Kerberos", "")), None).unwrap();
        assert_eq!(spoken, Spoken::ByPlugin);
        let Spoken::As(plain) = access("http://x", None, None).unwrap() else { panic!() };
        assert_eq!((plain.token, plain.trusted), (None, None));
    }
}
