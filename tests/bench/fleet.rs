//! Many agents in one process: the production link and inbox with its durable file, and a target that runs nothing.
//!
//! The agents of a real federation are spread over as many machines; here a few processes hold them all. Each joins by its
//! token, declares that it can run anything, and keeps its session until the process is ended.

pub(crate) mod commits;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use isthmus_agent::inbox::{self, budget::Budget};
use isthmus_agent::lease;
use isthmus_agent::link::address::GatewayAddress;
use isthmus_agent::link::{self, Link, enrol, fetch};
use isthmus_agent::report::Reports;
use isthmus_agent::target::DesiredHandle;
use isthmus_daemon::admin::Readiness;
use isthmus_daemon::clock::{Clock, SystemClock};
use isthmus_model::cluster::Declared;
use isthmus_model::name::Uid;
use isthmus_model::order::Generation;
use isthmus_model::resources::Capacity;
use isthmus_tests::nothing::Nothing;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// First contacts at a time.
const JOINING: usize = 8;

/// As much as no load of ours fills.
const CAPACITY: Capacity = Capacity { cpu_millis: 1 << 40, memory_bytes: 1 << 60, instances: 1 << 40 };

/// Which agents.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// `host:port`.
    #[arg(long)]
    pub(crate) gateway: GatewayAddress,
    /// A directory for each cluster, with its token.
    #[arg(long)]
    pub(crate) directory: PathBuf,
    /// The number of the first cluster.
    #[arg(long)]
    pub(crate) first: u64,
    /// How many.
    #[arg(long)]
    pub(crate) count: u64,
    /// The file that tells what became durable, when.
    #[arg(long)]
    pub(crate) arrivals: PathBuf,
    /// The file that tells how long commits took.
    #[arg(long)]
    pub(crate) commits: PathBuf,
}

/// The name of a cluster of the bench.
pub(crate) fn cluster(number: u64) -> String {
    format!("cluster-{number:04}")
}

/// Where a cluster's token lies.
pub(crate) fn token_file(directory: &Path, cluster: &str) -> PathBuf {
    directory.join(cluster).join("token")
}

/// One line of what became durable at an agent: a component, and the time since boot; or only that something did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// `None` when the set changed and nothing came.
    pub(crate) uid: Option<Uid>,
    /// The machine's clock, which all of its processes share.
    pub(crate) at: Duration,
}

impl Arrival {
    /// Reads a line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (uid, at) = line.split_once(' ')?;
        let uid = if uid == "-" { None } else { Some(uid.parse().ok()?) };
        Some(Self { uid, at: Duration::from_nanos(at.parse().ok()?) })
    }

    fn line(self) -> String {
        let Self { uid, at } = self;
        format!("{} {}\n", uid.map_or_else(|| "-".to_owned(), |uid| uid.to_string()), at.as_nanos())
    }
}

/// Runs them until one of them fails for good.
pub(crate) async fn run(options: Options) -> Result<()> {
    let Options { gateway, directory, first, count, arrivals, commits } = options;
    commits::record(&commits)?;
    let file = std::fs::File::options().create(true).append(true).open(&arrivals);
    let arrivals = Arc::new(Mutex::new(file.with_context(|| format!("open {}", arrivals.display()))?));
    let (_declare, declared) = watch::channel(Declared {
        version: "bench".into(),
        capabilities: ["java", "python", "go"].map(str::to_owned).to_vec(),
        capacity: CAPACITY,
        sealing_key: None,
    });
    let begun: Vec<_> = futures::stream::iter(first..first + count)
        .map(|number| begin(&directory, number, &gateway, declared.clone(), &arrivals))
        .buffer_unordered(JOINING)
        .try_collect()
        .await?;
    let mut tasks = JoinSet::new();
    for agent in begun {
        tasks.spawn(agent.run());
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

struct Agent {
    link: Link<Nothing>,
    inbox: inbox::Inbox,
    desired: DesiredHandle,
    arrivals: Arc<Mutex<std::fs::File>>,
}

async fn begin(
    directory: &Path,
    number: u64,
    gateway: &GatewayAddress,
    declared: watch::Receiver<Declared>,
    arrivals: &Arc<Mutex<std::fs::File>>,
) -> Result<Agent> {
    let name = cluster(number);
    let own = directory.join(&name);
    let gateways = vec![gateway.clone()];
    let (config, clock) = (link::Config::default(), Arc::new(SystemClock));
    let token = token_file(directory, &name);
    let enrolment =
        enrol::Config { directory: &own, gateways: &gateways, token_file: Some(&token), dial: config.dial };
    let identity = enrol::enrol(enrolment).await.with_context(|| format!("{name} joins"))?;
    let reports = Reports::default();
    let (inbox, handle, desired) = inbox::open(&own, Budget::default(), reports.clone(), clock.clone())?;
    let (lessor, _lease) = lease::lease();
    let (lender, _fetcher) = fetch::lender();
    let link = Link {
        config,
        gateways,
        identity: Arc::new(identity),
        inbox: handle,
        reports,
        lessor,
        declared,
        target: Arc::new(Nothing),
        lender,
        clock,
        ready: Readiness::new().require("session"),
    };
    Ok(Agent { link, inbox, desired, arrivals: arrivals.clone() })
}

impl Agent {
    async fn run(self) -> Result<()> {
        let Self { link, inbox, desired, arrivals } = self;
        // Nothing here stops by itself: the process is ended.
        let stop = CancellationToken::new();
        // On the heap: a thousand of them are moved about.
        let link = Box::pin(link.run(stop.clone()));
        let inbox = Box::pin(inbox.run(stop));
        let (linked, kept, recorded) = tokio::join!(link, inbox, record(desired, arrivals));
        linked?;
        kept?;
        recorded
    }
}

/// Notes what is durable; the set is told after the write and right before the acknowledgement.
async fn record(mut desired: DesiredHandle, arrivals: Arc<Mutex<std::fs::File>>) -> Result<()> {
    let newest = |desired: &mut DesiredHandle, known: Generation| {
        desired.look(|set| {
            let newer = set.entries.values().filter(|entry| entry.generation() > known);
            newer.map(|entry| (entry.generation(), entry.uid())).collect::<Vec<_>>()
        })
    };
    let highest = |known, new: &[(Generation, Uid)]| {
        new.iter().map(|(generation, _)| *generation).fold(known, Ord::max)
    };
    let mut known = highest(Generation(0), &newest(&mut desired, Generation(0)));
    while desired.changed().await {
        let at = SystemClock.boot();
        let new = newest(&mut desired, known);
        known = highest(known, &new);
        let mut lines: String = new.iter().map(|(_, uid)| Arrival { uid: Some(*uid), at }.line()).collect();
        if lines.is_empty() {
            lines = Arrival { uid: None, at }.line();
        }
        arrivals.lock().write_all(lines.as_bytes()).context("write the file of arrivals")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrival_is_read_as_it_was_written() {
        let uid = "0190d3c5-0000-7000-8000-000000000001".parse().unwrap();
        for uid in [Some(uid), None] {
            let arrival = Arrival { uid, at: Duration::from_nanos(1_234_567_890_123) };
            assert_eq!(Arrival::parse(arrival.line().trim_end()), Some(arrival));
        }
        assert_eq!(Arrival::parse("x 1"), None);
    }
}
