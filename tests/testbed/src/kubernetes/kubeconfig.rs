//! How a client is told where a cluster is and who it is there.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::certificates::Identity;
use crate::fs;

/// A kubeconfig, as a file and as a value. It holds a private key.
#[derive(Clone)]
pub struct Kubeconfig {
    path: PathBuf,
    value: Value,
}

impl std::fmt::Debug for Kubeconfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Kubeconfig").field(&self.path).finish()
    }
}

impl Kubeconfig {
    /// Writes it to `path`. JSON is YAML too.
    pub(super) fn write(
        path: PathBuf,
        server: &str,
        authority: &str,
        user: &str,
        identity: &Identity,
    ) -> Result<Self, fs::Error> {
        let value = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": "testbed",
                "cluster": { "server": server, "certificate-authority-data": base64(authority) },
            }],
            "users": [{
                "name": user,
                "user": {
                    "client-certificate-data": base64(&identity.certificate),
                    "client-key-data": base64(&identity.key),
                },
            }],
            "contexts": [{ "name": "testbed", "context": { "cluster": "testbed", "user": user } }],
            "current-context": "testbed",
        });
        fs::write(&path, format!("{value:#}\n"))?;
        Ok(Self { path, value })
    }

    /// Where it lies; it goes with the cluster.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says.
    pub fn value(&self) -> &Value {
        &self.value
    }
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
