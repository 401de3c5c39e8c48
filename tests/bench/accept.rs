//! Acknowledged durable deployments in a second, beside what etcd acknowledges of the same bytes.

use std::time::Duration;

use anyhow::Result;
use isthmus_testbed::etcd::Durability;
use isthmus_testbed::isthmus::Programs;
use isthmus_testbed::{Etcd, Run};
use serde_json::json;

use crate::Size;
use crate::deploy::{self, Done, FRAME, Series, Until};
use crate::process;
use crate::reference::{etcd, fdatasync};
use crate::report::{Figure, Target};
use crate::stage::Stage;

const PART: &str = "accept";

/// Calls at the same time.
const IN_FLIGHT: usize = 256;

/// Every way has its turn so often: what else the machine does meanwhile hits all of them.
const ROUNDS: u32 = 3;

/// Clusters without a session count as healthy for as long as the bench may take.
fn patient(threads: Option<u64>) -> serde_json::Value {
    json!({ "health": { "suspect_after": "2h", "lease": "3h" }, "runtime": { "threads": threads } })
}

#[derive(Default)]
struct Ways {
    unary: Done,
    stream: Done,
    puts: Done,
    transactions: Done,
}

/// Measures.
pub(crate) async fn measure(size: Size, programs: &Programs) -> Result<Vec<Figure>> {
    let (clusters, time) = (size.agents(100), size.seconds(12) / ROUNDS);
    let mut stage = Stage::set("bench-accept", programs, &patient(size.gateway_threads)).await?;
    stage.join(clusters, 1).await?;
    if !size.connected {
        stage.disconnect().await?;
    }
    let reference = Etcd::start(&stage.cache, Durability::Synced).await?;
    let ways = rounds(&stage, &reference, time).await?;
    let disk = fdatasync::measure(stage.run.dir(), Duration::from_secs(1))?;
    reference.stop().await?;
    stage.clear().await?;

    let Ways { unary, stream, puts, transactions } = ways;
    let unary_name = format!("unary, {IN_FLIGHT} in flight, {clusters} clusters");
    let stream_name = format!("batch stream, {FRAME} a frame");
    let (puts_name, transactions_name) =
        (format!("etcd puts, {IN_FLIGHT} in flight"), format!("etcd transactions of {FRAME} puts"));
    Ok(vec![
        figure(&unary_name, unary).against(&puts_name, puts.rate()).target(Target::RatioAtLeast(3.0)),
        figure(&stream_name, stream).against(&puts_name, puts.rate()).target(Target::RatioAtLeast(8.0)),
        figure(&stream_name, stream).against(&transactions_name, transactions.rate()),
        used("the gateway", &unary_name, unary).against(format!("etcd for {puts_name}"), puts.each()),
        used("the gateway", &stream_name, stream)
            .against(format!("etcd for {transactions_name}"), transactions.each()),
        Figure::new(PART, "one append with fdatasync, p50", disk.p50.as_secs_f64() * 1e3, "ms"),
    ])
}

fn figure(name: &str, done: Done) -> Figure {
    let note = format!("{} in {:.1} s", done.count, done.took.as_secs_f64());
    Figure::new(PART, name, done.rate(), "/s").note(note)
}

/// What a server used of processors for each: how much of the machine is left for others hardly changes it.
fn used(server: &str, name: &str, done: Done) -> Figure {
    Figure::new(PART, format!("processors of {server}, {name}"), done.each(), "µs")
}

async fn rounds(stage: &Stage, reference: &Etcd, time: Duration) -> Result<Ways> {
    let (ours, batch) = (Series::new("unary"), Series::new("batch"));
    let (put, transaction) = (Series::new("put"), Series::new("transaction"));
    let (gateway, etcd_run) = ((&stage.run, "isthmus-gateway"), (reference.run(), "etcd"));
    let url = reference.url();
    let mut ways = Ways::default();
    for _ in 0..ROUNDS {
        let done = with_use(gateway, deploy::unary(&stage.connection, &ours, IN_FLIGHT, time)).await?;
        ways.unary = ways.unary.and(done);
        let done = with_use(etcd_run, etcd::puts(&url, &put, IN_FLIGHT, time)).await?;
        ways.puts = ways.puts.and(done);
        let done = with_use(gateway, deploy::stream(&stage.connection, &batch, Until::Time(time))).await?;
        ways.stream = ways.stream.and(done);
        let done = with_use(etcd_run, etcd::transactions(&url, &transaction, IN_FLIGHT / 8, time)).await?;
        ways.transactions = ways.transactions.and(done);
    }
    Ok(ways)
}

/// With what the server used meanwhile.
async fn with_use((run, program): (&Run, &str), load: impl Future<Output = Result<Done>>) -> Result<Done> {
    let before = process::processor_time(run, program)?;
    let done = load.await?;
    Ok(Done { used: process::processor_time(run, program)?.saturating_sub(before), ..done })
}
