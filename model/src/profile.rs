//! The file in which people keep how they reach a gateway: `isthmus` reads it, `isthmus-gateway init` writes a first one.
//!
//! ```yaml
//! currentProfile: local
//! profiles:
//!   local:
//!     server: https://localhost:7443
//!     certificateAuthority: /etc/isthmus/ca.crt   # a file, or the PEM itself
//!     clientCertificate: admin.crt                # relative to this file
//!     clientKey: admin.key
//!     tenant: public
//!     namespace: default
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::component::Redacted;

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Profiles {
    /// The profile that is used when none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_profile: Option<String>,
    /// All of them by name.
    pub profiles: BTreeMap<String, Profile>,
}

impl Profiles {
    /// Where the file lies: what `ISTHMUS_CONFIG` says, else `isthmus/config.yaml` under `XDG_CONFIG_HOME`, else under
    /// `.config` in the home directory. None when the environment says none of the three.
    pub fn path(
        isthmus_config: Option<&Path>,
        xdg_config_home: Option<&Path>,
        home: Option<&Path>,
    ) -> Option<PathBuf> {
        let under = |dir: &Path| dir.join("isthmus").join("config.yaml");
        isthmus_config
            .map(Path::to_path_buf)
            .or_else(|| xdg_config_home.filter(|dir| dir.is_absolute()).map(under))
            .or_else(|| home.map(|home| under(&home.join(".config"))))
    }
}

/// How one gateway is reached, and as whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Profile {
    /// `https://host:port`; `http://` only towards the machine itself.
    pub server: String,
    /// The roots to trust, needed for `https`: a gateway shows a certificate of its federation's own authority, which no
    /// system knows. Without them `http` towards this machine is all there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<Pem>,
    /// The caller's certificate, leaf first; with `client_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<Pem>,
    /// The key of that certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key: Option<Pem>,
    /// An API token, used when there is no certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Redacted>,
    /// A file that holds an API token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Tenant of names that have none; `public` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Namespace of names that have none; `default` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Certificates or a key: the PEM text itself, or the path of a file with it, relative to the profile's file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pem(String);

/// Where the text of a [`Pem`] is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PemSource<'p> {
    /// Here.
    Inline(&'p str),
    /// In this file.
    File(&'p Path),
}

impl Pem {
    /// The text itself.
    pub fn inline(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A file. What is not UTF-8 in its path cannot be written into a profile and is replaced.
    pub fn file(path: &Path) -> Self {
        Self(path.to_string_lossy().into_owned())
    }

    /// Which of the two it is: PEM starts with `-----BEGIN`, no path does.
    pub fn source(&self) -> PemSource<'_> {
        if self.0.trim_start().starts_with("-----BEGIN") {
            PemSource::Inline(&self.0)
        } else {
            PemSource::File(Path::new(&self.0))
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source().fmt(f)
    }
}

impl fmt::Debug for PemSource<'_> {
    /// A path is shown, the text is not: it may be a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("(inline)"),
            Self::File(path) => path.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_place_is_what_the_environment_says_in_order() {
        let path = |own: Option<&str>, xdg: Option<&str>, home: Option<&str>| {
            Profiles::path(own.map(Path::new), xdg.map(Path::new), home.map(Path::new))
        };
        assert_eq!(path(Some("a.yaml"), Some("/x"), Some("/h")), Some("a.yaml".into()));
        assert_eq!(path(None, Some("/x"), Some("/h")), Some("/x/isthmus/config.yaml".into()));
        assert_eq!(path(None, Some("relative"), Some("/h")), Some("/h/.config/isthmus/config.yaml".into()));
        assert_eq!(path(None, None, None), None);
    }

    #[test]
    fn a_key_is_a_file_or_the_text_itself_and_the_text_is_not_shown() {
        let inline = Pem::inline("-----BEGIN PRIVATE KEY-----\nhunter2\n");
        assert!(matches!(inline.source(), PemSource::Inline(text) if text.contains("hunter2")));
        assert_eq!(format!("{inline:?}"), "(inline)");
        assert_eq!(format!("{:?}", Pem::file(Path::new("admin.key"))), "\"admin.key\"");
    }
}
