//! `cargo xtask demo`: the main job on this machine, against real servers. A gateway and two agents, TLS and authorisation on; two
//! functions deployed through the gateway; messages in and out counted by a client that is not part of Isthmus; and something that
//! goes wrong under load.

mod functions;
mod witness;
mod local;
mod kubernetes;
mod outcome;

use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use isthmus_testbed::isthmus::Cli;
use serde_json::Value;

use outcome::{Outcome, Trouble};
use witness::Witness;

/// What can be set.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Options {
    /// Messages to send to each function.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(3..=1_000_000))]
    messages: u32,
    /// Decides what the messages say.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// On two real Kubernetes clusters, instead of as processes of this machine.
    #[arg(long)]
    kubernetes: bool,
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
    let outcome = if options.kubernetes {
        Box::pin(kubernetes::tell(options, began)).await?
    } else {
        local::tell(options, began).await?
    };
    Ok(outcome.holds())
}

/// What the witnesses saw.
fn count(demo: &'static str, clusters: usize, witnesses: &[Witness], trouble: Trouble) -> Outcome {
    let sent = witnesses.iter().map(Witness::sent).sum::<usize>();
    let lost = witnesses.iter().map(Witness::lost).sum::<usize>();
    Outcome {
        demo,
        functions: witnesses.len(),
        clusters,
        messages_in: sent,
        messages_out: sent - lost,
        lost,
        trouble,
    }
}

/// Calls the CLI and shows the command with what it printed.
async fn show(cli: &Cli, arguments: &[&str]) -> Result<()> {
    let printed = cli.call(arguments).await?;
    println!("\n$ isthmus {}\n{}", arguments.join(" "), printed.trim_end());
    Ok(())
}

/// What the gateway tells of one resource.
async fn get(cli: &Cli, kind: &str, name: &str) -> Result<Value> {
    let printed = cli.call(&["get", kind, name, "-o", "json"]).await?;
    serde_json::from_str(&printed).context("read what the CLI printed")
}
