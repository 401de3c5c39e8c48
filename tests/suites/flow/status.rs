//! What the clusters say comes back.

use anyhow::{Context, Result};
use isthmus_proto::cluster::v1::Health;
use isthmus_proto::component::v1::ClusterStatus;
use isthmus_tests::fixture::{delete, function, get, name};
use isthmus_tests::{Federation, SOON, until};

#[tokio::test]
async fn a_clusters_report_names_the_generation_that_it_saw_and_why_it_is_not_ready() -> Result<()> {
    let federation = Federation::builder().agents(["east"]).start().await?;
    let mut functions = federation.client().functions();
    functions.create(function("greet").create()).await?;

    let is_refused = |share: &ClusterStatus| {
        share.observed_generation == share.generation && !share.last_error.is_empty() && share.ready == 0
    };
    let first = federation
        .until_component("to be reported on", name("greet"), |found| {
            found.status.as_ref().is_some_and(|status| status.clusters.iter().any(is_refused))
        })
        .await?;
    let generation = |component: &isthmus_proto::component::v1::Component| -> Result<u64> {
        let status = component.status.as_ref().context("a status")?;
        Ok(status.clusters.first().context("a share")?.generation)
    };

    let changed = function("greet").go(isthmus_tests::fixture::package("/pulsar/absent-too", ""));
    functions.update(changed.update()).await?;
    let second = federation
        .until_component("to be reported on again", name("greet"), |found| {
            found.status.as_ref().is_some_and(|status| {
                status
                    .clusters
                    .iter()
                    .any(|share| is_refused(share) && share.last_error.contains("absent-too"))
            })
        })
        .await?;
    assert!(generation(&second)? > generation(&first)?);
    federation.end().await
}

#[tokio::test]
async fn what_is_deleted_while_its_cluster_is_away_ends_when_the_cluster_comes_back() -> Result<()> {
    let mut federation = Federation::builder().agents(["east"]).start().await?;
    let mut functions = federation.client().functions();
    functions.create(function("greet").create()).await?;
    federation.until_in_step("east").await?;
    federation.kill_agent("east").await?;
    until("the cluster to be seen as away", SOON, async || {
        let east = federation.cluster("east").await.map_err(|error| error.to_string())?;
        if east.health() == Health::Disconnected { Ok(()) } else { Err(format!("{east:?}")) }
    })
    .await?;

    functions.delete(delete("greet")).await?;
    let found = functions.get(get("greet")).await?.into_inner();
    assert_eq!(found.status.map(|status| status.phase), Some("Terminating".to_owned()));

    federation.resume_agent("east").await?;
    federation.until_gone(name("greet")).await?;
    federation.end().await
}

#[tokio::test]
async fn a_gateway_that_restarts_asks_nothing_of_agents_that_are_in_step() -> Result<()> {
    let mut federation = Federation::builder().agents(["east", "west"]).start().await?;
    for number in 0..10 {
        federation.client().functions().create(function(&format!("f{number}")).create()).await?;
    }
    let mut before = Vec::new();
    for cluster in ["east", "west"] {
        before.push(federation.until_in_step(cluster).await?);
    }
    let listed = federation.list_all().await?.len();

    federation.stop_gateway().await?;
    federation.resume_gateway().await?;

    for known in before {
        let now = federation.until_in_step(&known.name).await?;
        assert_eq!(now.set_generation, known.set_generation, "nothing was changed for {}", known.name);
        assert_eq!(now.assignments, known.assignments);
    }
    assert_eq!(federation.list_all().await?.len(), listed);
    federation.end().await
}
