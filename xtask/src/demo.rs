//! `cargo xtask demo`: the main job on this machine, against a real Pulsar. A gateway and two agents, TLS and authorisation on;
//! two functions deployed through the gateway; messages in and out counted by a client that is not part of Isthmus; an agent
//! killed and started again under load.

mod functions;
mod outcome;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use isthmus_testbed::{
    Cache, Pulsar, PulsarHome, PulsarOptions, PythonVenv, Run, Traffic,
    isthmus::{Agent, Cli, Gateway, LocalTarget, Programs, instances},
    progress::Step,
    traffic::Consumer,
};

use functions::Function;
use outcome::Outcome;
use serde_json::Value;

/// The clusters, each a local target of its own agent.
const CLUSTERS: [&str; 2] = ["east", "west"];

/// For all messages of one load to come out.
const PATIENCE: Duration = Duration::from_mins(1);

/// The subscription by which outputs are counted.
const WITNESS: &str = "witness";

/// One of the function on one cluster, one on each cluster of the one that runs on all.
const INSTANCES: usize = 1 + CLUSTERS.len();

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
    let mut stage = Stage::set().await?;
    let outcome = act(&mut stage, options, began).await?;
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
        let gateway = Gateway::start(&run, &cache, &programs, &Value::Null).await?;
        let agents = join(&run, &cache, &programs, &gateway, &pulsar, (&home, &python)).await?;
        step.done();
        Ok(Self { agents, gateway, pulsar, traffic, run })
    }

    fn cli(&self) -> &Cli {
        self.gateway.cli()
    }

    /// Kills the first agent without warning.
    async fn kill_one(&mut self) -> Result<()> {
        let agent = self.agents.first_mut().context("there is no agent")?;
        println!("\nKilling the agent of {} with SIGKILL", agent.cluster());
        Ok(agent.crash().await?)
    }

    /// Starts it again and waits until the gateway hears of it.
    async fn bring_back(&mut self) -> Result<()> {
        let agent = self.agents.first_mut().context("there is no agent")?;
        let step = Step::begin(format!("Starting the agent of {} again", agent.cluster()));
        agent.resume(&self.run).await?;
        step.done();
        Ok(())
    }

    /// Stops everything in good order, the functions first: no agent stops what it runs when it ends.
    async fn clear(mut self) -> Result<()> {
        let step = Step::begin("Stopping everything");
        for function in functions::ALL {
            self.cli().call(&["delete", "function", function.name, "--wait"]).await?;
        }
        let left = instances::running(&self.run);
        ensure!(left.is_empty(), "instances go on after their functions were deleted: {left:?}");
        for agent in &mut self.agents {
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
        let (pulsar, python, settings) = (Some(home), Some(python), &Value::Null);
        let target = LocalTarget { cluster, labels: &labels, number, pulsar, python, settings };
        agents.push(Agent::join(run, cache, programs, gateway, target).await?);
        gateway.cli().call(&["cluster", "link", cluster, functions::PULSAR]).await?;
    }
    Ok(agents)
}

/// Deploys, sends, kills, and counts.
async fn act(stage: &mut Stage, options: Options, began: Instant) -> Result<Outcome> {
    let mut witnesses = deploy(stage).await?;
    let first = options.messages / 2;
    exchange(stage, &mut witnesses, "before", first, options.seed).await?;

    let before = instances::running(&stage.run);
    ensure!(before.len() == INSTANCES, "{INSTANCES} instances were to run; these do: {before:?}");
    stage.kill_one().await?;
    exchange(stage, &mut witnesses, "meanwhile", options.messages - first, options.seed.wrapping_add(1))
        .await?;
    stage.bring_back().await?;
    let restarts = instances::restarted(&before, &instances::running(&stage.run));

    for witness in &witnesses {
        witness.show();
    }
    show(stage.cli(), &["get", "functions"]).await?;
    for function in functions::ALL {
        show(stage.cli(), &["explain", "function", function.name]).await?;
    }
    let sent = witnesses.iter().map(|witness| witness.sent.len()).sum::<usize>();
    let lost = witnesses
        .iter()
        .map(|witness| witness.consumer.received().missing(&witness.sent).len())
        .sum::<usize>();
    Ok(Outcome {
        demo: "local",
        functions: functions::ALL.len(),
        clusters: CLUSTERS.len(),
        messages_in: sent,
        messages_out: sent - lost,
        lost,
        process_restarts: restarts,
        seconds: (began.elapsed().as_secs_f64() * 10.0).round() / 10.0,
    })
}

/// Who sends to one function and reads what it makes of that.
struct Witness {
    function: Function,
    consumer: Consumer,
    sent: Vec<String>,
}

impl Witness {
    fn show(&self) {
        /// Enough to see what the function does.
        const SOME: usize = 3;

        let received = self.consumer.received();
        println!(
            "\n{} made {} messages of {}, for example:",
            self.function.name,
            received.messages(),
            self.sent.len()
        );
        for text in received.by_id().values().flatten().take(SOME) {
            println!("  {text}");
        }
    }
}

/// Uploads the code, deploys the functions, waits until they are ready on all their clusters.
async fn deploy(stage: &Stage) -> Result<Vec<Witness>> {
    let step = Step::begin("Deploying two functions through the gateway");
    let mut manifests = Vec::new();
    for function in functions::ALL {
        stage.pulsar.create_subscription(&function.output(), WITNESS).await?;
        let package = function.package(stage.pulsar.home());
        let package = package.to_str().context("the package's path is not UTF-8")?;
        let digest = stage.cli().call(&["package", "push", package]).await?;
        manifests.push(function.manifest(digest.trim()));
    }
    stage.cli().call_with(&["apply", "-f", "-", "--wait"], &manifests.join("---\n")).await?;
    step.done();
    let mut witnesses = Vec::new();
    for function in functions::ALL {
        let service_url = stage.pulsar.service_url();
        let consumer =
            stage.traffic.consume_as(&service_url, &function.output(), WITNESS, function.schema()).await?;
        witnesses.push(Witness { function, consumer, sent: Vec::new() });
    }
    Ok(witnesses)
}

/// Sends to each function and waits for what comes out.
async fn exchange(stage: &Stage, witnesses: &mut [Witness], part: &str, count: u32, seed: u64) -> Result<()> {
    let step = Step::begin(format!("Sending {count} messages to each function"));
    for Witness { function, sent, .. } in witnesses.iter_mut() {
        let load = function.load(part, count, seed);
        sent.extend(stage.traffic.produce(&stage.pulsar.service_url(), &load, PATIENCE).await?);
    }
    for Witness { consumer, sent, .. } in witnesses {
        consumer.collect(sent, PATIENCE).await?;
    }
    step.done();
    Ok(())
}

/// Calls the CLI and shows the command with what it printed.
async fn show(cli: &Cli, arguments: &[&str]) -> Result<()> {
    let printed = cli.call(arguments).await?;
    println!("\n$ isthmus {}\n{}", arguments.join(" "), printed.trim_end());
    Ok(())
}

/// What to try while it runs.
fn hints(stage: &Stage) {
    let cli = stage.cli().shown();
    println!(
        "\nEverything runs until Ctrl-C. Pulsar: {} (admin {})",
        stage.pulsar.service_url(),
        stage.pulsar.admin_url()
    );
    println!("Gateway: {} (metrics {}/metrics)", stage.gateway.address(), stage.gateway.admin_url());
    println!("Logs: {}/*.log", stage.run.dir().display());
    for command in [
        "get functions -o wide",
        "describe function exclaim-java",
        "logs function exclaim-python",
        "get clusters",
    ] {
        println!("  {cli} {command}");
    }
}
