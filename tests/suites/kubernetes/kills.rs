//! An agent is killed at seeded moments while changes arrive.

use std::time::Duration;

use anyhow::Result;
use isthmus_tests::{SOON, until};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::changes::{change, until_exact};
use super::world::{CLUSTER, World};

/// Decides the moments and the changes.
const SEED: u64 = 11;
const CHANGES: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_agent_converges_to_exactly_the_set_and_writes_nothing_twice() -> Result<()> {
    let mut world = World::start().await?;
    let changing = tokio::spawn(change(world.federation.client().clone(), SEED, CHANGES));
    let mut random = StdRng::seed_from_u64(SEED);
    let mut kills = 0;
    while !changing.is_finished() {
        tokio::time::sleep(Duration::from_millis(random.random_range(1..700))).await;
        world.federation.kill_agent(CLUSTER).await?;
        world.federation.resume_agent(CLUSTER).await?;
        kills += 1;
    }
    let made = changing.await??;
    assert!(kills >= 5, "{kills} kills during {made:?}");
    world.federation.until_in_step(CLUSTER).await?;
    let left = until_exact(&world).await?;

    // Each generation was written once at most, however often an agent began anew.
    let (applied, deleted) = (world.writes("APPLY").await?, world.writes("DELETE").await?);
    println!("{kills} kills, {made:?}, {applied} applied, {deleted} deleted, {} left", left.len());
    assert!(
        applied <= made.applied && deleted <= made.deleted,
        "{applied} applied, {deleted} deleted: {made:?}"
    );

    world.federation.kill_agent(CLUSTER).await?;
    world.federation.resume_agent(CLUSTER).await?;
    world.federation.until_in_step(CLUSTER).await?;
    let reported = until("all to be reported on anew", SOON, async || {
        let all = world.federation.list_all().await.map_err(|error| format!("{error:#}"))?;
        let stale = all.iter().find(|component| {
            let shares =
                component.status.as_ref().map(|status| status.clusters.as_slice()).unwrap_or_default();
            shares.iter().any(|share| share.stale || share.observed_generation != share.generation)
        });
        stale.map_or(Ok(()), |component| Err(format!("{component:?}")))
    });
    reported.await?;
    assert_eq!((world.writes("APPLY").await?, world.writes("DELETE").await?), (applied, deleted));
    world.end().await
}
