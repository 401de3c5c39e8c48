//! The load behind `cargo xtask bench`: our programs under load, beside references measured in the same run.
//!
//! ```text
//! load         what is deployed: functions of 600 to 1,000 bytes, no two alike
//! stage        a gateway of its own for each part, and the clusters that joined it
//!   ▼          fleet: many agents in a process of their own (production link and inbox, a target that runs nothing)
//! deploy       unary calls (lean: by a client that costs little) and batch streams, every answer looked at
//!   ▼
//! accept · propagate · memory · restart      what is measured
//!   ▼          reference: etcd, a bare echo, the disk
//! kubernetes   a real API server and an agent that is its operator
//!   ▼
//! reconcile · end-to-end · memory            what is measured
//!   ▼          reference: the same objects written by who knows them beforehand
//! report       figures with their references and targets, as a table or as JSON
//! ```
//!
//! A figure by itself says more about the machine than about us, so each stands beside one of the same minute on the same
//! disk. What the load costs is on the same machine, too, for us as for the references.
#![expect(
    clippy::disallowed_methods,
    reason = "a bench measures real time, and its tasks end with the part that has them"
)]
#![expect(clippy::cast_precision_loss, reason = "figures are shown with three digits")]

mod load;
mod process;
mod latency;
mod histogram;
mod metrics;
mod fleet;
mod stage;
mod lean;
mod deploy;
mod requests;
mod kubernetes;
mod operator;
mod reference;
mod accept;
mod propagate;
mod memory;
mod restart;
mod reconcile;
mod end_to_end;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use isthmus_testbed::isthmus::Programs;
use report::Report;

/// Measures Isthmus against references on this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Args {
    #[command(subcommand)]
    inner: Option<Inner>,
    /// What to measure.
    #[arg(value_enum, default_value_t = Part::All)]
    part: Part,
    #[command(flatten)]
    size: Size,
    /// Print JSON and no table.
    #[arg(long)]
    json: bool,
}

/// Processes of the bench itself.
#[derive(Debug, clap::Subcommand)]
enum Inner {
    /// Many agents.
    #[command(hide = true)]
    Fleet(fleet::Options),
    /// A bare echo server.
    #[command(hide = true)]
    Echo(reference::echo::Options),
    /// A bare client of it that does nothing.
    #[command(hide = true)]
    Idle(reference::echo::Options),
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Deployments accepted in a second.
    Accept,
    /// From the gateway to the agent.
    Propagate,
    /// Resident memory.
    Memory,
    /// From nothing to the first answers.
    Restart,
    /// Custom resources made into workloads on Kubernetes.
    Reconcile,
    /// From the gateway to the workload on Kubernetes.
    EndToEnd,
    /// All of it.
    All,
}

/// How much load; each part has a default of its own for what is left out.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
struct Size {
    /// Functions: memory and restart 100,000, reconcile 500, an agent's on
    /// Kubernetes 3,000 at most.
    #[arg(long)]
    functions: Option<u64>,
    /// Clusters: accept 100, propagate and memory 1,000, restart 20.
    #[arg(long)]
    agents: Option<u64>,
    /// Seconds under load: accept 12 for each way, propagate 20, memory 60 idle, reconcile and
    /// end-to-end 10 at a rate.
    #[arg(long)]
    seconds: Option<u64>,
    /// Let the agents of accept stay in session and make everything durable, too. Otherwise they have joined, declared what
    /// they can do, and left.
    #[arg(long)]
    connected: bool,
    /// Threads that run the gateway's tasks in accept; it takes one for each core by itself.
    #[arg(long)]
    gateway_threads: Option<u64>,
}

impl Size {
    fn functions(self, default: u64) -> u64 {
        self.functions.unwrap_or(default).max(1)
    }

    fn agents(self, default: u64) -> u64 {
        self.agents.unwrap_or(default).max(1)
    }

    fn seconds(self, default: u64) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(default).max(1))
    }
}

fn main() -> ExitCode {
    isthmus_daemon::tls::install_crypto_provider();
    let args = Args::parse();
    match run(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<bool> {
    let runtime = tokio::runtime::Runtime::new().context("start a runtime")?;
    runtime.block_on(async {
        tokio::select! {
            // Whatever runs ends with the values that hold it.
            biased;
            interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| false).context("listen for Ctrl-C"),
            outcome = Box::pin(perform(args)) => outcome,
        }
    })
}

async fn perform(args: Args) -> Result<bool> {
    match args.inner {
        Some(Inner::Fleet(options)) => fleet::run(options).await.map(|()| true),
        Some(Inner::Echo(options)) => reference::echo::serve(options).await.map(|()| true),
        Some(Inner::Idle(options)) => reference::echo::idle(options).await.map(|()| true),
        None => {
            let report = measure(args.part, args.size, &programs()?).await?;
            if args.json {
                println!("{}", report.json()?);
            } else {
                println!("{}", report.table());
            }
            Ok(report.holds())
        }
    }
}

async fn measure(part: Part, size: Size, programs: &Programs) -> Result<Report> {
    let wanted = |one| part == one || part == Part::All;
    let mut report = Report::begin();
    if wanted(Part::Accept) {
        report.add(accept::measure(size, programs).await.context("accept")?);
    }
    if wanted(Part::Propagate) {
        report.add(propagate::measure(size, programs).await.context("propagate")?);
    }
    if wanted(Part::Memory) {
        report.add(memory::measure(size, programs).await.context("memory")?);
    }
    if wanted(Part::Restart) {
        report.add(restart::measure(size, programs).await.context("restart")?);
    }
    if wanted(Part::Reconcile) {
        report.add(reconcile::measure(size, programs).await.context("reconcile")?);
    }
    if wanted(Part::EndToEnd) {
        report.add(end_to_end::measure(size, programs).await.context("end-to-end")?);
    }
    Ok(report)
}

/// Our programs, which lie beside this one.
fn programs() -> Result<Programs> {
    let own = own()?;
    let beside = |name: &str| own.with_file_name(name);
    Ok(Programs {
        gateway: beside("isthmus-gateway"),
        agent: beside("isthmus-agent"),
        cli: beside("isthmus"),
        runner: beside("isthmus-runner"),
    })
}

/// This program.
fn own() -> Result<PathBuf> {
    std::env::current_exe().context("find this program")
}
