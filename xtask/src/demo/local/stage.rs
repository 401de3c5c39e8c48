//! All that runs in the demo: Pulsar, a gateway, an agent for each cluster.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use isthmus_testbed::{
    Cache, Pulsar, PulsarHome, PulsarOptions, PythonVenv, Run, Traffic,
    isthmus::{Agent, Cli, Gateway, LocalTarget, Programs, instances},
    progress::Step,
    wait::until,
};

use serde_json::Value;

use super::super::{functions::Function, get, witness::Scene};

/// The name of the Pulsar cluster in the federation.
const PULSAR: &str = "demo";

/// The clusters, each a local target of its own agent.
pub(super) const CLUSTERS: [&str; 2] = ["east", "west"];

/// For the gateway to hear of an agent that was started again.
const BACK: Duration = Duration::from_mins(1);

/// All that runs. What is declared first is dropped first.
pub(super) struct Stage {
    agents: Vec<Agent>,
    gateway: Gateway,
    pulsar: Pulsar,
    traffic: Traffic,
    pub(super) run: Run,
}

impl Stage {
    /// Provides, builds and starts everything.
    pub(super) async fn set() -> Result<Self> {
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

    /// Kills the first agent without warning.
    pub(super) async fn kill_one(&mut self) -> Result<()> {
        let agent = self.agents.first_mut().context("there is no agent")?;
        println!("\nKilling the agent of {} with SIGKILL", agent.cluster());
        Ok(agent.crash().await?)
    }

    /// Starts it again and waits until the gateway hears of it.
    pub(super) async fn bring_back(&mut self) -> Result<()> {
        let agent = self.agents.first_mut().context("there is no agent")?;
        let step = Step::begin(format!("Starting the agent of {} again", agent.cluster()));
        let cli = self.gateway.cli();
        let before = last_seen(cli, agent.cluster()).await?;
        agent.resume(&self.run).await?;
        until(format!("the gateway to hear of {} again", agent.cluster()), BACK, async || {
            match last_seen(cli, agent.cluster()).await {
                Ok(seen) if seen != before => Ok(()),
                Ok(seen) => Err(format!("it was last seen at {seen}")),
                Err(error) => Err(format!("{error:#}")),
            }
        })
        .await?;
        step.done();
        Ok(())
    }

    /// What to try while it runs.
    pub(super) fn hints(&self) {
        let cli = self.cli().shown();
        println!(
            "\nEverything runs until Ctrl-C. Pulsar: {} (admin {})",
            self.pulsar.service_url(),
            self.pulsar.admin_url()
        );
        println!("Gateway: {} (metrics {}/metrics)", self.gateway.address(), self.gateway.admin_url());
        println!("Logs: {}/*.log", self.run.dir().display());
        for command in [
            "get functions -o wide",
            "describe function exclaim-java",
            "logs function exclaim-java --tail 20",
            "get clusters",
        ] {
            println!("  {cli} {command}");
        }
    }

    /// Stops everything in good order, the functions first: no agent stops what it runs when it ends.
    pub(super) async fn clear(mut self) -> Result<()> {
        let step = Step::begin("Stopping everything");
        for function in Self::FUNCTIONS {
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

impl Scene for Stage {
    const FUNCTIONS: [Function; 2] = [Function::java(PULSAR), Function::python(PULSAR)];

    fn cli(&self) -> &Cli {
        self.gateway.cli()
    }

    fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    fn pulsar(&self, _: &Function) -> &Pulsar {
        &self.pulsar
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
    let (service, admin) = (pulsar.service_url(), pulsar.admin_url());
    let name = ["--pulsar-name", pulsar.cluster()];
    let urls = ["--service-url", &service, "--admin-url", &admin];
    gateway.cli().call(&[&["pulsar-cluster", "apply", PULSAR], &name[..], &urls].concat()).await?;
    let mut agents = Vec::new();
    for (number, cluster) in (0..).zip(CLUSTERS) {
        let labels = format!("region={cluster}");
        let target = LocalTarget {
            cluster,
            labels: &labels,
            number,
            pulsar: Some(home),
            python: Some(python),
            settings: &Value::Null,
        };
        agents.push(Agent::join(run, cache, programs, gateway, target).await?);
        gateway.cli().call(&["cluster", "link", cluster, PULSAR]).await?;
    }
    Ok(agents)
}

/// When the gateway last heard of a cluster.
async fn last_seen(cli: &Cli, cluster: &str) -> Result<String> {
    let cluster = get(cli, "cluster", cluster).await?;
    let moment = cluster.pointer("/status/lastSeenAt").and_then(Value::as_str);
    Ok(moment.unwrap_or("never").to_owned())
}
