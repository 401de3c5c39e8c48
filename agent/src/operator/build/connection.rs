//! How an instance, or the download of its package, reaches Pulsar: environment, files and arguments.
//!
//! Addresses come from a ConfigMap, credentials and TLS settings from Secrets; their keys become environment variables, so
//! that no credential stands in a command. Parameters that the resource has in itself are moved to a Secret of ours first.

use isthmus_model::component::{KeyRef, PulsarAccess, PulsarAuth};
use k8s_openapi::api::core::v1::{
    ConfigMapEnvSource, EnvFromSource, KeyToPath, SecretEnvSource, SecretVolumeSource, Volume, VolumeMount,
};
use serde_json::json;

use super::super::owner::Owner;
use super::names;
use super::shell::{quoted, word};

/// Class of Pulsar's plugin for OAuth 2.
pub(super) const OAUTH2_PLUGIN: &str = "org.apache.pulsar.client.impl.auth.oauth2.AuthenticationOAuth2";

/// One of the two Pulsars that a component may know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Connection<'a> {
    access: &'a PulsarAccess,
    owner: &'a Owner,
    role: Role,
}

/// What it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Messages, and packages where there is no other place for them.
    Messaging,
    /// Packages only.
    Packages,
}

/// How it authenticates.
enum Auth<'a> {
    OAuth2 {
        audience: &'a str,
        issuer_url: &'a str,
        scope: &'a str,
        key_secret: &'a KeyRef,
    },
    /// By the environment variables that the Secret's keys become.
    Secret,
    None,
}

impl<'a> Connection<'a> {
    /// To the Pulsar that carries the messages.
    pub(super) fn messaging(owner: &'a Owner, access: &'a PulsarAccess) -> Self {
        Self { access, owner, role: Role::Messaging }
    }

    /// To the Pulsar that has the packages.
    pub(super) fn packages(owner: &'a Owner, access: &'a PulsarAccess) -> Self {
        Self { access, owner, role: Role::Packages }
    }

    fn auth(&self) -> Auth<'a> {
        match &self.access.auth {
            Some(PulsarAuth::OAuth2 { audience, issuer_url, scope, key_secret }) => {
                Auth::OAuth2 { audience, issuer_url, scope, key_secret }
            }
            None if self.access.auth_secret.is_empty() => Auth::None,
            Some(PulsarAuth::Generic { .. }) | None => Auth::Secret,
        }
    }

    /// The name of the Secret that holds what the resource has in itself.
    pub(super) fn own_secret(&self) -> String {
        names::credentials(self.owner, if self.role == Role::Messaging { "auth" } else { "package-auth" })
    }

    /// Plugin and parameters that the resource has in itself.
    pub(super) fn inline(&self) -> Option<(&'a str, &'a str)> {
        match &self.access.auth {
            Some(PulsarAuth::Generic { plugin, parameters }) => Some((plugin, &parameters.0)),
            _ => None,
        }
    }

    /// What becomes the environment.
    pub(super) fn env_from(&self) -> Vec<EnvFromSource> {
        let prefix = Some(self.prefix().to_owned()).filter(|prefix| !prefix.is_empty());
        let mut all = Vec::new();
        if !self.access.config.is_empty() {
            let config_map = ConfigMapEnvSource { name: self.access.config.clone(), optional: None };
            all.push(EnvFromSource {
                config_map_ref: Some(config_map),
                prefix: prefix.clone(),
                ..EnvFromSource::default()
            });
        }
        let auth = self.inline().map(|_| self.own_secret()).or_else(|| given(&self.access.auth_secret));
        for name in auth.into_iter().chain(given(&self.access.tls_secret)) {
            let secret = SecretEnvSource { name, optional: None };
            all.push(EnvFromSource {
                secret_ref: Some(secret),
                prefix: prefix.clone(),
                ..EnvFromSource::default()
            });
        }
        all
    }

    fn prefix(&self) -> &'static str {
        match self.role {
            Role::Messaging => "",
            Role::Packages => "PACKAGE_",
        }
    }

    /// An environment variable, to be expanded by a shell.
    fn variable(&self, name: &str) -> String {
        format!("${}{name}", self.prefix())
    }

    /// The same with a value for where it is not set.
    fn variable_or(&self, name: &str, default: &str) -> String {
        format!("${{{}{name}:-{default}}}", self.prefix())
    }

    fn tls_directory(&self) -> &'static str {
        match self.role {
            Role::Messaging => "/etc/tls/pulsar-functions",
            Role::Packages => "/etc/tls/pulsar-functions-package-service",
        }
    }

    fn oauth2_directory(&self) -> &'static str {
        match self.role {
            Role::Messaging => "/etc/oauth2",
            Role::Packages => "/etc/oauth2-package-service",
        }
    }

    fn certificate(&self) -> Option<&'a KeyRef> {
        self.access.tls.as_ref().and_then(|tls| tls.cert_secret.as_ref())
    }

    /// Files that are needed, with where they are mounted: the certificate to trust, the key for OAuth 2.
    pub(super) fn files(&self) -> Vec<(Volume, VolumeMount)> {
        let certificate = self.certificate().map(|key| file(key, self.tls_directory()));
        let key = match self.auth() {
            Auth::OAuth2 { key_secret, .. } => Some(file(key_secret, self.oauth2_directory())),
            Auth::Secret | Auth::None => None,
        };
        certificate.into_iter().chain(key).collect()
    }

    /// Arguments of Pulsar's instances: credentials, then TLS.
    pub(super) fn instance_arguments(&self, out: &mut Vec<String>) {
        match self.auth() {
            Auth::None => {}
            Auth::Secret => {
                // Quoted, for parameters may hold blanks.
                let plugin = self.variable("clientAuthenticationPlugin");
                let parameters = self.variable("clientAuthenticationParameters");
                out.push(format!("--client_auth_plugin \"{plugin}\" --client_auth_params \"{parameters}\""));
            }
            Auth::OAuth2 { .. } => {
                let parameters = quoted(&self.oauth2_parameters());
                out.push(format!("--client_auth_plugin {OAUTH2_PLUGIN} --client_auth_params {parameters}"));
            }
        }
        match &self.access.tls {
            None if self.access.tls_secret.is_empty() => out.push("--use_tls false".to_owned()),
            None => out.push(format!(
                "--use_tls true --tls_allow_insecure {} --hostname_verification_enabled {} --tls_trust_cert_path {}",
                self.variable_or("tlsAllowInsecureConnection", "false"),
                self.variable_or("tlsHostnameVerificationEnable", "true"),
                self.variable("tlsTrustCertsFilePath"),
            )),
            Some(tls) if !tls.enabled => out.push("--use_tls false".to_owned()),
            Some(tls) => {
                out.push(format!(
                    "--use_tls true --tls_allow_insecure {} --hostname_verification_enabled {}",
                    tls.allow_insecure, tls.hostname_verification
                ));
                if let Some(path) = self.certificate_path() {
                    out.push(format!("--tls_trust_cert_path {}", word(&path)));
                }
            }
        }
    }

    fn certificate_path(&self) -> Option<String> {
        self.certificate().map(|key| format!("{}/{}", self.tls_directory(), key.key))
    }

    fn key_path(&self, key: &KeyRef) -> String {
        format!("{}/{}", self.oauth2_directory(), key.key)
    }

    /// What Pulsar's plugin for OAuth 2 reads, under the names of its Java and its Python form.
    fn oauth2_parameters(&self) -> String {
        let Auth::OAuth2 { audience, issuer_url, scope, key_secret } = self.auth() else {
            return String::new();
        };
        let key = self.key_path(key_secret);
        json!({
            "credentials_url": format!("file://{key}"),
            "privateKey": key,
            "private_key": key,
            "issuerUrl": issuer_url,
            "issuer_url": issuer_url,
            "audience": audience,
            "scope": scope,
        })
        .to_string()
    }

    /// The beginning of a call of `pulsar-admin`.
    pub(super) fn pulsar_admin(&self) -> String {
        let mut words =
            vec![format!("/pulsar/bin/pulsar-admin --admin-url {}", self.variable("webServiceURL"))];
        match self.auth() {
            Auth::None => {}
            Auth::Secret => words.push(format!(
                "--auth-plugin \"{}\" --auth-params \"{}\"",
                self.variable("clientAuthenticationPlugin"),
                self.variable("clientAuthenticationParameters")
            )),
            Auth::OAuth2 { .. } => {
                let parameters = quoted(&self.oauth2_parameters());
                words.push(format!("--auth-plugin {OAUTH2_PLUGIN} --auth-params {parameters}"));
            }
        }
        match &self.access.tls {
            None if self.access.tls_secret.is_empty() => {}
            // The tool has only a switch to allow it; the shell leaves that out unless the Secret says true.
            None => words.push(format!(
                "$([ \"{}\" = true ] && echo --tls-allow-insecure) --tls-enable-hostname-verification --tls-trust-cert-path {}",
                self.variable("tlsAllowInsecureConnection"),
                self.variable("tlsTrustCertsFilePath")
            )),
            Some(tls) if !tls.enabled => {}
            Some(tls) => {
                words.extend(tls.allow_insecure.then(|| "--tls-allow-insecure".to_owned()));
                words.extend(tls.hostname_verification.then(|| "--tls-enable-hostname-verification".to_owned()));
                words.extend(self.certificate_path().map(|path| format!("--tls-trust-cert-path {}", word(&path))));
            }
        }
        words.join(" ")
    }

    /// The beginning of a call of `pulsarctl`.
    pub(super) fn pulsarctl(&self) -> String {
        let url = self.variable("webServiceURL");
        let call = match self.auth() {
            Auth::None => format!("pulsarctl --admin-service-url {url}"),
            Auth::Secret => {
                let (plugin, parameters) = (
                    self.variable("clientAuthenticationPlugin"),
                    self.variable("clientAuthenticationParameters"),
                );
                format!(
                    "( pulsarctl oauth2 activate --auth-params \"{parameters}\" || true ) && pulsarctl --auth-plugin \"{plugin}\" --auth-params \"{parameters}\" --admin-service-url {url}"
                )
            }
            Auth::OAuth2 { audience, issuer_url, scope, key_secret } => {
                let scope =
                    given(scope).map(|scope| format!(" --scope {}", word(&scope))).unwrap_or_default();
                format!(
                    "pulsarctl context set downloader --admin-service-url {url} --issuer-endpoint {} --audience {} --key-file {}{scope} && pulsarctl oauth2 activate && pulsarctl",
                    word(issuer_url),
                    word(audience),
                    word(&self.key_path(key_secret)),
                )
            }
        };
        let tls = match &self.access.tls {
            None if self.access.tls_secret.is_empty() => String::new(),
            None => format!(
                " --tls-allow-insecure={} --tls-enable-hostname-verification={} --tls-trust-cert-path {}",
                self.variable_or("tlsAllowInsecureConnection", "false"),
                self.variable_or("tlsHostnameVerificationEnable", "true"),
                self.variable("tlsTrustCertsFilePath"),
            ),
            Some(tls) if !tls.enabled => String::new(),
            Some(tls) => {
                let path = self.certificate_path();
                let path =
                    path.map(|path| format!(" --tls-trust-cert-path {}", word(&path))).unwrap_or_default();
                format!(
                    " --tls-allow-insecure={} --tls-enable-hostname-verification={}{path}",
                    tls.allow_insecure, tls.hostname_verification
                )
            }
        };
        format!("export PATH=$PATH:/pulsar/bin &&  {call}{tls}")
    }

    /// What the log sidecar has to know of OAuth 2.
    pub(super) fn sidecar_variables(&self) -> Vec<(&'static str, String)> {
        let Auth::OAuth2 { audience, issuer_url, scope, key_secret } = self.auth() else { return Vec::new() };
        let mut all = vec![
            ("oauth2Enabled", "true".to_owned()),
            ("oauth2IssuerUrl", issuer_url.to_owned()),
            ("oauth2Audience", audience.to_owned()),
            ("oauth2PrivateKey", self.key_path(key_secret)),
        ];
        all.extend(given(scope).map(|scope| ("oauth2Scope", scope)));
        all
    }
}

fn given(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// A key of a Secret as a file in a directory.
fn file(key: &KeyRef, directory: &str) -> (Volume, VolumeMount) {
    let volume = secret_file(&key.name, &key.key);
    let mount =
        VolumeMount { name: volume.name.clone(), mount_path: directory.to_owned(), ..VolumeMount::default() };
    (volume, mount)
}

/// A key of a Secret as a volume with one file.
pub(super) fn secret_file(secret: &str, key: &str) -> Volume {
    let item = KeyToPath { key: key.to_owned(), path: key.to_owned(), mode: None };
    let source = SecretVolumeSource {
        secret_name: Some(secret.to_owned()),
        items: Some(vec![item]),
        ..SecretVolumeSource::default()
    };
    Volume { name: volume_name(&format!("{secret}-{key}")), secret: Some(source), ..Volume::default() }
}

/// A volume's name made of others' names: lower case, letters, digits and dashes, at most 63.
pub(super) fn volume_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for c in text.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' | '-' => name.push(c),
            _ if name.ends_with('\u{0}') => {}
            // Marks a run of others, so that a dash of the text is not taken for one.
            _ => name.push('\u{0}'),
        }
    }
    let name = name.replace('\u{0}', "-");
    name.get(..63).unwrap_or(&name).trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_volumes_are_labels() {
        assert_eq!(volume_name("Shop-TLS-ca..pem"), "shop-tls-ca-pem");
        assert_eq!(volume_name("a--b"), "a--b");
        assert_eq!(volume_name(&format!("{}-", "x".repeat(62))), "x".repeat(62));
    }
}
