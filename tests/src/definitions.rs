//! The definitions of the custom resources, put into a cluster.

use std::path::Path;

use anyhow::{Context, Result};
use isthmus_testbed::kubernetes::Client;

use crate::{SOON, until};

/// Applies the definitions of this checkout, and waits until the API server has them.
///
/// # Errors
/// It does not take them.
pub async fn define(kubectl: &Client) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests lie in the workspace")?;
    kubectl.call(&["apply", "-f", &root.join("deploy/crds").to_string_lossy()]).await?;
    // kubectl takes a definition of which the API server has said nothing yet for an error.
    let wait = ["wait", "--for=condition=Established", "--all", "customresourcedefinitions", "--timeout=5s"];
    until("the definitions to be established", SOON, async || kubectl.call(&wait).await).await?;
    Ok(())
}
