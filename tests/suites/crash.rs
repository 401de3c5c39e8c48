//! SIGKILL at seeded moments: what was acknowledged is there, nothing is half there, and all ends converge.
//!
//! A kill keeps the kernel's page cache. That an acknowledgement also waits for the disk is shown on the store's simulated
//! engine, which loses what was not synced, and by the order of SQLite's calls.

mod gateway;
mod agent;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use isthmus_agent::inbox::file::File;
use isthmus_proto::component::v1::Component;
use isthmus_tests::Federation;

/// What runs where, at which generation: by cluster, by UID.
type Shares = BTreeMap<String, BTreeMap<String, u64>>;

/// What the gateway wants of each cluster.
fn wanted(components: &[Component]) -> Shares {
    let mut shares = Shares::new();
    for component in components {
        let uid = component.metadata.as_ref().map_or("", |metadata| &metadata.uid);
        let clusters = component.status.as_ref().map(|status| status.clusters.as_slice()).unwrap_or_default();
        for share in clusters {
            shares.entry(share.cluster.clone()).or_default().insert(uid.to_owned(), share.generation);
        }
    }
    shares
}

/// What the agent of a cluster has in its file, which can be read while the agent is stopped.
fn held(federation: &Federation, cluster: &str) -> Result<BTreeMap<String, u64>> {
    let path = federation.agent(cluster)?.data().join("inbox.sqlite");
    let mut held = BTreeMap::new();
    File::open(&path).context("open the agent's file")?.visit(|row| {
        if row.removal.is_none() {
            held.insert(row.uid.to_string(), row.generation.unwrap_or_default().0);
        }
    })?;
    Ok(held)
}
