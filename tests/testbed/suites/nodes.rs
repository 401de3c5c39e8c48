//! Whole clusters that run pods. Where a machine cannot have a node, the tests in here are the ones that are skipped.

mod bridge;
mod pods;
mod faults;
mod crash;

use isthmus_testbed::{Cache, kubernetes::Cluster, progress::Step};

async fn cluster(cache: &Cache) -> anyhow::Result<Cluster> {
    cache.node_images().await?;
    let starting = Step::begin("Starting a cluster with a node");
    let cluster = Cluster::start(cache).await?;
    starting.done();
    Ok(cluster)
}
