//! `cargo xtask demo`: the main job on this machine, against a real Pulsar. A gateway and two agents, TLS and authorisation on;
//! two functions deployed through the gateway; messages in and out counted by a client that is not part of Isthmus; an agent
//! killed and started again under load.

mod functions;
mod instances;
mod outcome;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use isthmus_testbed::{
    Cache, Pulsar, PulsarHome, PulsarOptions, PythonVenv, Run, Traffic,
    isthmus::{Agent, Cli, Gateway, LocalTarget, Programs},
    progress::Step,
    traffic::Consumer,
    wait::until,
};

use functions::Function;
use outcome::Outcome;

/// The clusters, each a local target of its own agent.
const CLUSTERS: [&str; 2] = ["east", "west"];

/// For all messages of one load to come out.
const PATIENCE: Duration = Duration::from_mins(1);

/// For a function to be ready on all its clusters, on a machine that is busy.
const READY: Duration = Duration::from_mins(3);

/// What can be set.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Options {
    /// Messages to send to each function.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
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
    let stage = Stage::set().await?;
    let outcome = act(&stage, options, began).await?;
    let line = serde_json::to_string(&outcome).context("write the outcome")?;
    if options.keep {
        hints(&stage);
        println!("{line}");
        tokio::signal::ctrl_c().await.context("listen for Ctrl-C")?;
        stage.clear().await?;
    } else {
        stage.clear().await?;
        println!("{line}");
    }
    Ok(outcome.holds())
}

/// All that runs. What is declared first is dropped first.
struct Stage {
    agents: Vec<Agent>,
    gateway: Gateway,
    pulsar: Pulsar,
    traffic: Traffic,
    run: Run,
}

impl Stage {
    /// Provides, builds and starts everything.
    async fn set() -> Result<Self> {
        let cache = Cache::from_env()?;
        let (home, python) = (cache.pulsar().await?, cache.python().await?);
        let step = Step::begin("Building the programs, starting Pulsar");
        let (programs, pulsar, traffic) = tokio::join!(
            Programs::build(&cache),
            Pulsar::start(&cache, PulsarOptions::named("standalone")),
            Traffic::provide(&cache),
        );
        let (programs, pulsar, traffic) = (programs?, pulsar?, traffic?);
        step.done();
        let step = Step::begin("Starting the gateway and two agents");
        let run = Run::create(&cache, "demo")?;
        let gateway = Gateway::start(&run, &cache, &programs).await?;
        let agents = join(&run, &cache, &programs, &gateway, &pulsar, (&home, &python)).await?;
        step.done();
        Ok(Self { agents, gateway, pulsar, traffic, run })
    }

    fn cli(&self) -> &Cli {
        self.gateway.cli()
    }

    /// Stops everything in good order, the functions first: no agent stops what it runs when it ends.
    async fn clear(self) -> Result<()> {
        let step = Step::begin("Stopping everything");
        for function in functions::ALL {
            self.cli().call(&["delete", "function", function.name, "--wait"]).await?;
        }
        let left = instances::running(&self.run);
        ensure!(left.is_empty(), "instances go on after their functions were deleted: {left:?}");
        for agent in self.agents {
            agent.stop().await?;
        }
        self.gateway.stop().await?;
        self.pulsar.stop().await?;
        step.done();
        Ok(())
    }
}

/// Tells the gateway of Pulsar, and has an agent join for each cluster.
async fn join(
    run: &Run,
    cache: &Cache,
    programs: &Programs,
    gateway: &Gateway,
    pulsar: &Pulsar,
    (home, python): (&PulsarHome, &PythonVenv),
) -> Result<Vec<Agent>> {
    gateway.cli().call_with(&["apply", "-f", "-"], &functions::pulsar_cluster(pulsar)).await?;
    let mut agents = Vec::new();
    for (number, cluster) in (0..).zip(CLUSTERS) {
        let labels = format!("region={cluster}");
        let target = LocalTarget { cluster, labels: &labels, number, pulsar: home, python };
        agents.push(Agent::join(run, cache, programs, gateway, target).await?);
        gateway.cli().call(&["cluster", "link", cluster, functions::PULSAR]).await?;
    }
    Ok(agents)
}

/// Deploys, sends, kills, and counts.
async fn act(stage: &Stage, options: Options, began: Instant) -> Result<Outcome> {
    let _ = (stage, options, began);
    todo!()
}
