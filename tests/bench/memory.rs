//! Resident memory: of the gateway for each function and each connected agent, of an agent at rest and for each function.

use std::time::Duration;

use anyhow::{Context, Result};
use isthmus_proto::cluster::v1::GetPulsarClusterRequest;
use isthmus_proto::component::v1::{BatchItem, BatchRequest, batch_item, batch_result};
use isthmus_proto::sync::v1::Assignment;
use isthmus_testbed::isthmus::{Agent, LocalTarget, Programs};
use isthmus_testbed::ports::Port;
use isthmus_testbed::wait::until;
use isthmus_tests::fixture;
use prost::Message;
use serde_json::json;

use crate::deploy::{self, Series, Until};
use crate::operator::{FUNCTION, World};
use crate::reference::echo::Echoing;
use crate::report::{Figure, Target};
use crate::stage::{PULSAR, Stage};
use crate::{Size, load, process};

const PART: &str = "memory";

/// Processes that hold the agents.
const PROCESSES: u64 = 4;

/// Functions of one agent, at most.
const MOST_AT_AN_AGENT: u64 = 10_000;

/// Functions of one agent on Kubernetes, at most: it takes an API server a minute to take so many.
const MOST_ON_KUBERNETES: u64 = 3_000;

/// For what was freed to be given back, and what was begun to end.
const SETTLE: Duration = Duration::from_secs(5);

const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * 1024.0;

/// Measures.
pub(crate) async fn measure(size: Size, programs: &Programs) -> Result<Vec<Figure>> {
    let mut figures = functions(size.functions(100_000), programs).await?;
    figures.extend(agents(size.agents(1_000), size.seconds(60), programs).await?);
    figures.extend(agent(size.functions(100_000).min(MOST_AT_AN_AGENT), programs).await?);
    figures.extend(
        operator(size.functions(MOST_ON_KUBERNETES).min(MOST_ON_KUBERNETES), size.seconds(60), programs)
            .await?,
    );
    Ok(figures)
}

/// The gateway, for each function that it holds. Its clusters have joined and left, so that sessions are no part of it.
async fn functions(count: u64, programs: &Programs) -> Result<Vec<Figure>> {
    let patient = json!({ "health": { "suspect_after": "2h", "lease": "3h" } });
    let mut stage = Stage::set("bench-memory", programs, &patient).await?;
    stage.join(10, 1).await?;
    stage.disconnect().await?;
    tokio::time::sleep(SETTLE).await;
    let before = stage.gateway_memory()?;
    deploy::stream(&stage.connection, &Series::new("memory"), Until::Count(count)).await?;
    tokio::time::sleep(SETTLE).await;
    let after = stage.gateway_memory()?;
    // What the allocator keeps of the load is not what the functions take: a gateway that was started anew holds only these.
    stage.gateway.stop().await?;
    stage.gateway.resume(&stage.run).await?;
    tokio::time::sleep(SETTLE).await;
    let anew = stage.gateway_memory()?;
    stage.clear().await?;
    let wire: u64 = (0..count).map(|n| load::function("memory", n).encoded_len() as u64).sum();
    let each = |bytes: u64| bytes.saturating_sub(before) as f64 / count as f64;
    let figure = |name: String, bytes| {
        Figure::new(PART, name, each(bytes), "bytes").against("as sent", wire as f64 / count as f64)
    };
    Ok(vec![
        figure(format!("gateway, for each of {count} functions"), after)
            .target(Target::AtMost(2.0 * KIB))
            .note(format!(
                "{:.1} MiB with none, {:.1} MiB with all",
                before as f64 / MIB,
                after as f64 / MIB
            )),
        figure(format!("gateway started anew, for each of {count} functions"), anew),
    ])
}

/// The gateway, for each agent in session that has nothing to say.
async fn agents(count: u64, idle: Duration, programs: &Programs) -> Result<Vec<Figure>> {
    let mut stage = Stage::set("bench-memory", programs, &json!(null)).await?;
    tokio::time::sleep(SETTLE).await;
    let before = stage.gateway_memory()?;
    stage.join(count, PROCESSES).await?;
    tokio::time::sleep(idle).await;
    stage.until_in_step().await?;
    let after = stage.gateway_memory()?;
    stage.clear().await?;
    let each = after.saturating_sub(before) as f64 / KIB / count as f64;
    let name = format!("gateway, for each of {count} agents after {} s", idle.as_secs());
    Ok(vec![Figure::new(PART, name, each, "KiB").target(Target::AtMost(96.0))])
}

/// A real agent, at rest beside a bare client, and for each function beside its assignment as it is sent. The functions are in
/// Go, which every agent takes, and their package is a file that no machine has: nothing is started, and what the agent holds
/// of them is measured.
async fn agent(count: u64, programs: &Programs) -> Result<Vec<Figure>> {
    let stage = Stage::set("bench-memory", programs, &json!(null)).await?;
    let echo = Echoing::start(&stage.run, Port::lease(&stage.cache)?).await?;
    let bare = echo.idle_client(&stage.run, SETTLE).await?;
    echo.stop().await?;
    let capacity = json!({ "cpu_millis": 100_000_000, "memory": "1 TiB", "instances": 1_000_000 });
    let settings = json!({ "target": { "host": { "capacity": capacity } } });
    let token = stage.token("host").await?;
    let target = LocalTarget {
        cluster: "host",
        labels: "",
        number: 0,
        pulsar: None,
        python: None,
        settings: &settings,
    };
    let address = stage.gateway.address();
    let mut agent = Agent::start(&stage.run, &stage.cache, programs, &address, target, &token).await?;
    stage.link("host".into()).await?;
    tokio::time::sleep(SETTLE).await;
    let resident = || process::resident(&stage.run, "isthmus-agent");
    let rest = resident()?;
    for first in (0..count).step_by(1_000) {
        deploy_go(&stage, first..count.min(first + 1_000)).await?;
    }
    until("the agent to have all", Duration::from_mins(5), async || {
        let cluster = stage.cluster("host").await.map_err(|error| format!("{error:#}"))?;
        let so = cluster.acknowledged_set_generation == Some(cluster.set_generation);
        if so { Ok(()) } else { Err(format!("it has {:?}", cluster.acknowledged_set_generation)) }
    })
    .await?;
    tokio::time::sleep(SETTLE).await;
    let full = resident()?;
    let sent = assignment(&stage, "go-000000").await?;
    agent.crash().await?;
    stage.clear().await?;
    Ok(vec![
        Figure::new(PART, "agent at rest", rest as f64 / MIB, "MiB")
            .against("a bare client over TLS at rest", bare as f64 / MIB)
            .target(Target::AtMost(16.0)),
        Figure::new(
            PART,
            format!("agent, for each of {count} functions"),
            full.saturating_sub(rest) as f64 / count as f64,
            "bytes",
        )
        .against("its assignment as sent", sent as f64)
        .target(Target::AtMost(4.0 * KIB)),
    ])
}

/// An agent that is an operator, at rest and for each custom resource, and what it uses of a processor when nothing happens.
async fn operator(count: u64, idle: Duration, programs: &Programs) -> Result<Vec<Figure>> {
    let mut world = World::start("bench-memory", programs).await?;
    tokio::time::sleep(SETTLE).await;
    let rest = process::resident(&world.run, "isthmus-agent")?;
    world.burst(FUNCTION, "memory", count).await?;
    tokio::time::sleep(SETTLE).await;
    let full = process::resident(&world.run, "isthmus-agent")?;
    let before = process::processor_time(&world.run, "isthmus-agent")?;
    tokio::time::sleep(idle).await;
    let used = process::processor_time(&world.run, "isthmus-agent")?.saturating_sub(before);
    world.end().await?;
    let percent = used.as_secs_f64() / idle.as_secs_f64() * 100.0;
    Ok(vec![
        Figure::new(PART, "agent on Kubernetes at rest", rest as f64 / MIB, "MiB")
            .target(Target::AtMost(24.0)),
        Figure::new(
            PART,
            format!("agent on Kubernetes, for each of {count} functions"),
            full.saturating_sub(rest) as f64 / KIB / count as f64,
            "KiB",
        )
        .target(Target::AtMost(12.0)),
        Figure::new(
            PART,
            format!("agent on Kubernetes, a processor at rest with {count} functions"),
            percent,
            "%",
        )
        .target(Target::AtMost(1.0)),
    ])
}

/// What an agent is sent of a function, in bytes.
async fn assignment(stage: &Stage, name: &str) -> Result<usize> {
    let mut component = stage.client.functions().get(fixture::get(name)).await?.into_inner();
    component.status = None;
    let request = GetPulsarClusterRequest { name: PULSAR.into() };
    let pulsar_cluster = stage.client.pulsar_clusters().get_pulsar_cluster(request).await?.into_inner();
    let assignment = Assignment {
        uid: vec![0; 16].into(),
        generation: u64::from(u32::MAX),
        revision: 1,
        replicas: 1,
        pulsar_cluster: Some(pulsar_cluster),
        component: component.encode_to_vec().into(),
        sealed_secrets: None,
    };
    Ok(assignment.encoded_len())
}

async fn deploy_go(stage: &Stage, numbers: std::ops::Range<u64>) -> Result<()> {
    let items = numbers.map(|n| BatchItem {
        sequence: n,
        action: Some(batch_item::Action::Create(fixture::function(&format!("go-{n:06}")).build())),
        ..BatchItem::default()
    });
    let request = BatchRequest { items: items.collect() };
    let answer = stage.client.batch().batch_once(request).await?.into_inner();
    for result in answer.results {
        let accepted = matches!(&result.outcome, Some(batch_result::Outcome::Accepted(a)) if a.clusters == 1);
        accepted.then_some(()).with_context(|| format!("not created and assigned: {result:?}"))?;
    }
    Ok(())
}
