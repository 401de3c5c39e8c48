//! What people have as files.

use anyhow::{Context, Result};
use isthmus_proto::component::v1::manifest_result::Outcome;
use isthmus_proto::component::v1::{ApplyManifestRequest, Change};
use isthmus_proto::failure::Failure;
use isthmus_tests::Federation;
use isthmus_tests::fixture::{get, name};
use tonic::Code;

const TWO: &str = "\
apiVersion: compute.functionmesh.io/v1alpha1
kind: Function
metadata: { name: greet }
spec:
  className: Greet
  golang: { go: /pulsar/absent }
  input: { topics: [persistent://public/default/names] }
  output: { topic: persistent://public/default/greetings }
  pulsar: { pulsarConfig: pulsar }
  resources: { requests: { cpu: 100m, memory: 128Mi }, limits: { cpu: 100m, memory: 128Mi } }
---
apiVersion: compute.functionmesh.io/v1alpha1
kind: Sink
metadata: { name: store }
spec:
  className: org.example.Store
  java: { jar: /pulsar/absent.nar }
  input: { topics: [persistent://public/default/greetings], typeClassName: java.lang.String }
  sinkConfig: { url: nowhere }
  pulsar: { pulsarConfig: pulsar }
  resources: { requests: { cpu: 100m, memory: 256Mi }, limits: { cpu: 100m, memory: 256Mi } }
";

fn changes(outcomes: &[Outcome]) -> Vec<Option<Change>> {
    let change = |outcome: &Outcome| match outcome {
        Outcome::Change(answer) => Some(answer.change()),
        Outcome::Rejected(_) => None,
    };
    outcomes.iter().map(change).collect()
}

async fn apply(federation: &Federation, request: ApplyManifestRequest) -> Result<Vec<Option<Change>>> {
    let answer = federation.client().manifests().apply_manifest(request).await;
    let answer = answer.map_err(|status| anyhow::anyhow!("{:?}", Failure::from(&status)))?.into_inner();
    let outcomes = answer.results.into_iter().map(|result| result.outcome.context("a result"));
    Ok(changes(&outcomes.collect::<Result<Vec<_>>>()?))
}

fn manifest(text: &str) -> ApplyManifestRequest {
    ApplyManifestRequest { manifest: text.into(), ..ApplyManifestRequest::default() }
}

#[tokio::test]
async fn several_documents_are_applied_each_with_its_own_result() -> Result<()> {
    let federation = Federation::builder().start().await?;
    assert_eq!(apply(&federation, manifest(TWO)).await?, [Some(Change::Created); 2]);
    let greet = federation.client().functions().get(get("greet")).await?.into_inner();
    let input = greet.spec.and_then(|spec| spec.input).context("an input")?;
    assert!(input.topics.contains_key("persistent://public/default/names"), "{input:?}");
    federation.client().sinks().get(get("store")).await?;

    assert_eq!(apply(&federation, manifest(TWO)).await?, [Some(Change::Unchanged); 2]);
    let changed = TWO.replace("url: nowhere", "url: somewhere");
    assert_eq!(
        apply(&federation, manifest(&changed)).await?,
        [Some(Change::Unchanged), Some(Change::Updated)]
    );
    let deletion = ApplyManifestRequest { delete: true, ..manifest(TWO) };
    assert_eq!(apply(&federation, deletion).await?, [Some(Change::Deleted); 2]);
    federation.until_gone(name("greet")).await?;
    federation.until_gone(name("store")).await?;
    federation.end().await
}

#[tokio::test]
async fn one_bad_document_keeps_the_whole_text_out_and_everything_wrong_is_told_at_once() -> Result<()> {
    let federation = Federation::builder().start().await?;
    let text = TWO.replace("golang:", "replica: 2\n  golang:").replace("greetings }", "names }");
    let refusal = federation
        .client()
        .manifests()
        .apply_manifest(manifest(&text))
        .await
        .expect_err("an unknown field, and an output that is an input");
    assert_eq!(refusal.code(), Code::InvalidArgument, "{refusal:?}");
    let fields: Vec<_> =
        Failure::from(&refusal).violations.into_iter().map(|violation| violation.field).collect();
    assert!(fields.iter().any(|field| field.ends_with("replica")), "{fields:?}");
    assert_eq!(federation.list_all().await?, [], "nothing was written");
    federation.end().await
}
