//! How Pulsar and its state store are reached.

use isthmus_model::component::{KeyRef, PulsarAccess, PulsarAuth, PulsarTls, State};

use super::super::resource::{AuthConfig, PulsarMessaging, StatefulConfig, TlsConfig};

pub(super) fn state(state: StatefulConfig) -> Option<State> {
    let store = state.pulsar?;
    let provider = store.java_provider.unwrap_or_default();
    Some(State {
        service_url: store.service_url,
        java_provider_class_name: provider.class_name,
        java_provider_config: provider.config,
    })
}

pub(super) fn pulsar(access: PulsarMessaging) -> PulsarAccess {
    let PulsarMessaging {
        pulsar_config,
        auth_secret,
        tls_secret,
        tls_config,
        auth_config,
        cleanup_auth_config,
    } = access;
    PulsarAccess {
        config: pulsar_config,
        // An empty authConfig hides the secret, too.
        auth_secret: if auth_config.is_some() { String::new() } else { auth_secret },
        tls_secret: if tls_config.is_some() { String::new() } else { tls_secret },
        tls: tls_config.map(tls),
        auth: auth_config.and_then(auth),
        cleanup_auth: cleanup_auth_config.and_then(auth),
    }
}

fn tls(tls: TlsConfig) -> PulsarTls {
    let TlsConfig { enabled, allow_insecure, hostname_verification, cert_secret_name, cert_secret_key } = tls;
    let complete = !cert_secret_name.is_empty() && !cert_secret_key.is_empty();
    PulsarTls {
        enabled,
        allow_insecure,
        hostname_verification,
        cert_secret: complete.then_some(KeyRef { name: cert_secret_name, key: cert_secret_key }),
    }
}

fn auth(auth: AuthConfig) -> Option<PulsarAuth> {
    if let Some(oauth2) = auth.oauth2_config {
        return Some(PulsarAuth::OAuth2 {
            audience: oauth2.audience,
            issuer_url: oauth2.issuer_url,
            scope: oauth2.scope,
            key_secret: KeyRef { name: oauth2.key_secret_name, key: oauth2.key_secret_key },
        });
    }
    auth.generic_auth.map(|generic| PulsarAuth::Generic {
        plugin: generic.client_authentication_plugin,
        parameters: generic.client_authentication_parameters,
    })
}
