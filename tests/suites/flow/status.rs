//! What the clusters say comes back.

use anyhow::{Context, Result};
use isthmus_proto::component::v1::{ClusterStatus, Component};
use isthmus_tests::Federation;
use isthmus_tests::fixture::{delete, function, get, name, package};

fn share(component: &Component) -> Option<&ClusterStatus> {
    component.status.as_ref()?.clusters.first()
}

#[tokio::test]
async fn a_clusters_report_names_the_generation_that_it_saw_and_why_it_is_not_ready() -> Result<()> {
    let federation = Federation::builder().agents(["east"]).start().await?;
    let mut functions = federation.client().functions();
    functions.create(function("greet").create()).await?;

    let told_after = |generation: u64| {
        move |found: &Component| {
            share(found).is_some_and(|share| {
                share.observed_generation == share.generation
                    && share.generation > generation
                    && !share.last_error.is_empty()
                    && share.ready == 0
            })
        }
    };
    let first = federation.until_component("to be reported on", name("greet"), told_after(0)).await?;
    let generation = share(&first).context("a share")?.generation;

    let changed = function("greet").go(package("/pulsar/absent-too", ""));
    functions.update(changed.update()).await?;
    federation.until_component("to be reported on again", name("greet"), told_after(generation)).await?;
    federation.end().await
}

#[tokio::test]
async fn what_is_deleted_while_its_cluster_is_away_ends_when_the_cluster_comes_back() -> Result<()> {
    let mut federation = Federation::builder().agents(["east"]).start().await?;
    let mut functions = federation.client().functions();
    functions.create(function("greet").create()).await?;
    federation.until_in_step("east").await?;
    federation.kill_agent("east").await?;
    federation.until_connected(0).await?;

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
