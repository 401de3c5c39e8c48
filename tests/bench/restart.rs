//! A gateway that comes back: how long until it answers right, and that nothing needless follows.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use isthmus_proto::common::v1::FullName;
use isthmus_proto::component::v1::{Component, GetRequest};
use isthmus_testbed::isthmus::Programs;
use isthmus_tests::Client;
use prost::Message as _;
use serde_json::json;

use crate::deploy::{self, Series, Until};
use crate::load::Encoded;
use crate::report::{Figure, Target};
use crate::stage::Stage;
use crate::{Size, process};

const PART: &str = "restart";
const SERIES: &str = "restart";

/// Processes that hold the agents.
const PROCESSES: u64 = 2;

/// How long it is watched for what is needless: longer than a session takes to find out that a set differs.
const WATCHED: Duration = Duration::from_secs(20);

/// Between two looks of a client that waits for the gateway.
const PAUSE: Duration = Duration::from_millis(2);

/// What follows from a restart.
struct After {
    get: Duration,
    create: Duration,
    commits: f64,
    deltas: f64,
    changes: usize,
}

/// Measures.
pub(crate) async fn measure(size: Size, programs: &Programs) -> Result<Vec<Figure>> {
    let (functions, clusters) = (size.functions(100_000), size.agents(20));
    let mut stage = Stage::set("bench-restart", programs, &json!(null)).await?;
    stage.join(clusters, PROCESSES).await?;
    deploy::stream(&stage.connection, &Series::new(SERIES), Until::Count(functions)).await?;
    stage.until_in_step().await?;
    stage.gateway.stop().await?;
    let cold = process::drop_page_cache();
    let read = read_store(&stage)?;
    let cold = cold && process::drop_page_cache();
    let after = restart(&mut stage, functions).await?;
    stage.clear().await?;

    let After { get, create, commits, deltas, changes } = after;
    let cache = if cold { "page cache dropped" } else { "the page cache could not be dropped: not root" };
    let figure = |what: &str, took: Duration| {
        Figure::new(PART, format!("{functions} functions, first {what}"), took.as_secs_f64(), "s")
            .against("its files read once", read.as_secs_f64())
            .target(Target::AtMost(1.5))
    };
    Ok(vec![
        figure("correct get", get).note(cache),
        figure("create", create),
        Figure::new(PART, "commits that nobody asked for", commits, "").target(Target::AtMost(0.0)),
        Figure::new(PART, "messages to agents that nobody asked for", deltas, "").target(Target::AtMost(0.0)),
        Figure::new(PART, "writes of agents that nobody asked for", changes as f64, "")
            .target(Target::AtMost(0.0)),
    ])
}

/// How long it takes to read what the gateway must read.
fn read_store(stage: &Stage) -> Result<Duration> {
    let begun = Instant::now();
    for entry in std::fs::read_dir(stage.gateway.data().join("store"))? {
        let mut file = std::fs::File::open(entry?.path())?;
        std::io::copy(&mut file, &mut std::io::sink())?;
    }
    Ok(begun.elapsed())
}

async fn restart(stage: &mut Stage, functions: u64) -> Result<After> {
    let changes = stage.arrivals().len();
    // A connection of its own: one that knew the old gateway would first find out that it is gone.
    let client = stage.connection.administrator()?;
    let begun = Instant::now();
    let Stage { gateway, run, .. } = stage;
    let (resumed, answers) = tokio::join!(gateway.resume(run), answers(&client, begun, functions));
    resumed?;
    let (get, create) = answers?;
    stage.until_in_step().await?;
    tokio::time::sleep(WATCHED).await;
    stage.until_in_step().await?;
    // The one that was created is asked for: one commit, one message, one write.
    Ok(After {
        get,
        create,
        commits: stage.counter("isthmus_store_commits_total").await? - 1.0,
        deltas: stage.counter("isthmus_deltas_total").await? - 1.0,
        changes: (stage.arrivals().len() - changes).saturating_sub(1),
    })
}

/// When the first correct answers came.
async fn answers(client: &Client, begun: Instant, functions: u64) -> Result<(Duration, Duration)> {
    // As it was sent.
    let wanted = Component::decode(&*Encoded::new(SERIES).function(functions - 1))?;
    let metadata = wanted.metadata.clone().unwrap_or_default();
    let name = FullName { tenant: metadata.tenant, namespace: metadata.namespace, name: metadata.name };
    let request = GetRequest { name: Some(name) };
    let found = loop {
        if let Ok(found) = client.functions().get(request.clone()).await {
            break found.into_inner();
        }
        ensure!(begun.elapsed() < Duration::from_mins(5), "the gateway does not come back");
        tokio::time::sleep(PAUSE).await;
    };
    let get = begun.elapsed();
    let told = |component: &Component| {
        component.spec.as_ref().map(|spec| (spec.class_name.clone(), spec.user_config_json.clone()))
    };
    ensure!(told(&found) == told(&wanted), "the gateway answers with another function: {found:?}");
    deploy::create(client, SERIES, functions).await?;
    Ok((get, begun.elapsed()))
}
