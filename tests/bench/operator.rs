//! An API server and an agent that is its operator and knows no gateway.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt};
use isthmus_testbed::isthmus::{Agent, LocalTarget, Programs};
use isthmus_testbed::{Cache, Run};
use serde_json::{Value, json};

use crate::kubernetes::{self, Kubernetes, OURS, collection};
use crate::metrics;

/// Requests at the same time, of the load and of the reference: as many as the agent has.
pub(crate) const IN_FLIGHT: usize = 32;

/// For all of it to be done.
pub(crate) const PATIENCE: Duration = Duration::from_mins(10);

/// Between two looks at what the agent counts.
const PAUSE: Duration = Duration::from_millis(10);

/// What the agent counts: passes that came to their end, and statuses that it wrote.
pub(crate) const PASSES: &str = "isthmus_operator_passes_total{outcome=\"done\"}";
pub(crate) const STATUSES: &str = "isthmus_operator_status_writes_total";

/// A kind of custom resource, as it is offered.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// As it is said of many.
    pub(crate) name: &'static str,
    pub(crate) plural: &'static str,
    manifest: fn(&str, &str) -> Value,
}

pub(crate) const FUNCTION: Kind =
    Kind { name: "Functions", plural: "functions", manifest: kubernetes::function };

/// An API server and an agent that knows no gateway.
pub(crate) struct World {
    pub(crate) agent: Agent,
    pub(crate) kubernetes: Kubernetes,
    pub(crate) run: Run,
    /// Resources there are.
    pub(crate) count: u64,
}

impl World {
    pub(crate) async fn start(name: &str, programs: &Programs) -> Result<Self> {
        let cache = Cache::from_env()?;
        let run = Run::create(&cache, name)?;
        let kubernetes = Kubernetes::start(&cache).await?;
        let mut settings = kubernetes.settings()?;
        if let Some(settings) = settings.as_object_mut() {
            settings.insert("gateways".to_owned(), json!([]));
        }
        let target = LocalTarget {
            cluster: "operator",
            labels: "",
            number: 0,
            pulsar: None,
            python: None,
            settings: &settings,
        };
        let agent = Agent::start(&run, &cache, programs, "", target, "").await?;
        Ok(Self { agent, kubernetes, run, count: 0 })
    }

    pub(crate) async fn end(mut self) -> Result<()> {
        self.agent.stop().await?;
        Ok(self.kubernetes.plane.stop().await?)
    }

    pub(crate) async fn counter(&self, name: &str) -> Result<f64> {
        metrics::counter(&self.agent.admin_url(), name).await
    }

    /// Waits until the agent has counted so many; how often that is looked at is all that is lost.
    pub(crate) async fn until_counted(&self, name: &str, wanted: f64) -> Result<()> {
        let begun = Instant::now();
        loop {
            let counted = self.counter(name).await?;
            if counted >= wanted {
                return Ok(());
            }
            ensure!(begun.elapsed() < PATIENCE, "{name} is {counted} and not {wanted}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(crate) async fn offer(&self, kind: Kind, name: &str) -> Result<()> {
        let body = serde_json::to_vec(&(kind.manifest)(OURS, name))?;
        self.kubernetes.post(&collection(kind.plural, OURS), body).await.map(drop)
    }

    /// Offers so many at once and waits until all have their status, which is what is written last; how long it took.
    pub(crate) async fn burst(&mut self, kind: Kind, series: &str, count: u64) -> Result<Duration> {
        let statuses = self.counter(STATUSES).await?;
        let begun = Instant::now();
        let there = &*self;
        let offered = futures::stream::iter(0..count)
            .map(|n| async move { there.offer(kind, &format!("{series}-{n:06}")).await })
            .buffer_unordered(IN_FLIGHT)
            .try_collect::<Vec<()>>();
        tokio::try_join!(offered, self.until_counted(STATUSES, statuses + count as f64))?;
        let took = begun.elapsed();
        self.count += count;
        Ok(took)
    }
}
