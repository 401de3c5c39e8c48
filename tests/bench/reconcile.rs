//! The agent as an operator of Kubernetes: how fast custom resources become workloads, how many requests that takes, and that
//! an agent that starts anew finds everything as it shall be and writes nothing.
//!
//! ```text
//! offered ▶ API server ▶ watch ▶ { agent: one pass } ▶ children, status ▶ API server (counts all requests)
//! ```
//!
//! The resources are offered by whoever measures, 32 at a time, and the agent runs as it is shipped. The reference writes the
//! same objects to the same API server before and after, so that what else the machine does hits both.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use isthmus_testbed::isthmus::Programs;
use isthmus_testbed::wait::until;

use crate::deploy::{self, Done};
use crate::latency::Latency;
use crate::operator::{FUNCTION, IN_FLIGHT, Kind, PASSES, PATIENCE, STATUSES, World};
use crate::reference::writes::Model;
use crate::report::{Figure, Target};
use crate::requests::Requests;
use crate::{Size, process};

const PART: &str = "reconcile";

/// Resources in a second where it is measured how long one takes.
const RATE: u32 = 20;

/// For what was begun to end, before it is said how many requests were made.
const SETTLE: Duration = Duration::from_secs(3);

/// Measures.
pub(crate) async fn measure(size: Size, programs: &Programs) -> Result<Vec<Figure>> {
    let mut world = World::start("bench-reconcile", programs).await?;
    let figures = of_kind(&mut world, FUNCTION, size.functions(500), size.seconds(10)).await?;
    world.end().await?;
    Ok(figures)
}

async fn of_kind(world: &mut World, kind: Kind, count: u64, time: Duration) -> Result<Vec<Figure>> {
    let model = model(world, kind).await?;
    let needed = model.objects() + 2;
    let reference = model.burst(&world.kubernetes, "before", count / 2, IN_FLIGHT).await?;
    let (ours, requests) = burst(world, kind, count, needed).await?;
    let again = model.burst(&world.kubernetes, "after", count / 2, IN_FLIGHT).await?;
    let reference = reference.and(again);
    let all = world.count;
    let (in_step, restart) = restart(world).await?;
    let (latency, raw) = paced(world, kind, &model, time).await?;
    let rest = at_rest(world, time).await?;

    let Kind { name, .. } = kind;
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let to_workload = |which: &str, ours: Duration, raw: Duration| {
        Figure::new(PART, format!("resource to StatefulSet at {RATE}/s, {which}"), millis(ours), "ms")
            .against(format!("raw create of both, {which}"), millis(raw))
    };
    Ok(vec![
        Figure::new(PART, format!("writes for {count} {name}"), ours.rate(), "/s")
            .against(format!("raw writes, {IN_FLIGHT} in flight"), reference.rate())
            .target(Target::RatioAtLeast(0.8))
            .note(format!("{:.1} {name} a second", count as f64 / ours.took.as_secs_f64())),
        Figure::new(
            PART,
            "writes for each, the resource itself included",
            each(requests.writes(), count),
            "",
        )
        .against("resource, objects, one status", needed as f64)
        .target(Target::RatioAtMost(1.0))
        .note(requests.each(count)),
        Figure::new(PART, "reads for each", each(requests.reads(), count), ""),
        Figure::new(PART, "processors of the agent for each", ours.each() * needed as f64 / 1e3, "ms"),
        to_workload("p50", latency.p50, raw.p50),
        to_workload("p99", latency.p99, raw.p99).target(Target::RatioAtMost(2.0)),
        Figure::new(
            PART,
            format!("requests in {} s at rest, {} {name}", time.as_secs(), world.count),
            (rest.reads() + rest.writes()) as f64,
            "",
        )
        .target(Target::AtMost(0.0)),
        Figure::new(PART, format!("restart with {all} {name}: in step after"), in_step.as_secs_f64(), "s")
            .target(Target::AtMost(2.0))
            .note(format!("for each: {}", restart.each(all))),
        Figure::new(PART, format!("restart with {all} {name}: writes"), restart.writes() as f64, "")
            .target(Target::AtMost(0.0)),
    ])
}

fn each(requests: u64, count: u64) -> f64 {
    requests as f64 / count as f64
}

/// What the first becomes, and a warm agent.
async fn model(world: &mut World, kind: Kind) -> Result<Model> {
    let name = "model-000000";
    let statuses = world.counter(STATUSES).await?;
    world.offer(kind, name).await?;
    world.until_counted(STATUSES, statuses + 1.0).await?;
    world.count += 1;
    Model::of(&world.kubernetes, kind.plural, name).await
}

/// So many at once, with what the API server counted of them.
async fn burst(world: &mut World, kind: Kind, count: u64, needed: u64) -> Result<(Done, Requests)> {
    let before = world.kubernetes.requests().await?;
    let used = process::processor_time(&world.run, "isthmus-agent")?;
    let took = world.burst(kind, "burst", count).await?;
    let used = process::processor_time(&world.run, "isthmus-agent")?.saturating_sub(used);
    tokio::time::sleep(SETTLE).await;
    let requests = world.kubernetes.requests().await?.since(&before);
    // Needless writes are no merit.
    let written = requests.writes().min(count * needed);
    Ok((Done { count: written, took, used }, requests))
}

/// How long it takes at a rate that is no load: until the StatefulSet is seen, beside who creates both itself.
async fn paced(world: &mut World, kind: Kind, model: &Model, time: Duration) -> Result<(Latency, Latency)> {
    let sightings = world.kubernetes.sightings();
    let count = u64::from(RATE) * time.as_secs();
    let (kubernetes, there) = (&world.kubernetes, &*world);
    let raw = deploy::at_rate(RATE, count, async |n, due| {
        model.pair(kubernetes, &format!("raw-{n:06}"), due).await
    });
    let raw = raw.await?;
    let name = |n| format!("paced-{n:06}");
    let dues =
        deploy::at_rate(RATE, count, async |n, due| there.offer(kind, &name(n)).await.map(|()| due)).await?;
    let took = until("every workload to be there", PATIENCE, async || {
        let took = (0..).zip(&dues).map(|(n, due)| Some(sightings.of(&name(n))?.saturating_sub(*due)));
        took.collect::<Option<Vec<_>>>().ok_or("some are missing")
    })
    .await?;
    world.count += dues.len() as u64;
    Ok((Latency::of(took).context("nothing was offered")?, Latency::of(raw).context("nothing was offered")?))
}

/// What is asked when nothing happens.
async fn at_rest(world: &World, time: Duration) -> Result<Requests> {
    tokio::time::sleep(SETTLE).await;
    let before = world.kubernetes.requests().await?;
    tokio::time::sleep(time).await;
    Ok(world.kubernetes.requests().await?.since(&before))
}

/// Stops the agent and starts it anew; how long it takes until it has looked at everything, and what that asks of the API
/// server.
async fn restart(world: &mut World) -> Result<(Duration, Requests)> {
    tokio::time::sleep(SETTLE).await;
    world.agent.stop().await?;
    let before = world.kubernetes.requests().await?;
    let begun = Instant::now();
    world.agent.resume(&world.run).await?;
    world.until_counted(PASSES, world.count as f64).await?;
    let took = begun.elapsed();
    tokio::time::sleep(SETTLE).await;
    Ok((took, world.kubernetes.requests().await?.since(&before)))
}
