//! On this machine: an agent that runs functions as processes is killed and started again.

mod stage;

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use isthmus_testbed::isthmus::instances;

use super::{
    Options, count,
    outcome::{Outcome, Trouble},
    show,
    witness::{self, Scene},
};
use stage::{CLUSTERS, Stage};

/// One of the function on one cluster, one on each cluster of the one that runs on all.
const INSTANCES: usize = 1 + CLUSTERS.len();

pub(super) async fn tell(options: Options, began: Instant) -> Result<Outcome> {
    let mut stage = Stage::set().await?;
    let outcome = act(&mut stage, options).await?;
    if options.keep {
        stage.hints();
        println!("{}", outcome.line(began.elapsed())?);
        tokio::signal::ctrl_c().await.context("listen for Ctrl-C")?;
        stage.clear().await?;
    } else {
        stage.clear().await?;
        println!("{}", outcome.line(began.elapsed())?);
    }
    Ok(outcome)
}

/// Deploys, sends, kills, and counts.
async fn act(stage: &mut Stage, options: Options) -> Result<Outcome> {
    let mut witnesses = witness::deploy(stage).await?;
    let third = options.messages / 3;
    witness::exchange(stage, &mut witnesses, "before", third, options.seed).await?;

    let before = instances::running(&stage.run);
    ensure!(before.len() == INSTANCES, "{INSTANCES} instances were to run; these do: {before:?}");
    stage.kill_one().await?;
    witness::exchange(stage, &mut witnesses, "meanwhile", third, options.seed.wrapping_add(1)).await?;
    stage.bring_back().await?;
    witness::exchange(
        stage,
        &mut witnesses,
        "after",
        options.messages - 2 * third,
        options.seed.wrapping_add(2),
    )
    .await?;
    let restarts = instances::restarted(&before, &instances::running(&stage.run));

    witness::settle(stage, &witnesses).await?;
    for witness in &witnesses {
        witness.show();
    }
    show(stage.cli(), &["get", "functions"]).await?;
    for function in Stage::FUNCTIONS {
        show(stage.cli(), &["explain", "function", function.name]).await?;
    }
    let trouble = Trouble::Agent { process_restarts: restarts };
    Ok(count("local", CLUSTERS.len(), &witnesses, trouble))
}
