//! Where user code comes from, and the bytes that admission pinned it to.

use serde::{Deserialize, Serialize};

use crate::name::Digest;

/// Names a package and, once admitted, its exact bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PackageRef {
    /// The file's name as the instance sees it: `api-examples.jar`, or a path inside the runner's image.
    pub file: String,
    /// Where it comes from: `sha256:…` (stored by the gateway), `function://`, `sink://`, `source://` (Pulsar's package
    /// service), `http(s)://`, `builtin://` (the platform has it); empty means that the image has the file.
    pub location: String,
    /// The stored bytes, set by admission when the gateway stores the package.
    pub digest: Option<Digest>,
}

impl PackageRef {
    /// The digest that `location` names, if it names one.
    pub fn requested_digest(&self) -> Option<Digest> {
        self.location.strip_prefix("sha256:").and_then(|hex| hex.parse().ok())
    }
}
