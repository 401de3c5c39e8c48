//! What only Kubernetes understands, and how Pulsar is reached from there.

use isthmus_model::component::{KeyRef, Kubernetes, PulsarAccess, PulsarAuth, PulsarTls, Redacted};
use isthmus_model::reason::Reason;
use serde_json::Value;

use crate::component::v1 as wire;
use crate::component::v1::pulsar_auth::Auth;
use crate::convert::problems::{Path, Problems, text_of_json, text_of_object};

/// What stands in answers where a credential may be.
const REDACTED: &str = "(redacted)";

impl From<Kubernetes> for wire::Kubernetes {
    fn from(kubernetes: Kubernetes) -> Self {
        let Kubernetes {
            cluster_name,
            image,
            image_pull_policy,
            image_has_pulsarctl,
            image_has_wget,
            downloader_image,
            cleanup_image,
            filebeat_image,
            pod,
            volume_mounts,
            volume_claim_templates,
            volume_claim_retention_policy,
        } = kubernetes;
        Self {
            cluster_name,
            image,
            image_pull_policy,
            image_has_pulsarctl,
            image_has_wget,
            downloader_image,
            cleanup_image,
            filebeat_image,
            pod_json: text_of_object(pod),
            volume_mounts_json: volume_mounts.into_iter().map(text_of_json).collect(),
            volume_claim_templates_json: volume_claim_templates.into_iter().map(text_of_json).collect(),
            volume_claim_retention_policy_json: volume_claim_retention_policy
                .map(text_of_json)
                .unwrap_or_default(),
        }
    }
}

pub(super) fn read(kubernetes: wire::Kubernetes, at: &Path<'_>, problems: &mut Problems) -> Kubernetes {
    let wire::Kubernetes {
        cluster_name,
        image,
        image_pull_policy,
        image_has_pulsarctl,
        image_has_wget,
        downloader_image,
        cleanup_image,
        filebeat_image,
        pod_json,
        volume_mounts_json,
        volume_claim_templates_json,
        volume_claim_retention_policy_json,
    } = kubernetes;
    Kubernetes {
        cluster_name,
        image,
        image_pull_policy,
        image_has_pulsarctl,
        image_has_wget,
        downloader_image,
        cleanup_image,
        filebeat_image,
        pod: problems.object(&at.field("podJson"), &pod_json),
        volume_mounts: values(&volume_mounts_json, &at.field("volumeMountsJson"), problems),
        volume_claim_templates: values(
            &volume_claim_templates_json,
            &at.field("volumeClaimTemplatesJson"),
            problems,
        ),
        volume_claim_retention_policy: problems
            .json(&at.field("volumeClaimRetentionPolicyJson"), &volume_claim_retention_policy_json),
    }
}

fn values(texts: &[String], at: &Path<'_>, problems: &mut Problems) -> Vec<Value> {
    let read = |(index, text): (usize, &String)| {
        let at = at.index(index);
        if text.is_empty() {
            problems.add(&at, Reason::MissingField, "an element must be a JSON object, not empty text");
        }
        problems.json(&at, text)
    };
    texts.iter().enumerate().filter_map(read).collect()
}

impl From<PulsarAccess> for wire::PulsarAccess {
    fn from(access: PulsarAccess) -> Self {
        let PulsarAccess { config, auth_secret, tls_secret, tls, auth, cleanup_auth } = access;
        Self {
            config,
            auth_secret,
            tls_secret,
            tls: tls.map(Into::into),
            auth: auth.map(Into::into),
            cleanup_auth: cleanup_auth.map(Into::into),
        }
    }
}

pub(super) fn access(access: wire::PulsarAccess, at: &Path<'_>, problems: &mut Problems) -> PulsarAccess {
    let wire::PulsarAccess { config, auth_secret, tls_secret, tls, auth: credentials, cleanup_auth } = access;
    PulsarAccess {
        config,
        auth_secret,
        tls_secret,
        tls: tls.map(Into::into),
        auth: credentials.and_then(|written| auth(written, &at.field("auth"), problems)),
        cleanup_auth: cleanup_auth.and_then(|written| auth(written, &at.field("cleanupAuth"), problems)),
    }
}

/// Replaces the parameters of plugins, which may hold credentials.
pub(super) fn redact(access: &mut wire::PulsarAccess) {
    for credentials in [access.auth.as_mut(), access.cleanup_auth.as_mut()].into_iter().flatten() {
        match credentials.auth.as_mut() {
            Some(Auth::Generic(generic)) if !generic.parameters.is_empty() => {
                REDACTED.clone_into(&mut generic.parameters);
            }
            Some(Auth::Generic(_) | Auth::Oauth2(_)) | None => {}
        }
    }
}

/// Finds what came back from an answer in place of a credential, which would overwrite the credential itself.
pub(super) fn refuse_redacted(access: &PulsarAccess, at: &Path<'_>, problems: &mut Problems) {
    for (name, credentials) in [("auth", &access.auth), ("cleanupAuth", &access.cleanup_auth)] {
        if let Some(PulsarAuth::Generic { parameters: Redacted(parameters), .. }) = credentials
            && parameters == REDACTED
        {
            let message =
                "this is what answers show in place of the parameters; write the parameters themselves";
            let (at, generic) = (at.field(name), "generic");
            problems.add(&at.field(generic).field("parameters"), Reason::InvalidField, message);
        }
    }
}

impl From<PulsarTls> for wire::PulsarTls {
    fn from(PulsarTls { enabled, allow_insecure, hostname_verification, cert_secret }: PulsarTls) -> Self {
        Self { enabled, allow_insecure, hostname_verification, cert_secret: cert_secret.map(Into::into) }
    }
}

impl From<wire::PulsarTls> for PulsarTls {
    fn from(tls: wire::PulsarTls) -> Self {
        let wire::PulsarTls { enabled, allow_insecure, hostname_verification, cert_secret } = tls;
        Self { enabled, allow_insecure, hostname_verification, cert_secret: cert_secret.map(Into::into) }
    }
}

impl From<KeyRef> for wire::KeyRef {
    fn from(KeyRef { name, key }: KeyRef) -> Self {
        Self { name, key }
    }
}

impl From<wire::KeyRef> for KeyRef {
    fn from(wire::KeyRef { name, key }: wire::KeyRef) -> Self {
        Self { name, key }
    }
}

impl From<PulsarAuth> for wire::PulsarAuth {
    fn from(auth: PulsarAuth) -> Self {
        let auth = match auth {
            PulsarAuth::OAuth2 { audience, issuer_url, scope, key_secret } => Auth::Oauth2(wire::OAuth2 {
                audience,
                issuer_url,
                scope,
                key_secret: Some(key_secret.into()),
            }),
            PulsarAuth::Generic { plugin, parameters: Redacted(parameters) } => {
                Auth::Generic(wire::GenericAuth { plugin, parameters })
            }
        };
        Self { auth: Some(auth) }
    }
}

fn auth(auth: wire::PulsarAuth, at: &Path<'_>, problems: &mut Problems) -> Option<PulsarAuth> {
    match auth.auth {
        None => {
            problems.add(at, Reason::MissingField, "give oauth2 or generic, or leave it out");
            None
        }
        Some(Auth::Oauth2(wire::OAuth2 { audience, issuer_url, scope, key_secret })) => {
            Some(PulsarAuth::OAuth2 {
                audience,
                issuer_url,
                scope,
                key_secret: key_secret.map(Into::into).unwrap_or_default(),
            })
        }
        Some(Auth::Generic(wire::GenericAuth { plugin, parameters })) => {
            Some(PulsarAuth::Generic { plugin, parameters: Redacted(parameters) })
        }
    }
}
