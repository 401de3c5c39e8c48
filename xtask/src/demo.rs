//! `cargo xtask demo`: the main job on this machine, against a real Pulsar. A gateway and two agents, TLS and authorisation on;
//! two functions deployed through the gateway; messages in and out counted by a client that is not part of Isthmus; an agent
//! killed and started again under load.

mod functions;
mod stage;
mod witness;
mod outcome;

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use isthmus_testbed::isthmus::{Cli, instances};

use outcome::Outcome;
use stage::{CLUSTERS, Stage};
use witness::Witness;

/// One of the function on one cluster, one on each cluster of the one that runs on all.
const INSTANCES: usize = 1 + CLUSTERS.len();

/// What can be set.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Options {
    /// Messages to send to each function.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(3..=1_000_000))]
    messages: u32,
    /// Decides what the messages say.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave everything running until Ctrl-C, and say what to try.
    #[arg(long)]
    keep: bool,
}

/// Runs the demo; `false` when a promise was not kept.
pub(crate) fn run(options: Options) -> Result<bool> {
    let runtime = tokio::runtime::Runtime::new().context("start a runtime")?;
    runtime.block_on(async {
        tokio::select! {
            // Whatever runs ends with the values that hold it.
            biased;
            interrupted = tokio::signal::ctrl_c(), if !options.keep => interrupted.map(|()| false).context("listen for Ctrl-C"),
            outcome = Box::pin(tell(options)) => outcome,
        }
    })
}

async fn tell(options: Options) -> Result<bool> {
    let began = Instant::now();
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
    Ok(outcome.holds())
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
    for function in functions::ALL {
        show(stage.cli(), &["explain", "function", function.name]).await?;
    }
    let sent = witnesses.iter().map(Witness::sent).sum::<usize>();
    let lost = witnesses.iter().map(Witness::lost).sum::<usize>();
    Ok(Outcome {
        demo: "local",
        functions: functions::ALL.len(),
        clusters: CLUSTERS.len(),
        messages_in: sent,
        messages_out: sent - lost,
        lost,
        process_restarts: restarts,
    })
}

/// Calls the CLI and shows the command with what it printed.
async fn show(cli: &Cli, arguments: &[&str]) -> Result<()> {
    let printed = cli.call(arguments).await?;
    println!("\n$ isthmus {}\n{}", arguments.join(" "), printed.trim_end());
    Ok(())
}
