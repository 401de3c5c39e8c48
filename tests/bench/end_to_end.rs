//! From the request to the gateway to the StatefulSet in a Kubernetes cluster, beside who writes the custom resource and the
//! StatefulSet itself.
//!
//! ```text
//! due ▶ gateway ▶ agent ▶ custom resource ▶ { the same agent as operator } ▶ StatefulSet ▶ seen by a watch
//! ```

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use isthmus_proto::component::v1::{Change, CreateRequest};
use isthmus_testbed::isthmus::{Agent, LocalTarget, Programs};
use isthmus_testbed::wait::until;
use isthmus_tests::fixture;
use serde_json::json;

use crate::Size;
use crate::deploy;
use crate::kubernetes::{Kubernetes, Sightings};
use crate::latency::Latency;
use crate::reference::writes::Model;
use crate::report::{Figure, Target};
use crate::stage::Stage;

const PART: &str = "end-to-end";

/// The cluster's name in the federation.
const CLUSTER: &str = "kubernetes";

/// Deployments in a second.
const RATE: u32 = 20;

/// For all of them to arrive.
const PATIENCE: Duration = Duration::from_mins(5);

/// Measures.
pub(crate) async fn measure(size: Size, programs: &Programs) -> Result<Vec<Figure>> {
    let stage = Stage::set("bench-end-to-end", programs, &json!(null)).await?;
    let kubernetes = Kubernetes::start(&stage.cache).await?;
    let (settings, token) = (kubernetes.settings()?, stage.token(CLUSTER).await?);
    let target = LocalTarget {
        cluster: CLUSTER,
        labels: "",
        number: 0,
        pulsar: None,
        python: None,
        settings: &settings,
    };
    let address = stage.gateway.address();
    let mut agent = Agent::start(&stage.run, &stage.cache, programs, &address, target, &token).await?;
    stage.link(CLUSTER.to_owned()).await?;

    let sightings = kubernetes.sightings();
    let due = deploy::now();
    deployed(&stage, "model-000000").await?;
    let model = "model-000000";
    until("the first workload", PATIENCE, async || sightings.of(model).ok_or("there is none")).await?;
    let first = sightings.of(model).unwrap_or_default().saturating_sub(due);
    let model = Model::of(&kubernetes, "functions", model).await?;
    let count = u64::from(RATE) * size.seconds(10).as_secs();
    let there = &kubernetes;
    let raw =
        deploy::at_rate(RATE, count, async |n, due| model.pair(there, &format!("raw-{n:06}"), due).await);
    let raw = Latency::of(raw.await?).context("nothing was offered")?;
    let name = |n: u64| format!("paced-{n:06}");
    let dues =
        deploy::at_rate(RATE, count, async |n, due| deployed(&stage, &name(n)).await.map(|()| due)).await?;
    let ours = arrived(&sightings, &dues, name).await?;
    drop(sightings);
    agent.stop().await?;
    stage.clear().await?;
    kubernetes.plane.stop().await?;

    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let figure = |which: &str, ours: Duration, raw: Duration| {
        Figure::new(PART, format!("deployment to StatefulSet at {RATE}/s, {which}"), millis(ours), "ms")
            .against(format!("raw create of both objects, {which}"), millis(raw))
    };
    Ok(vec![
        figure("p50", ours.p50, raw.p50),
        figure("p99", ours.p99, raw.p99).target(Target::RatioAtMost(2.0)),
        Figure::new(PART, "the first, on a cluster that has just joined", millis(first), "ms"),
    ])
}

async fn deployed(stage: &Stage, name: &str) -> Result<()> {
    let component = Some(fixture::function(name).build());
    let request = CreateRequest { component, ..CreateRequest::default() };
    let answer = stage.client.functions().create(request).await?.into_inner();
    ensure!(answer.change() == Change::Created, "{name} was not created: {answer:?}");
    Ok(())
}

async fn arrived(sightings: &Sightings, dues: &[Duration], name: impl Fn(u64) -> String) -> Result<Latency> {
    let took = until("every workload to be there", PATIENCE, async || {
        let took = (0..).zip(dues).map(|(n, due)| Some(sightings.of(&name(n))?.saturating_sub(*due)));
        took.collect::<Option<Vec<_>>>().ok_or("some are missing")
    })
    .await?;
    Latency::of(took).context("nothing was offered")
}
