//! From the request to the acknowledgement of the agent: what a deployment takes until its cluster has it for good.
//!
//! The clock starts when the call is due and stops when the agent's inbox has returned from its sync and is about to
//! acknowledge; both are read from the clock that all processes of a machine share.

use std::time::Duration;

use anyhow::{Context, Result};
use isthmus_model::name::Uid;
use isthmus_testbed::isthmus::Programs;
use isthmus_testbed::ports::Port;
use isthmus_testbed::wait::until;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::Size;
use crate::deploy;
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

/// Measures.
pub(crate) async fn measure(size: Size, programs: &Programs) -> Result<Vec<Figure>> {
    let (clusters, time) = (size.agents(1_000), size.seconds(20));
    let mut stage = Stage::set("bench-propagate", programs, &json!(null)).await?;
    let echo = Echoing::start(&stage.run, Port::lease(&stage.cache)?).await?;
    stage.join(clusters, PROCESSES).await?;
    stage.until_in_step().await?;

    let alone = echo.one_in_flight(time / 4).await?;
    let paced = echo.at_rate(RATE, time / 2).await?;
    let offered = offer(&stage, time).await?;
    let (count, ours) = arrivals(&stage, offered).await?;
    echo.stop().await?;
    stage.clear().await?;

    let name = |what: &str| format!("request to acknowledgement, {clusters} agents, {RATE}/s, {what}");
    let figure = |what: &str, ours: Duration| Figure::new(PART, name(what), millis(ours), "ms");
    let note = format!("{count} deployments in {:.0} s", time.as_secs_f64());
    Ok(vec![
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
    ])
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Deploys at the rate, whatever becomes of those before; answers when each was due.
async fn offer(stage: &Stage, time: Duration) -> Result<Vec<(Uid, Duration)>> {
    let clients = deploy::clients(&stage.connection, deploy::CONNECTIONS)?;
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
        calls.spawn(async move { anyhow::Ok((deploy::create(&client, "propagate", n).await?, due)) });
    }
    calls.join_all().await.into_iter().collect()
}

/// Waits until all have arrived; answers how many, and how long they took.
async fn arrivals(stage: &Stage, offered: Vec<(Uid, Duration)>) -> Result<(usize, Latency)> {
    let arrived = until("every deployment to arrive", PATIENCE, async || {
        let arrived = stage.first_arrivals();
        let missing = offered.iter().filter(|(uid, _)| !arrived.contains_key(uid)).count();
        if missing == 0 { Ok(arrived) } else { Err(format!("{missing} are missing")) }
    })
    .await?;
    let took = |(uid, due): &(Uid, Duration)| Some(arrived.get(uid)?.saturating_sub(*due));
    let latency = Latency::of(offered.iter().filter_map(took).collect()).context("nothing was offered")?;
    Ok((offered.len(), latency))
}
