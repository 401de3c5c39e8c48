//! A gateway of its own for a part of the bench, and the clusters that joined it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use isthmus_model::name::Uid;
use isthmus_proto::cluster::v1::{
    ApplyPulsarClusterRequest, Cluster, CreateJoinTokenRequest, GetClusterRequest, Health, Link,
    LinkClusterRequest, ListClustersRequest, PulsarCluster,
};
use isthmus_testbed::isthmus::{Gateway, Programs};
use isthmus_testbed::process::{Program, Supervised};
use isthmus_testbed::wait::until;
use isthmus_testbed::{Cache, Run};
use isthmus_tests::{Client, Connection};
use serde_json::Value;

use crate::fleet::{self, Arrival, commits};
use crate::histogram::Histogram;
use crate::{metrics, process};

/// The name of the Pulsar cluster that all are linked to.
pub(crate) const PULSAR: &str = "pulsar";

/// For a whole fleet to join, on a machine that has something else to do.
const PATIENCE: Duration = Duration::from_mins(10);

/// Calls at a time while clusters are made.
const AT_A_TIME: usize = 32;

/// A gateway and the processes that hold its agents. What is declared first is dropped first.
#[derive(Debug)]
pub(crate) struct Stage {
    fleets: Vec<Supervised>,
    pub(crate) gateway: Gateway,
    pub(crate) connection: Connection,
    pub(crate) client: Client,
    clusters: u64,
    pub(crate) cache: Cache,
    pub(crate) run: Run,
}

impl Stage {
    /// Starts a gateway with these settings beside its defaults.
    pub(crate) async fn set(name: &str, programs: &Programs, settings: &Value) -> Result<Self> {
        let cache = Cache::from_env()?;
        let run = Run::create(&cache, name)?;
        let gateway = Gateway::start(&run, &cache, programs, settings).await?;
        let connection = Connection::from_profile(gateway.cli().config())?;
        let client = connection.administrator()?;
        let pulsar_cluster = PulsarCluster {
            name: PULSAR.into(),
            service_url: "pulsar://127.0.0.1:1".into(),
            admin_url: "http://127.0.0.1:1".into(),
            pulsar_name: "standalone".into(),
            ..PulsarCluster::default()
        };
        let request = ApplyPulsarClusterRequest { pulsar_cluster: Some(pulsar_cluster) };
        client.pulsar_clusters().apply_pulsar_cluster(request).await?;
        Ok(Self { fleets: Vec::new(), gateway, connection, client, clusters: 0, cache, run })
    }

    /// Has clusters join, in so many processes, link to Pulsar, and stay in session.
    pub(crate) async fn join(&mut self, clusters: u64, processes: u64) -> Result<()> {
        self.clusters = clusters;
        let all = || futures::stream::iter((0..clusters).map(fleet::cluster));
        all()
            .map(|cluster| self.give_token(cluster))
            .buffer_unordered(AT_A_TIME)
            .try_collect::<Vec<_>>()
            .await?;
        self.connect(processes).await?;
        all().map(|cluster| self.link(cluster)).buffer_unordered(AT_A_TIME).try_collect::<Vec<_>>().await?;
        Ok(())
    }

    /// Starts the processes of the agents, and waits until all clusters are healthy and linked ones in step.
    pub(crate) async fn connect(&mut self, processes: u64) -> Result<()> {
        let share = self.clusters.div_ceil(processes.max(1)).max(1);
        for (number, first) in (0..self.clusters).step_by(usize::try_from(share)?).enumerate() {
            let count = share.min(self.clusters - first);
            let program = Program::new(crate::own()?)
                .args(["fleet", "--gateway", &self.gateway.address()])
                .args(["--first", &first.to_string(), "--count", &count.to_string()])
                .arg("--directory")
                .arg(self.run.dir().join("fleet"))
                .arg("--arrivals")
                .arg(self.arrivals_file(number))
                .arg("--commits")
                .arg(self.commits_file(number));
            self.fleets.push(program.start(&self.run, &self.run.dir().join("fleet.log"))?);
        }
        self.until_in_step().await
    }

    /// Ends the agents' processes.
    pub(crate) async fn disconnect(&mut self) -> Result<()> {
        for fleet in self.fleets.drain(..) {
            fleet.kill().await?;
        }
        Ok(())
    }

    /// Waits until every cluster beats and has acknowledged its newest set.
    pub(crate) async fn until_in_step(&self) -> Result<()> {
        until("all clusters to be in step", PATIENCE, async || {
            let answer = self.client.clusters().list_clusters(ListClustersRequest::default()).await;
            let clusters = answer.map_err(|status| status.to_string())?.into_inner().clusters;
            let so = clusters.iter().filter(|cluster| {
                cluster.health() == Health::Healthy
                    && cluster.acknowledged_set_generation == Some(cluster.set_generation)
            });
            let so = so.count() as u64;
            if so >= self.clusters { Ok(()) } else { Err(format!("{so} of {} are", self.clusters)) }
        })
        .await
        .with_context(|| process_log(&self.run))?;
        Ok(())
    }

    /// What became durable at all agents since they joined.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        let mut all = Vec::new();
        for number in 0.. {
            let Ok(text) = std::fs::read_to_string(self.arrivals_file(number)) else { break };
            all.extend(text.lines().filter_map(Arrival::parse));
        }
        all
    }

    /// When each component first became durable at an agent.
    pub(crate) fn first_arrivals(&self) -> HashMap<Uid, Duration> {
        let mut first = HashMap::new();
        for Arrival { uid, at } in self.arrivals() {
            if let Some(uid) = uid {
                first.entry(uid).and_modify(|known: &mut Duration| *known = at.min(*known)).or_insert(at);
            }
        }
        first
    }

    /// How long each commit of the agents took so far, by the processes that hold them.
    pub(crate) fn commits(&self) -> Vec<Vec<Duration>> {
        (0..self.fleets.len()).map(|number| commits::read(&self.commits_file(number))).collect()
    }

    /// The gateway's resident bytes.
    pub(crate) fn gateway_memory(&self) -> Result<u64> {
        process::resident(&self.run, "isthmus-gateway")
    }

    /// One of the gateway's counters; 0 when it has not counted yet.
    pub(crate) async fn counter(&self, name: &str) -> Result<f64> {
        metrics::counter(&self.gateway.admin_url(), name).await
    }

    /// One of the gateway's histograms, as it stands.
    pub(crate) async fn histogram(&self, name: &str) -> Result<Histogram> {
        Ok(Histogram::read(&metrics::of(&self.gateway.admin_url()).await?, name))
    }

    /// Ends everything in good order.
    pub(crate) async fn clear(mut self) -> Result<()> {
        self.disconnect().await?;
        Ok(self.gateway.stop().await?)
    }

    fn commits_file(&self, number: usize) -> PathBuf {
        self.run.dir().join(format!("commits-{number}"))
    }

    fn arrivals_file(&self, number: usize) -> PathBuf {
        self.run.dir().join(format!("arrivals-{number}"))
    }

    /// A token with which an agent may join as this cluster.
    pub(crate) async fn token(&self, cluster: &str) -> Result<String> {
        let request =
            CreateJoinTokenRequest { cluster: cluster.to_owned(), labels: BTreeMap::new(), ttl: None };
        Ok(self.client.clusters().create_join_token(request).await?.into_inner().token)
    }

    /// Links a cluster to Pulsar.
    pub(crate) async fn link(&self, cluster: String) -> Result<()> {
        let link = Link { pulsar_cluster: PULSAR.into(), ..Link::default() };
        let request = LinkClusterRequest { cluster, link: Some(link), default: true };
        self.client.clusters().link_cluster(request).await?;
        Ok(())
    }

    /// A cluster as the gateway shows it.
    pub(crate) async fn cluster(&self, name: &str) -> Result<Cluster> {
        Ok(self.client.clusters().get_cluster(GetClusterRequest { name: name.into() }).await?.into_inner())
    }

    async fn give_token(&self, cluster: String) -> Result<()> {
        let token = self.token(&cluster).await?;
        let file = fleet::token_file(&self.run.dir().join("fleet"), &cluster);
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
        }
        std::fs::write(&file, token).with_context(|| format!("write {}", file.display()))
    }
}

fn process_log(run: &Run) -> String {
    format!("the agents said:\n{}", isthmus_testbed::fs::tail(&run.dir().join("fleet.log"), 20))
}
