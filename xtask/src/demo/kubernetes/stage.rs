//! All that runs in the demo: two clusters, a Pulsar for each, and in them the gateway and an agent for each.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use isthmus_testbed::{
    Cache, ImageServer, Pulsar, PulsarOptions, Run, Traffic,
    isthmus::{
        Cli, Programs,
        charts::{self, Release},
    },
    kubernetes::{self, Cluster, Flow},
    progress::Step,
};
use serde_json::json;

use super::super::{functions::Function, witness::Scene};

/// Where the gateway is.
const EAST: &str = "east";

/// Whose uplink is cut.
pub(super) const WEST: &str = "west";

/// The clusters, and the names of their Pulsars.
pub(super) const CLUSTERS: [&str; 2] = [EAST, WEST];

/// On the node of the gateway's cluster; callers and agents of other clusters come to it.
const PORT: u16 = 30443;

/// All that runs. What is declared first is dropped first.
pub(super) struct Stage {
    clusters: [Cluster; 2],
    pulsars: [Pulsar; 2],
    traffic: Traffic,
    cli: Cli,
    run: Run,
}

impl Stage {
    /// Provides, builds and starts everything.
    pub(super) async fn set() -> Result<Self> {
        kubernetes::nodes_can_run()?;
        let cache = Cache::from_env()?;
        cache.kubernetes().await?;
        cache.node_images().await?;
        let traffic = Traffic::provide(&cache).await?;
        let programs = Programs::build(&cache).await?;
        let images = programs.images(&cache).await?;

        let step = Step::begin("Starting two Kubernetes clusters, and a Pulsar for each");
        // One after the other: two that start at once on two cores take as long.
        let clusters = [Cluster::start(&cache).await?, Cluster::start(&cache).await?];
        let pulsar = async |name: &str| {
            Pulsar::start(&cache, PulsarOptions::named(name).reachable_from_clusters()).await
        };
        let pulsars = [pulsar(EAST).await?, pulsar(WEST).await?];
        step.done();

        let step = Step::begin("Installing the gateway and two agents by their charts");
        let run = Run::create(&cache, "demo")?;
        for cluster in &clusters {
            charts::prepare(cluster, &images).await?;
        }
        let [east, _] = &clusters;
        let gateway = SocketAddr::from((east.address(), PORT));
        let release = install_gateway(east, gateway).await?;
        let cli = release.administrator(&programs, &run.dir().join("cli.yaml")).await?;
        for ((name, cluster), pulsar) in CLUSTERS.into_iter().zip(&clusters).zip(&pulsars) {
            join(&cli, name, cluster, pulsar, gateway).await?;
        }
        step.done();
        Ok(Self { clusters, pulsars, traffic, cli, run })
    }

    /// In the order of their names.
    pub(super) fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// Nothing passes between the second cluster and the gateway any more.
    pub(super) async fn cut(&mut self) -> Result<()> {
        let [east, west] = &mut self.clusters;
        let gateway = SocketAddr::from((east.address(), PORT));
        west.cut(Flow::with(gateway)).await.context("cut the uplink")
    }

    /// Everything passes again.
    pub(super) async fn heal(&mut self) -> Result<()> {
        let [_, west] = &mut self.clusters;
        west.heal().await.context("heal the uplink")
    }

    /// What to try while it runs.
    pub(super) fn hints(&self) {
        println!("\nEverything runs until Ctrl-C.");
        for ((name, cluster), pulsar) in CLUSTERS.into_iter().zip(&self.clusters).zip(&self.pulsars) {
            let kubeconfig = cluster.control_plane().kubeconfig().path().display();
            println!(
                "{name}: KUBECONFIG={kubeconfig}, Pulsar {} ({})",
                pulsar.service_url(),
                pulsar.admin_url()
            );
        }
        let cli = self.cli.shown();
        for command in ["get functions -o wide", "describe function exclaim-java", "get clusters"] {
            println!("  {cli} {command}");
        }
        println!("Logs: {}", self.run.dir().display());
    }

    /// Stops everything in good order, the functions first: no agent stops what it runs when it ends.
    pub(super) async fn clear(self) -> Result<()> {
        let step = Step::begin("Stopping everything");
        for function in Self::FUNCTIONS {
            self.cli.call(&["delete", "function", function.name, "--wait"]).await?;
        }
        for pulsar in self.pulsars {
            pulsar.stop().await?;
        }
        drop(self.clusters);
        step.done();
        Ok(())
    }
}

impl Scene for Stage {
    const FUNCTIONS: [Function; 2] = [Function::java(EAST), Function::python(WEST)];

    fn cli(&self) -> &Cli {
        &self.cli
    }

    fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    fn pulsar(&self, of: &Function) -> &Pulsar {
        let [east, west] = &self.pulsars;
        if of.pulsar == WEST { west } else { east }
    }
}

/// Installs the gateway, to be reached at this address of a node.
async fn install_gateway(cluster: &Cluster, address: SocketAddr) -> Result<Release<'_>> {
    let values = json!({
        "names": [address.ip()],
        "advertise": [address],
        "service": { "type": "NodePort", "nodePort": address.port() },
        "resources": { "requests": { "cpu": "100m" } },
        // A cluster that says nothing for so long is known to be away while its uplink is cut, and not just when it heals.
        "config": { "sessions": { "timeout": "15s" } },
    });
    let gateway = Release::install(cluster, ImageServer::Gateway, &values).await?;
    gateway.ready().await?;
    Ok(gateway)
}

/// Has a cluster join with an agent, and tells the gateway of its Pulsar.
async fn join(cli: &Cli, name: &str, cluster: &Cluster, pulsar: &Pulsar, gateway: SocketAddr) -> Result<()> {
    let token = cli.call(&["cluster", "join-token", name, "--labels", &format!("region={name}")]).await?;
    charts::put_join_token(cluster, token.trim()).await?;
    let values = json!({
        "gateways": [gateway],
        "joinToken": { "existingSecret": charts::JOIN_TOKEN },
        "resources": { "requests": { "cpu": "100m" } },
    });
    let agent = Release::install(cluster, ImageServer::Agent, &values).await?;
    agent.ready().await?;
    let (service, admin) = (pulsar.service_url(), pulsar.admin_url());
    let urls = ["--service-url", &service, "--admin-url", &admin, "--pulsar-name", pulsar.cluster()];
    cli.call(&[&["pulsar-cluster", "apply", name][..], &urls].concat()).await?;
    cli.call(&["cluster", "link", name, name]).await?;
    Ok(())
}
