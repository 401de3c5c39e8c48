//! How Pulsar and its state store are reached.

use isthmus_model::component::{KeyRef, Object, PulsarAccess, PulsarAuth, PulsarTls, State};

use super::members::Members;

pub(super) fn write_state(state: &State) -> Object {
    let State { service_url, java_provider_class_name, java_provider_config } = state;
    let mut store = Members::default();
    store.put("serviceUrl", service_url.as_str().into());
    if !java_provider_class_name.is_empty() || !java_provider_config.is_empty() {
        let mut provider = Members::default();
        provider.text("className", java_provider_class_name);
        if !java_provider_config.is_empty() {
            provider.put("config", java_provider_config.clone().into());
        }
        store.put("javaProvider", provider.0.into());
    }
    let mut members = Members::default();
    members.put("pulsar", store.0.into());
    members.0
}

pub(super) fn write(access: &PulsarAccess) -> Object {
    let PulsarAccess { config, auth_secret, tls_secret, tls, auth, cleanup_auth } = access;
    let mut members = Members::default();
    members.text("pulsarConfig", config);
    members.text("authSecret", auth_secret);
    members.text("tlsSecret", tls_secret);
    members.object("tlsConfig", tls.as_ref().map(write_tls));
    members.object("authConfig", auth.as_ref().map(write_auth));
    members.object("cleanupAuthConfig", cleanup_auth.as_ref().map(write_auth));
    members.0
}

fn write_tls(tls: &PulsarTls) -> Object {
    let PulsarTls { enabled, allow_insecure, hostname_verification, cert_secret } = tls;
    let mut members = Members::default();
    members.flag("enabled", *enabled);
    members.flag("allowInsecure", *allow_insecure);
    members.flag("hostnameVerification", *hostname_verification);
    if let Some(KeyRef { name, key }) = cert_secret {
        members.text("certSecretName", name);
        members.text("certSecretKey", key);
    }
    members.0
}

fn write_auth(auth: &PulsarAuth) -> Object {
    let (way, mut own) = match auth {
        PulsarAuth::OAuth2 { audience, issuer_url, scope, key_secret } => {
            let mut own = Members::default();
            own.put("audience", audience.as_str().into());
            own.put("issuerUrl", issuer_url.as_str().into());
            own.text("scope", scope);
            own.put("keySecretName", key_secret.name.as_str().into());
            own.put("keySecretKey", key_secret.key.as_str().into());
            ("oauth2Config", own)
        }
        PulsarAuth::Generic { plugin, parameters } => {
            let mut own = Members::default();
            own.put("clientAuthenticationPlugin", plugin.as_str().into());
            own.put("clientAuthenticationParameters", parameters.0.as_str().into());
            ("genericAuth", own)
        }
    };
    let mut members = Members::default();
    members.put(way, std::mem::take(&mut own.0).into());
    members.0
}
