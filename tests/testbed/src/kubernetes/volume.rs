//! Volumes of a cluster: directories of its node, made before anybody claims them. A cluster here has nobody who makes volumes
//! for claims, and needs nobody: who wants one says so.

use std::path::Path;

use serde_json::{Value, json};

use super::{Error, control_plane::ControlPlane};
use crate::fs;

/// More than any claim asks for; nobody measures.
const CAPACITY: &str = "1Ti";

/// Makes a volume for the next claim that names no class, with its content below `parent`. It goes with the cluster.
pub(super) async fn provide(
    plane: &ControlPlane,
    node: &str,
    parent: &Path,
    name: &str,
) -> Result<(), Error> {
    let dir = parent.join(name);
    fs::create_dir(&dir).map_err(Error::Files)?;
    let volume = volume(name, node, &dir).to_string();
    plane.kubectl().call_with(&["apply", "-f", "-"], &volume).await.map(drop).map_err(Error::Client)
}

/// Of the kind that is given to a pod's group, as those of storage systems are, and which a path of the host never is.
fn volume(name: &str, node: &str, dir: &Path) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": name },
        "spec": {
            "capacity": { "storage": CAPACITY },
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "local": { "path": dir },
            "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [
                { "key": "kubernetes.io/hostname", "operator": "In", "values": [node] },
            ] }] } },
        },
    })
}
