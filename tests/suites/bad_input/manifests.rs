//! The manifests of `tests/golden/bad`.

use anyhow::{Context as _, Result, ensure};
use futures::future::FutureExt as _;
use isthmus_proto::component::v1::manifest_result::Outcome;
use isthmus_proto::failure::unembedded;
use isthmus_tests::Client;
use tonic::Status;

use super::case::{Case, run};
use super::file::{self, Input};
use super::setting::Setting;

/// What the project promises.
const AT_LEAST: usize = 80;

#[tokio::test]
async fn every_wrong_manifest_is_refused_as_its_header_says_and_changes_nothing() -> Result<()> {
    let setting = Setting::new().await?;
    let inputs = file::all(&setting.stored)?;
    ensure!(inputs.len() >= AT_LEAST, "there are only {} wrong manifests", inputs.len());
    let mut cases = Vec::with_capacity(inputs.len());
    for input in inputs {
        let client = match input.caller.as_str() {
            "admin" => &setting.admin,
            "dev" => &setting.dev,
            "viewer" => &setting.viewer,
            "stranger" => &setting.stranger,
            "nobody" => &setting.nobody,
            other => None.with_context(|| format!("{}: there is no caller {other}", input.name))?,
        };
        let (name, expected) = (input.name.clone(), input.expected.clone());
        cases.push(Case { name, expected, call: apply(client, input).boxed() });
    }
    run(&setting.admin, cases).await?;
    setting.end().await
}

/// Applies a manifest; a refused component counts as a refused call if the input says that this is what is refused.
async fn apply(client: &Client, input: Input) -> Result<(), Status> {
    let Input { request, result, .. } = input;
    let results = client.manifests().apply_manifest(request).await?.into_inner().results;
    for of_document in results.into_iter().filter(|of_document| result == Some(of_document.document)) {
        if let Some(Outcome::Rejected(status)) = of_document.outcome {
            return Err(unembedded(&status));
        }
    }
    Ok(())
}
