//! Where things run, and why.

use anyhow::{Context, Result};
use isthmus_model::reason::Reason;
use isthmus_proto::cluster::v1::CordonClusterRequest;
use isthmus_proto::component::v1::{ExplainRequest, Explanation, Mode};
use isthmus_tests::Federation;
use isthmus_tests::fixture::{Fixture, function, get, name, package};

use super::clusters;

async fn explain(federation: &Federation, of: &str) -> Result<Explanation> {
    let request = ExplainRequest { name: Some(name(of)) };
    let answer = federation.client().functions().explain(request).await?.into_inner();
    answer.explanation.context("an explanation")
}

fn python(name: &str) -> Fixture {
    function(name).python(package("/pulsar/absent.py", ""), "absent")
}

fn refusals(explanation: &Explanation) -> Vec<(&str, &str)> {
    let refused = explanation.refused.iter();
    refused.map(|refused| (refused.cluster.as_str(), refused.reason.as_str())).collect()
}

#[tokio::test]
async fn what_fits_nowhere_is_parked_with_its_reasons_and_placed_when_a_cluster_can_take_it() -> Result<()> {
    let mut federation = Federation::builder().agents(["east"]).start().await?;
    federation.client().functions().create(python("snake").create()).await?;

    let parked = federation.client().functions().get(get("snake")).await?.into_inner();
    assert_eq!(parked.status.as_ref().map(|status| status.phase.as_str()), Some("Parked"), "{parked:?}");
    assert_eq!(clusters(&parked), [""; 0]);
    let why = explain(&federation, "snake").await?;
    assert_eq!(refusals(&why), [("east", Reason::MissingCapability.as_str())]);
    assert!(!why.remedies.is_empty(), "{why:?}");

    federation.join("west", true).await?;
    federation.until_component("to be placed", name("snake"), |found| clusters(found) == ["west"]).await?;
    let why = explain(&federation, "snake").await?;
    assert_eq!(why.chosen.iter().map(|chosen| chosen.cluster.as_str()).collect::<Vec<_>>(), ["west"]);
    assert_eq!(why.remedies, [""; 0]);
    federation.end().await
}

#[tokio::test]
async fn selector_mode_and_cordon_decide_where_it_runs() -> Result<()> {
    let federation = Federation::builder().agents(["east", "west", "north"]).start().await?;
    let client = federation.client();
    let mut functions = client.functions();
    functions.create(function("chosen").only_where("region", "west").create()).await?;
    functions.create(function("everywhere").mode(Mode::Replicated).create()).await?;
    functions.create(function("divided").mode(Mode::Divided).replicas(6).create()).await?;

    let mut placed = async |of: &str| Ok::<_, anyhow::Error>(functions.get(get(of)).await?.into_inner());
    assert_eq!(clusters(&placed("chosen").await?), ["west"]);
    let mut everywhere = placed("everywhere").await?;
    let status = everywhere.status.take().context("a status")?;
    assert_eq!((status.clusters.len(), status.desired), (3, 3));
    let divided = placed("divided").await?.status.context("a status")?;
    let shares: Vec<_> = divided.clusters.iter().map(|share| share.desired).collect();
    assert_eq!((shares, divided.desired), (vec![2, 2, 2], 6));

    for cluster in ["east", "west"] {
        let request = CordonClusterRequest { cluster: cluster.into(), cordoned: true };
        client.clusters().cordon_cluster(request).await?;
    }
    client.functions().create(function("later").create()).await?;
    assert_eq!(clusters(&placed("later").await?), ["north"]);
    assert_eq!(clusters(&placed("chosen").await?), ["west"], "a cordon moves nothing");
    let why = explain(&federation, "later").await?;
    let cordoned = Reason::Cordoned.as_str();
    assert_eq!(refusals(&why), [("east", cordoned), ("west", cordoned)]);
    federation.end().await
}
