//! How an instance reaches Pulsar: addresses, TLS, credentials, state store.

use std::collections::BTreeMap;

use isthmus_model::component::PulsarTls;

use super::{Input, flag, text};

/// The file for a token, which then does not show in the list of processes.
const TOKEN: &str = "pulsar-token";

/// Pulsar's plugin for tokens; all its clients read the token from a file as well.
const TOKEN_PLUGIN: &str = "org.apache.pulsar.client.impl.auth.AuthenticationToken";

/// What all runtimes need to know.
pub(super) struct Connection {
    pub(super) service_url: String,
    pub(super) cluster_name: String,
    pub(super) tls: Option<Tls>,
    pub(super) trusted_certificates: Option<String>,
    /// Class of the plugin, and its parameters.
    pub(super) auth: Option<(String, String)>,
    pub(super) state_url: Option<String>,
    state_class: Option<String>,
}

/// TLS, which is on.
#[derive(Clone, Copy)]
pub(super) struct Tls {
    pub(super) allow_insecure: bool,
    pub(super) hostname_verification: bool,
}

/// The connection, and the files that it needs.
pub(super) fn of(input: &Input<'_>) -> (Connection, BTreeMap<&'static str, String>) {
    let (spec, pulsar) = (&input.component.spec, &input.assignment.pulsar);
    let mut files = BTreeMap::new();
    let auth = input.secrets.auth.as_ref().map(|auth| {
        let parameters = auth.parameters.0.as_str();
        if auth.plugin == TOKEN_PLUGIN && !parameters.starts_with("file:") && !parameters.starts_with('{') {
            let token = parameters.strip_prefix("token:").unwrap_or(parameters);
            files.insert(TOKEN, token.to_owned());
            (auth.plugin.clone(), format!("file://{}", text(&input.files.join(TOKEN))))
        } else {
            (auth.plugin.clone(), parameters.to_owned())
        }
    });
    let state = spec.state.as_ref();
    let state_url = state.map(|state| state.service_url.clone()).filter(|url| !url.is_empty());
    let connection = Connection {
        service_url: pulsar.service_url.clone(),
        cluster_name: match pulsar.pulsar_name.as_str() {
            "" => pulsar.name.to_string(),
            name => name.to_owned(),
        },
        tls: tls(spec.pulsar.tls.as_ref(), &pulsar.service_url),
        trusted_certificates: input.secrets.trusted_certificates.as_deref().map(text),
        auth,
        state_url: state_url.or_else(|| Some(pulsar.state_service_url.clone()).filter(|url| !url.is_empty())),
        state_class: state
            .map(|state| state.java_provider_class_name.clone())
            .filter(|class| !class.is_empty()),
    };
    (connection, files)
}

/// On when the component or the address says so. The host's name is checked unless the component says otherwise.
fn tls(given: Option<&PulsarTls>, service_url: &str) -> Option<Tls> {
    match given {
        Some(tls) if tls.enabled => {
            Some(Tls { allow_insecure: tls.allow_insecure, hostname_verification: tls.hostname_verification })
        }
        _ => service_url
            .starts_with("pulsar+ssl:")
            .then_some(Tls { allow_insecure: false, hostname_verification: true }),
    }
}

impl Connection {
    pub(super) fn address(&self, args: &mut Vec<String>) {
        flag(args, "--pulsar_serviceurl", self.service_url.clone());
    }

    /// Java and Python differ in one flag's name.
    pub(super) fn credentials(&self, args: &mut Vec<String>, allow_insecure: &str) {
        if let Some((plugin, parameters)) = &self.auth {
            flag(args, "--client_auth_plugin", plugin.clone());
            flag(args, "--client_auth_params", parameters.clone());
        }
        if let Some(tls) = self.tls {
            flag(args, "--use_tls", "true");
            flag(args, allow_insecure, tls.allow_insecure.to_string());
            flag(args, "--hostname_verification_enabled", tls.hostname_verification.to_string());
            if let Some(path) = &self.trusted_certificates {
                flag(args, "--tls_trust_cert_path", path.clone());
            }
        }
    }

    pub(super) fn state(&self, args: &mut Vec<String>) {
        if let Some(class) = &self.state_class {
            flag(args, "--state_storage_impl_class", class.clone());
        }
        if let Some(url) = &self.state_url {
            flag(args, "--state_storage_serviceurl", url.clone());
        }
    }
}
