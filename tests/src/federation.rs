//! A gateway and its agents, as an operator would run them: made by `isthmus-gateway init`, joined by token, TLS and
//! authorisation on. Every part can be killed, stopped and started again.
//!
//! A test ends with [`Federation::end`], which proves that nothing was left behind. A federation that is dropped before that
//! belongs to a test that failed: it prints the ends of the logs, which are gone with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, ensure};
use isthmus_proto::cluster::v1::{
    ApplyPulsarClusterRequest, Cluster, CreateJoinTokenRequest, GetClusterRequest, Health, Link,
    LinkClusterRequest, PulsarCluster,
};
use isthmus_proto::common::v1::FullName;
use isthmus_proto::component::v1::{
    BatchItem, BatchRequest, Component, DeleteRequest, GetRequest, ListRequest, batch_item, batch_result,
};
use isthmus_proto::gateway::v1::GetInfoRequest;
use isthmus_proto::package::v1::upload_package_request::Part;
use isthmus_proto::package::v1::{UploadHeader, UploadPackageRequest};
use isthmus_testbed::isthmus::{Agent, Cli, Gateway, LocalTarget, instances};
use isthmus_testbed::wait::until;
use isthmus_testbed::{Pulsar, Run, fs};
use serde_json::{Value, json};
use tonic::{Code, Response, Status};

use crate::client::{Client, Connection};
use crate::{PATIENCE, SOON, World};

/// The Pulsar cluster as the federation knows it.
pub const PULSAR: &str = "pulsar";

/// Each agent of this process has ports of its own for its instances: a range for each is counted off.
static AGENTS: AtomicU16 = AtomicU16::new(0);

/// What a federation shall be made of.
#[derive(Debug, Clone)]
pub struct Builder {
    clusters: Vec<String>,
    runtimes: bool,
    gateway: Value,
    agents: Value,
}

impl Builder {
    /// Clusters, each with an agent and the label `region=NAME`. Default: none.
    #[must_use]
    pub fn agents<const N: usize>(mut self, clusters: [&str; N]) -> Self {
        self.clusters = clusters.map(str::to_owned).to_vec();
        self
    }

    /// A real Pulsar, the one that the tests share, and agents that can run Java and Python. Default: agents can run Go, and
    /// their Pulsar is nowhere.
    #[must_use]
    pub fn with_pulsar(mut self) -> Self {
        self.runtimes = true;
        self
    }

    /// What else the gateway's configuration shall say.
    #[must_use]
    pub fn gateway_settings(mut self, settings: Value) -> Self {
        self.gateway = settings;
        self
    }

    /// What else the agents' configurations shall say.
    #[must_use]
    pub fn agent_settings(mut self, settings: Value) -> Self {
        self.agents = settings;
        self
    }

    /// Agents that may be given as many components as a test likes. Default: what the machine has.
    #[must_use]
    pub fn unbounded(self) -> Self {
        let capacity = json!({ "cpu_millis": 100_000_000, "memory": "1 TiB", "instances": 100_000 });
        self.agent_settings(json!({ "target": { "host": { "capacity": capacity } } }))
    }

    /// Starts all of it, and waits until every cluster is healthy.
    pub async fn start(self) -> Result<Federation> {
        let Self { clusters, runtimes, gateway, agents: settings } = self;
        let world = World::get().await?;
        let pulsar = if runtimes { Some(world.pulsar().await?) } else { None };
        let run = Run::create(&world.cache, "federation")?;
        let gateway = Gateway::start(&run, &world.cache, &world.programs, &gateway).await?;
        let connection = Connection::from_profile(gateway.cli().config())?;
        let client = connection.administrator()?;
        let mut federation = Federation {
            agents: Vec::new(),
            gateway,
            connection,
            client,
            world,
            pulsar,
            settings,
            run,
            ended: false,
        };
        federation.register_pulsar().await?;
        for cluster in &clusters {
            federation.join(cluster, runtimes).await?;
        }
        Ok(federation)
    }
}

/// A running federation. What is declared first is dropped first.
#[derive(Debug)]
pub struct Federation {
    agents: Vec<Agent>,
    gateway: Gateway,
    connection: Connection,
    client: Client,
    world: &'static World,
    pulsar: Option<&'static Pulsar>,
    settings: Value,
    run: Run,
    ended: bool,
}

impl Federation {
    /// One in the making.
    pub fn builder() -> Builder {
        Builder { clusters: Vec::new(), runtimes: false, gateway: Value::Null, agents: Value::Null }
    }

    /// The administrator's client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How other callers reach the gateway.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The administrator's CLI.
    pub fn cli(&self) -> &Cli {
        self.gateway.cli()
    }

    /// The gateway's process.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The agent of a cluster.
    pub fn agent(&self, cluster: &str) -> Result<&Agent> {
        let mut agents = self.agents.iter();
        agents.find(|agent| agent.cluster() == cluster).with_context(|| format!("{cluster} has no agent"))
    }

    /// The Pulsar that was asked for.
    pub fn pulsar(&self) -> Result<&'static Pulsar> {
        self.pulsar.context("this federation was started without Pulsar")
    }

    /// The directory and the processes of all its parts.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// What it is started from.
    pub fn world(&self) -> &'static World {
        self.world
    }

    /// Has one more cluster join, with an agent and the label `region=NAME`, and links it. `runtimes`: it can run Java and
    /// Python, and not only Go.
    pub async fn join(&mut self, cluster: &str, runtimes: bool) -> Result<()> {
        let token = self.token(cluster).await?;
        let mut agent = self.prepare(cluster, runtimes, &token).await?;
        agent.resume(&self.run).await?;
        self.agents.push(agent);
        let link = Link { pulsar_cluster: PULSAR.into(), ..Link::default() };
        let request = LinkClusterRequest { cluster: cluster.into(), link: Some(link), default: true };
        self.client.clusters().link_cluster(request).await?;
        self.until_healthy(cluster).await
    }

    /// A token with which an agent may join as this cluster.
    pub async fn token(&self, cluster: &str) -> Result<String> {
        let request = CreateJoinTokenRequest {
            cluster: cluster.into(),
            labels: [("region".into(), cluster.into())].into(),
            ttl: None,
        };
        Ok(self.client.clusters().create_join_token(request).await?.into_inner().token)
    }

    /// An agent with a token, not started.
    pub async fn prepare(&self, cluster: &str, runtimes: bool, token: &str) -> Result<Agent> {
        let Self { world, gateway, run, settings, .. } = self;
        let (home, python) = if runtimes {
            (Some(world.cache.pulsar().await?), Some(world.cache.python().await?))
        } else {
            (None, None)
        };
        let target = LocalTarget {
            cluster,
            labels: "",
            number: AGENTS.fetch_add(1, Ordering::Relaxed) % 24,
            pulsar: home.as_ref(),
            python: python.as_ref(),
            settings,
        };
        Ok(Agent::prepare(run, &world.cache, &world.programs, &gateway.address(), target, token)?)
    }

    /// Kills the gateway without warning, as fast as a signal travels.
    pub async fn kill_gateway(&mut self) -> Result<()> {
        let process = instances::named(&self.run, "isthmus-gateway").context("no gateway runs")?;
        process.kill();
        Ok(self.gateway.crash().await?)
    }

    /// Stops the gateway in good order.
    pub async fn stop_gateway(&mut self) -> Result<()> {
        Ok(self.gateway.stop().await?)
    }

    /// Starts the gateway again, if it does not run.
    pub async fn resume_gateway(&mut self) -> Result<()> {
        Ok(self.gateway.resume(&self.run).await?)
    }

    /// Kills an agent without warning; what it runs goes on.
    pub async fn kill_agent(&mut self, cluster: &str) -> Result<()> {
        Ok(self.agent_mut(cluster)?.crash().await?)
    }

    /// Stops an agent in good order; what it runs goes on.
    pub async fn stop_agent(&mut self, cluster: &str) -> Result<()> {
        Ok(self.agent_mut(cluster)?.stop().await?)
    }

    /// Starts an agent again, if it does not run, and waits until it has its session.
    pub async fn resume_agent(&mut self, cluster: &str) -> Result<()> {
        let Self { agents, run, .. } = self;
        let agent = agents.iter_mut().find(|agent| agent.cluster() == cluster);
        Ok(agent.with_context(|| format!("{cluster} has no agent"))?.resume(run).await?)
    }

    /// A cluster as the gateway shows it.
    pub async fn cluster(&self, name: &str) -> Result<Cluster> {
        Ok(self.client.clusters().get_cluster(GetClusterRequest { name: name.into() }).await?.into_inner())
    }

    /// How many clusters have a session at this moment, which is known before a silent one becomes suspect.
    pub async fn until_connected(&self, clusters: u32) -> Result<()> {
        until(format!("{clusters} clusters to be connected"), SOON, async || {
            let info = self.client.gateway().get_info(GetInfoRequest {}).await;
            match info.map(|info| info.into_inner().connected_clusters) {
                Ok(connected) if connected == clusters => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await?;
        Ok(())
    }

    /// Waits until a cluster's session beats.
    pub async fn until_healthy(&self, cluster: &str) -> Result<()> {
        until(format!("{cluster} to be healthy"), SOON, async || {
            let cluster = self.cluster(cluster).await.map_err(|error| format!("{error:#}"))?;
            if cluster.health() == Health::Healthy { Ok(()) } else { Err(format!("{cluster:?}")) }
        })
        .await?;
        Ok(())
    }

    /// Waits until an agent holds exactly what the gateway wants there, by number; the digest of the set goes with it.
    pub async fn until_in_step(&self, cluster: &str) -> Result<Cluster> {
        Ok(until(format!("{cluster} to be in step"), PATIENCE, async || {
            let cluster = self.cluster(cluster).await.map_err(|error| format!("{error:#}"))?;
            if cluster.acknowledged_set_generation == Some(cluster.set_generation)
                && cluster.health() == Health::Healthy
            {
                Ok(cluster)
            } else {
                Err(format!("{cluster:?}"))
            }
        })
        .await?)
    }

    /// Waits until a component of any kind is as it shall be, and answers it.
    pub async fn until_component(
        &self,
        what: &str,
        name: FullName,
        is_so: impl Fn(&Component) -> bool,
    ) -> Result<Component> {
        let what = format!("{}/{}/{} {what}", name.tenant, name.namespace, name.name);
        Ok(until(what, PATIENCE, async || {
            let component = self.find(&name).await.map_err(|status| status.to_string())?.into_inner();
            if is_so(&component) { Ok(component) } else { Err(format!("{:?}", component.status)) }
        })
        .await?)
    }

    /// Waits until a component of any kind is gone, that is: stopped everywhere.
    pub async fn until_gone(&self, name: FullName) -> Result<()> {
        until(format!("the end of {}", name.name), PATIENCE, async || match self.find(&name).await {
            Err(status) if status.code() == Code::NotFound => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await?;
        Ok(())
    }

    /// All components of all kinds.
    pub async fn list_all(&self) -> Result<Vec<Component>> {
        let mut all = Vec::new();
        macro_rules! every_page {
            ($($service:ident),+) => {$({
                let mut page_token = String::new();
                loop {
                    let request = ListRequest { page_size: 5_000, page_token, ..ListRequest::default() };
                    let page = self.client.$service().list(request).await?.into_inner();
                    all.extend(page.components);
                    page_token = page.next_page_token;
                    if page_token.is_empty() {
                        break;
                    }
                }
            })+};
        }
        every_page!(functions, sources, sinks);
        Ok(all)
    }

    /// All components, once those that were deleted are gone.
    pub async fn settled(&self) -> Result<Vec<Component>> {
        let deleted = |component: &&Component| {
            component.status.as_ref().is_some_and(|status| status.phase == "Terminating")
        };
        Ok(until("what was deleted to be gone", PATIENCE, async || {
            let all = self.list_all().await.map_err(|error| format!("{error:#}"))?;
            match all.iter().find(deleted) {
                None => Ok(all),
                Some(left) => Err(format!("{left:?}")),
            }
        })
        .await?)
    }

    /// Stores a package and answers its location.
    pub async fn upload(&self, file: &str, bytes: &[u8]) -> Result<String> {
        let header = UploadHeader { file: file.into(), location: String::new() };
        let chunks = bytes.chunks(1 << 20).map(|chunk| Part::Chunk(chunk.to_vec().into()));
        let parts: Vec<_> = std::iter::once(Part::Header(header))
            .chain(chunks)
            .map(|part| UploadPackageRequest { part: Some(part) })
            .collect();
        let stored = self.client.packages().upload_package(futures::stream::iter(parts)).await?;
        Ok(stored.into_inner().location)
    }

    /// The programs that a cluster's agent has started, pid and start time of each, by the directory of its instance. What
    /// has no program yet, or none any more, is left out.
    pub fn programs(&self, cluster: &str) -> Result<BTreeMap<PathBuf, Value>> {
        let instances = self.agent(cluster)?.data().join("instances");
        let folders = |path: &Path| -> Vec<PathBuf> {
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
        };
        let mut programs = BTreeMap::new();
        for instance in folders(&instances).iter().flat_map(|component| folders(component)) {
            let Ok(text) = std::fs::read(instance.join("state.json")) else { continue };
            let state: Value = serde_json::from_slice(&text)?;
            if let Some(child) = state.get("child") {
                programs.insert(instance, child.clone());
            }
        }
        Ok(programs)
    }

    /// Waits until so many programs run.
    pub async fn until_programs(&self, cluster: &str, count: usize) -> Result<BTreeMap<PathBuf, Value>> {
        Ok(until(format!("{count} programs to run"), PATIENCE, async || {
            let programs = self.programs(cluster).map_err(|error| format!("{error:#}"))?;
            if programs.len() == count { Ok(programs) } else { Err(format!("{programs:?}")) }
        })
        .await?)
    }

    /// Deletes what is deployed, stops every part in good order, and proves that no process is left and no part panicked.
    pub async fn end(mut self) -> Result<()> {
        self.delete_all().await?;
        let left = instances::running(&self.run);
        ensure!(left.is_empty(), "instances go on after their components were deleted: {left:?}");
        for agent in &mut self.agents {
            agent.stop().await?;
        }
        self.gateway.stop().await?;
        // The guards end a moment after what they guard.
        until("all processes to be gone", SOON, async || match self.run.processes() {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{left:?} go on")),
        })
        .await?;
        for log in self.logs() {
            let text = std::fs::read_to_string(&log).with_context(|| format!("read {}", log.display()))?;
            ensure!(!text.contains("panicked"), "{} tells of a panic:\n{text}", log.display());
        }
        self.ended = true;
        Ok(())
    }

    async fn delete_all(&self) -> Result<()> {
        let all = self.list_all().await?;
        let delete = |component: &Component| {
            let metadata = component.metadata.clone().unwrap_or_default();
            let name =
                FullName { tenant: metadata.tenant, namespace: metadata.namespace, name: metadata.name };
            DeleteRequest { name: Some(name), kind: component.kind, ..DeleteRequest::default() }
        };
        for some in all.chunks(4_096) {
            let items = (0..).zip(some).map(|(sequence, component)| BatchItem {
                sequence,
                action: Some(batch_item::Action::Delete(delete(component))),
                ..BatchItem::default()
            });
            let request = BatchRequest { items: items.collect() };
            let answer = self.client.batch().batch_once(request).await?.into_inner();
            for result in answer.results {
                let accepted = matches!(result.outcome, Some(batch_result::Outcome::Accepted(_)));
                ensure!(accepted, "a deletion was refused: {result:?}");
            }
        }
        until("everything deleted to be gone", PATIENCE, async || {
            self.confirm_held().await.map_err(|error| format!("{error:#}"))?;
            match self.list_all().await {
                Ok(left) if left.is_empty() => Ok(()),
                Ok(left) => Err(format!("{} are left, the first: {:?}", left.len(), left.first())),
                Err(error) => Err(format!("{error:#}")),
            }
        })
        .await?;
        Ok(())
    }

    /// Agents hold removals back that are more than their budget; here all of them are meant.
    async fn confirm_held(&self) -> Result<()> {
        use isthmus_proto::cluster::v1::ConfirmRemovalsRequest;
        for agent in &self.agents {
            let Cluster { held_removals, held_digest, .. } = self.cluster(agent.cluster()).await?;
            if held_removals > 0 {
                let request = ConfirmRemovalsRequest { cluster: agent.cluster().into(), digest: held_digest };
                self.client.clusters().confirm_removals(request).await?;
            }
        }
        Ok(())
    }

    async fn find(&self, name: &FullName) -> Result<Response<Component>, Status> {
        let request = GetRequest { name: Some(name.clone()) };
        match self.client.functions().get(request.clone()).await {
            Err(status) if status.code() == Code::NotFound => {}
            answer => return answer,
        }
        match self.client.sources().get(request.clone()).await {
            Err(status) if status.code() == Code::NotFound => self.client.sinks().get(request).await,
            answer => answer,
        }
    }

    async fn register_pulsar(&self) -> Result<()> {
        let (service_url, admin_url) = match self.pulsar {
            Some(pulsar) => (pulsar.service_url(), pulsar.admin_url()),
            None => ("pulsar://127.0.0.1:1".into(), "http://127.0.0.1:1".into()),
        };
        let pulsar_cluster = PulsarCluster {
            name: PULSAR.into(),
            service_url,
            admin_url,
            pulsar_name: "standalone".into(),
            ..PulsarCluster::default()
        };
        let request = ApplyPulsarClusterRequest { pulsar_cluster: Some(pulsar_cluster) };
        self.client.pulsar_clusters().apply_pulsar_cluster(request).await?;
        Ok(())
    }

    fn agent_mut(&mut self, cluster: &str) -> Result<&mut Agent> {
        let mut agents = self.agents.iter_mut();
        agents.find(|agent| agent.cluster() == cluster).with_context(|| format!("{cluster} has no agent"))
    }

    fn logs(&self) -> Vec<PathBuf> {
        let agents = self.agents.iter().map(|agent| agent.log().to_owned());
        std::iter::once(self.gateway.log().to_owned()).chain(agents).collect()
    }
}

impl Drop for Federation {
    fn drop(&mut self) {
        /// Enough to see what went before.
        const LINES: usize = 40;

        if self.ended {
            return;
        }
        for log in self.logs() {
            eprintln!("the end of {}:\n{}", log.display(), fs::tail(&log, LINES));
        }
    }
}
