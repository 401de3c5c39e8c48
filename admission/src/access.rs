//! Secrets, and how Pulsar and its state store are reached: names that must be complete.

use isthmus_dialects::native::REDACTED;
use isthmus_model::component::{PulsarAccess, PulsarAuth, Runtime, Spec};

use crate::report::Report;

pub(crate) fn check(spec: &Spec, report: &mut Report) {
    secrets(spec, report);
    pulsar("spec.pulsar", &spec.pulsar, report);
    if let Some(service) = &spec.package_service {
        pulsar("spec.packageService", service, report);
        if service.config.is_empty() {
            let message = "it must name a PulsarCluster, or a ConfigMap that exists in the cluster";
            report.missing("spec.packageService.config", message);
        }
    }
    if let Some(state) = &spec.state {
        if matches!(spec.runtime, Some(Runtime::Go { .. })) {
            report.foreign("spec.state", "keyed state is not supported on the go runtime");
        }
        if state.service_url.is_empty() {
            report.missing(
                "spec.state.serviceUrl",
                "the state store's URL must be given, such as bk://host:4181",
            );
        }
    }
}

fn secrets(spec: &Spec, report: &mut Report) {
    for (name, secret) in &spec.secrets {
        let mut bytes = name.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_' | b'.'));
        if !first || !bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
            let message = "a secret is handed over as a variable: its name must be letters, digits and - _ . and not start with a digit";
            report.invalid(format!("spec.secrets[{name}]"), message, name);
        }
        if secret.is_sealed() {
            continue;
        }
        for (part, text) in [("path", &secret.path), ("key", &secret.key)] {
            if text.is_empty() {
                report.missing(format!("spec.secrets[{name}].{part}"), "it must be given");
            } else if text.len() > 253 || text.chars().any(char::is_control) {
                let message = "it must have at most 253 bytes and no control characters";
                report.invalid(format!("spec.secrets[{name}].{part}"), message, text);
            }
        }
    }
}

fn pulsar(field: &str, access: &PulsarAccess, report: &mut Report) {
    if !access.config.is_empty() && !is_object_name(&access.config) {
        let message =
            "it must be a name of lower-case letters, digits, - and . with a letter or digit at both ends";
        report.invalid(format!("{field}.config"), message, &access.config);
    }
    if let Some(secret) = access.tls.as_ref().and_then(|tls| tls.cert_secret.as_ref()) {
        report.key_ref(&format!("{field}.tls.certSecret"), secret);
    }
    for (part, auth) in [("auth", &access.auth), ("cleanupAuth", &access.cleanup_auth)] {
        let needed: Vec<(&str, bool)> = match auth {
            None => continue,
            Some(PulsarAuth::OAuth2 { audience, issuer_url, scope: _, key_secret }) => vec![
                ("audience", audience.is_empty()),
                ("issuerUrl", issuer_url.is_empty()),
                ("keySecret.name", key_secret.name.is_empty()),
                ("keySecret.key", key_secret.key.is_empty()),
            ],
            Some(PulsarAuth::Generic { plugin, parameters }) => {
                if parameters.0 == REDACTED {
                    let message =
                        "this stands for a credential that was not shown; give the credential itself";
                    report.invalid_secret(&format!("{field}.{part}.parameters"), message);
                }
                vec![("plugin", plugin.is_empty()), ("parameters", parameters.0.is_empty())]
            }
        };
        for (name, _) in needed.into_iter().filter(|(_, missing)| *missing) {
            report.missing(format!("{field}.{part}.{name}"), "it must be given");
        }
    }
}

/// Kubernetes' rule for names of objects, which names of PulsarClusters follow, too.
fn is_object_name(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    text.len() <= 253
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
}
