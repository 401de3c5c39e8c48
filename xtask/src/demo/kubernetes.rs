//! On two real Kubernetes clusters, each with a Pulsar of its own: gateway and agents are pods that their charts installed, functions
//! are pods that the agents made. One cluster's uplink to the gateway is cut while messages flow, and heals.

mod stage;
mod pods;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use isthmus_testbed::{progress::Step, wait::until};
use serde_json::Value;

use super::{
    Options, count, get,
    outcome::{Outcome, Trouble},
    show,
    witness::{self, Scene, Witness},
};
use pods::Pods;
use stage::{CLUSTERS, Stage, WEST};

/// How long the uplink is cut.
const CUT: Duration = Duration::from_secs(30);

/// In how many portions messages are sent meanwhile.
const PORTIONS: u32 = 6;

/// For the gateway to notice, and for it to be in step again. What takes longer than is promised is told as it was.
const PATIENCE: Duration = Duration::from_mins(2);

pub(super) async fn tell(options: Options, began: Instant) -> Result<Outcome> {
    let mut stage = Box::pin(Stage::set()).await?;
    let outcome = act(&mut stage, options).await?;
    if options.keep {
        stage.hints();
        println!("{}", outcome.line(began.elapsed())?);
        tokio::signal::ctrl_c().await.context("listen for Ctrl-C")?;
        Box::pin(stage.clear()).await?;
    } else {
        Box::pin(stage.clear()).await?;
        println!("{}", outcome.line(began.elapsed())?);
    }
    Ok(outcome)
}

/// Deploys, sends, cuts, heals, and counts.
async fn act(stage: &mut Stage, options: Options) -> Result<Outcome> {
    let Options { messages, seed, .. } = options;
    let mut witnesses = witness::deploy(stage).await?;
    let third = messages / 3;
    witness::exchange(stage, &mut witnesses, "before", third, seed).await?;

    let before = Pods::of_functions(stage).await?;
    before.show();
    println!("\nCutting the uplink of {WEST} to the gateway for {} s", CUT.as_secs());
    stage.cut().await?;
    meanwhile(stage, &mut witnesses, third, seed.wrapping_add(1)).await?;
    stage.heal().await?;
    let resync = in_step(stage).await?;
    println!(
        "\nThe uplink is healed; the gateway knew after {:.2} s how everything stands",
        resync.as_secs_f64()
    );

    witness::exchange(stage, &mut witnesses, "after", messages - 2 * third, seed.wrapping_add(2)).await?;
    witness::settle(stage, &witnesses).await?;
    let after = Pods::of_functions(stage).await?;
    after.show();
    for witness in &witnesses {
        witness.show();
    }
    for words in [&["get", "functions"][..], &["get", "clusters"]] {
        show(stage.cli(), words).await?;
    }
    for function in Stage::FUNCTIONS {
        show(stage.cli(), &["explain", "function", function.name]).await?;
    }
    let resync_seconds = (resync.as_secs_f64() * 100.0).round() / 100.0;
    let trouble = Trouble::Uplink { pod_restarts: before.restarts(&after), resync_seconds };
    Ok(count("kubernetes", CLUSTERS.len(), &witnesses, trouble))
}

/// Sends while the uplink is cut, and shows that the gateway knows what it does not know.
async fn meanwhile(stage: &Stage, witnesses: &mut [Witness], messages: u32, seed: u64) -> Result<()> {
    let began = Instant::now();
    let mut sent = 0;
    for portion in 1..=PORTIONS {
        let until_now = messages * portion / PORTIONS;
        let part = format!("meanwhile-{portion}");
        if until_now > sent {
            witness::exchange(stage, witnesses, &part, until_now - sent, seed).await?;
        }
        sent = until_now;
        // The last portion is for the status.
        let next = CUT * portion / (PORTIONS + 1);
        tokio::time::sleep(next.saturating_sub(began.elapsed())).await;
    }
    let step = Step::begin(format!("Waiting for the status of {WEST} to be shown as stale"));
    until("a stale status", PATIENCE, async || {
        let shares = shares(stage).await?;
        let stale = shares.iter().any(|share| share["cluster"] == WEST && share["stale"] == true);
        if stale { Ok(()) } else { Err(format!("{shares:?}")) }
    })
    .await?;
    step.done();
    show(stage.cli(), &["get", "functions", "-o", "wide"]).await?;
    show(stage.cli(), &["get", "clusters"]).await?;
    tokio::time::sleep(CUT.saturating_sub(began.elapsed())).await;
    Ok(())
}

/// Waits until every cluster is healthy, and of every share the gateway has seen the generation that it wants; answers how long that
/// took.
async fn in_step(stage: &Stage) -> Result<Duration> {
    let healed = Instant::now();
    until("all to be in step again", PATIENCE, async || {
        for cluster in CLUSTERS {
            let found = get(stage.cli(), "cluster", cluster).await.map_err(|error| format!("{error:#}"))?;
            let health = found.pointer("/status/health").and_then(Value::as_str).unwrap_or("unknown");
            if health != "Healthy" {
                return Err(format!("{cluster} is {health}"));
            }
        }
        let shares = shares(stage).await?;
        let in_step = |share: &Value| {
            let seen = share.get("observedGeneration");
            share["stale"] != true && seen.is_some() && seen == share.get("generation")
        };
        if shares.len() >= Stage::FUNCTIONS.len() && shares.iter().all(in_step) {
            Ok(())
        } else {
            Err(format!("{shares:?}"))
        }
    })
    .await?;
    Ok(healed.elapsed())
}

/// How the functions stand on each cluster, as the gateway tells.
async fn shares(stage: &Stage) -> Result<Vec<Value>, String> {
    let mut shares = Vec::new();
    for function in Stage::FUNCTIONS {
        let told = get(stage.cli(), "function", function.name).await.map_err(|error| format!("{error:#}"))?;
        let clusters = told.pointer("/status/clusters").and_then(Value::as_array);
        shares.extend(clusters.cloned().unwrap_or_default());
    }
    Ok(shares)
}
