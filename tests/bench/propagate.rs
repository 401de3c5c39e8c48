//! From the request to the acknowledgement of the agent: what a deployment takes until its cluster has it for good.
//!
//! ```text
//! due ▶ sent ▶ { gateway: decided, appended ▶ answered } ▶ delta ▶ { agent: commit } ▶ durable, acknowledged
//! ```
//!
//! The clock starts when the call is due and stops when the agent's inbox has returned from its sync and is about to
//! acknowledge; both are read from the clock that all processes of a machine share. It starts when all connections stand and
//! every agent has had work, as those of a federation that lives have. The stages between are measured beside it, so that
//! whoever misses the target sees where the time goes.

use std::time::Duration;

use anyhow::{Context, Result};
use isthmus_model::name::Uid;
use isthmus_testbed::isthmus::Programs;
use isthmus_testbed::ports::Port;
use isthmus_testbed::wait::until;
use isthmus_tests::Client;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::Size;
use crate::deploy;
use crate::histogram::Histogram;
use crate::latency::Latency;
use crate::reference::echo::Echoing;
use crate::report::{Figure, Target};
use crate::stage::Stage;

const PART: &str = "propagate";

/// Deployments offered in a second.
const RATE: u32 = 1_000;

/// Processes that hold the agents.
const PROCESSES: u64 = 4;

/// For what was offered to arrive.
const PATIENCE: Duration = Duration::from_mins(5);

/// Deployments before the clock starts, so that each agent has had some.
const WARM_UP: Duration = Duration::from_secs(4);

/// What the gateway measures of its own: how long it takes to append, and from a delta to its acknowledgement.
const APPEND: &str = "isthmus_store_append_seconds";
const ACKNOWLEDGE: &str = "isthmus_acknowledge_seconds";

/// Measures.
pub(crate) async fn measure(size: Size, programs: &Programs) -> Result<Vec<Figure>> {
    let (clusters, time) = (size.agents(1_000), size.seconds(20));
    let mut stage = Stage::set("bench-propagate", programs, &json!(null)).await?;
    let echo = Echoing::start(&stage.run, Port::lease(&stage.cache)?).await?;
    stage.join(clusters, PROCESSES).await?;
    let clients = deploy::connected(&stage.connection, deploy::CONNECTIONS).await?;
    let warm = offer(&clients, "warm", WARM_UP).await?;
    arrivals(&stage, &warm).await?;
    stage.until_in_step().await?;

    let alone = echo.one_in_flight(time / 4).await?;
    let paced = echo.at_rate(RATE, time / 2).await?;
    let before = Before::of(&stage).await?;
    let offered = offer(&clients, "propagate", time).await?;
    let ours = arrivals(&stage, &offered).await?;
    let stages = stages(&stage, &offered, before).await?;
    echo.stop().await?;
    stage.clear().await?;

    let name = |what: &str| format!("request to acknowledgement, {clusters} agents, {RATE}/s, {what}");
    let figure = |what: &str, ours: Duration| Figure::new(PART, name(what), millis(ours), "ms");
    let note = format!("{} deployments in {:.0} s", offered.len(), time.as_secs_f64());
    let mut figures = vec![
        figure("p50", ours.p50)
            .against("echo and fdatasync at 1 in flight, p50", millis(alone.p50))
            .target(Target::RatioAtMost(4.0))
            .note(note),
        figure("p99", ours.p99)
            .against("echo and fdatasync at 1 in flight, p99", millis(alone.p99))
            .target(Target::RatioAtMost(10.0)),
        figure("p50", ours.p50)
            .against("echo and fdatasync at the same rate, p50", millis(paced.p50))
            .target(Target::RatioAtMost(4.0)),
        figure("p99", ours.p99)
            .against("echo and fdatasync at the same rate, p99", millis(paced.p99))
            .target(Target::RatioAtMost(10.0)),
    ];
    figures.extend(stages);
    Ok(figures)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// One deployment; all times since boot.
#[derive(Debug, Clone, Copy)]
struct Offered {
    uid: Uid,
    /// When the call was due.
    due: Duration,
    /// When it went out.
    sent: Duration,
    /// When the gateway had answered.
    answered: Duration,
}

/// Deploys at the rate, whatever becomes of those before.
async fn offer(clients: &[Client], series: &'static str, time: Duration) -> Result<Vec<Offered>> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let begun = Instant::now();
    let mut calls = JoinSet::new();
    for (n, client) in (0..).zip(clients.iter().cycle()) {
        let due = ticks.tick().await;
        if begun.elapsed() >= time {
            break;
        }
        let (client, late) = (client.clone(), due.elapsed());
        let due = deploy::now().saturating_sub(late);
        calls.spawn(async move {
            let sent = deploy::now();
            let uid = deploy::create(&client, series, n).await?;
            anyhow::Ok(Offered { uid, due, sent, answered: deploy::now() })
        });
    }
    calls.join_all().await.into_iter().collect()
}

/// Waits until all have arrived; answers how long they took.
async fn arrivals(stage: &Stage, offered: &[Offered]) -> Result<Latency> {
    let arrived = until("every deployment to arrive", PATIENCE, async || {
        let arrived = stage.first_arrivals();
        let missing = offered.iter().filter(|offered| !arrived.contains_key(&offered.uid)).count();
        if missing == 0 { Ok(arrived) } else { Err(format!("{missing} are missing")) }
    })
    .await?;
    let took = |offered: &Offered| Some(arrived.get(&offered.uid)?.saturating_sub(offered.due));
    Latency::of(offered.iter().filter_map(took).collect()).context("nothing was offered")
}

/// What was counted before the clock started.
struct Before {
    append: Histogram,
    acknowledge: Histogram,
    /// Of each process.
    commits: Vec<usize>,
}

impl Before {
    async fn of(stage: &Stage) -> Result<Self> {
        Ok(Self {
            append: stage.histogram(APPEND).await?,
            acknowledge: stage.histogram(ACKNOWLEDGE).await?,
            commits: stage.commits().iter().map(Vec::len).collect(),
        })
    }
}

/// Where the time went: figures without a target.
async fn stages(stage: &Stage, offered: &[Offered], before: Before) -> Result<Vec<Figure>> {
    let of = |took: fn(&Offered) -> Duration| Latency::of(offered.iter().map(took).collect());
    let commits = stage.commits().into_iter().zip(&before.commits);
    let commits = commits.flat_map(|(all, before)| all.into_iter().skip(*before)).collect();
    let stages = [
        ("the load's own delay", of(|offered| offered.sent.saturating_sub(offered.due))),
        ("call to answer", of(|offered| offered.answered.saturating_sub(offered.sent))),
        ("the gateway's appends", stage.histogram(APPEND).await?.since(&before.append)),
        ("delta to acknowledgement", stage.histogram(ACKNOWLEDGE).await?.since(&before.acknowledge)),
        ("the agents' commits", Latency::of(commits)),
    ];
    let figures =
        stages.into_iter().filter_map(|(name, took)| Some((name, took?))).flat_map(|(name, took)| {
            [("p50", took.p50), ("p99", took.p99)].map(|(which, took)| {
                Figure::new(PART, format!("of which {name}, {which}"), millis(took), "ms")
            })
        });
    Ok(figures.collect())
}
