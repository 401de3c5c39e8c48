//! An agent is killed while deltas arrive.

use std::time::Duration;

use anyhow::{Context, Result};
use isthmus_testbed::process::Program;
use isthmus_tests::fixture::{delete, function, name, package};
use isthmus_tests::{Client, Federation};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio_util::sync::CancellationToken;

/// Decides the moments and the changes.
const SEED: u64 = 3;
/// Kills.
const ROUNDS: usize = 30;

/// Not what Pulsar would call a function, but a process that runs until it is told to end.
const SLEEPER: &str = "#!/bin/sh\nwhile :; do sleep 1; done\n";

/// Creates, updates and deletes functions until it is told to stop. Answers how many changes were made.
async fn keep_changing(client: Client, stop: CancellationToken) -> Result<usize> {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut functions = client.functions();
    let mut changes = 0;
    while !stop.is_cancelled() {
        let name = format!("f-{changes}");
        functions.create(function(&name).create()).await?;
        changes += 1;
        if random.random_bool(0.5) {
            let earlier = format!("f-{}", random.random_range(0..changes));
            // Of the names so far, half are there: the others were deleted, or are updates.
            let changed = function(&earlier).label("change", &changes.to_string());
            if functions.update(changed.update()).await.is_ok() && random.random_bool(0.3) {
                functions.delete(delete(&earlier)).await?;
            }
        }
    }
    Ok(changes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_agent_converges_restarts_nothing_and_touches_nothing_foreign() -> Result<()> {
    let mut federation = Federation::builder().agents(["east"]).unbounded().start().await?;
    let client = federation.client().clone();
    let sleeper = federation.upload("sleeper", SLEEPER.as_bytes()).await?;
    for sleeps in ["sleeps-one", "sleeps-two"] {
        let request = function(sleeps).go(package("sleeper", &sleeper)).create();
        client.functions().create(request).await?;
    }
    let before = federation.until_programs("east", 2).await?;
    // What stands beside: a process of the same program, and a file among the instances'.
    let beside = federation.agent("east")?.data().join("instances").join("not-ours");
    std::fs::write(&beside, "mine")?;
    let log = federation.run().dir().join("foreign.log");
    let mut foreign =
        Program::new("/bin/sh").args(["-c", "while :; do sleep 1; done"]).start(federation.run(), &log)?;

    let stop = CancellationToken::new();
    let changing = tokio::spawn(keep_changing(client, stop.clone()));
    let mut random = StdRng::seed_from_u64(SEED);
    for _ in 0..ROUNDS {
        let moment = Duration::from_micros(random.random_range(1_000..150_000));
        tokio::time::sleep(moment).await;
        federation.kill_agent("east").await?;
        federation.resume_agent("east").await?;
    }
    stop.cancel();
    let changes = changing.await?.context("the changes")?;
    assert!(changes > ROUNDS, "{changes} changes for {ROUNDS} kills: too few to interrupt one");

    federation.until_in_step("east").await?;
    let wanted = super::wanted(&federation.settled().await?);
    federation.stop_agent("east").await?;
    assert_eq!(Some(&super::held(&federation, "east")?), wanted.get("east"));
    federation.resume_agent("east").await?;
    assert_eq!(federation.programs("east")?, before, "pid and start time of what ran all the time");
    assert_eq!(std::fs::read_to_string(&beside)?, "mine");
    let ended = tokio::time::timeout(Duration::ZERO, foreign.ended()).await;
    assert!(ended.is_err(), "the foreign process has ended: {ended:?}");
    foreign.kill().await?;
    std::fs::remove_file(beside)?;
    federation.until_component("to be there", name("sleeps-one"), |_| true).await?;
    federation.end().await
}
