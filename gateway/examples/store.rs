//! How fast the store takes deployments, what each costs in memory, and how soon it is back after a restart.
//!
//! `cargo run --release -p isthmus-gateway --example store -- [--functions N] [--clusters N] [--directory D]`
//!
//! Distinct functions of 600 to 1,000 bytes, each decided, placed on one of the clusters, assigned and durable before it is
//! answered. Beside it, in the same run and on the same file system, what the disk alone does with the same bytes: appended
//! to a file with one fdatasync for as many records as were in flight, and by bare SQLite in the same way.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use futures::StreamExt;
use isthmus_daemon::clock::{Clock, SystemClock};
use isthmus_gateway::placement::Demand;
use isthmus_gateway::store::command::{
    Certificate, ClusterChange, Command, JoinToken, ResourceChange, SecretHash, Submission, Write, WriteMode,
};
use isthmus_gateway::store::sqlite::SqliteEngine;
use isthmus_gateway::store::{Config, Handle, open};
use isthmus_model::cluster::{Declared, Health, Link};
use isthmus_model::component::ComponentKind;
use isthmus_model::name::{FullName, Labels, Uid};
use isthmus_model::order::UnixMillis;
use isthmus_model::policy::Placement;
use isthmus_model::pulsar_cluster::PulsarCluster;
use isthmus_model::resources::Capacity;
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Parser)]
struct Args {
    /// Functions for each of the two ways to submit.
    #[arg(long, default_value_t = 100_000)]
    functions: usize,
    /// Clusters that have joined.
    #[arg(long, default_value_t = 100)]
    clusters: usize,
    /// Where the store is made; not on tmpfs, or the disk is not measured.
    #[arg(long, default_value = "target/store-bench")]
    directory: PathBuf,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if args.directory.exists() {
        std::fs::remove_dir_all(&args.directory).context("clear the directory of an earlier run")?;
    }
    std::fs::create_dir_all(&args.directory)?;
    runtime.block_on(run(&args))
}

async fn run(args: &Args) -> Result<()> {
    let store = args.directory.join("store");
    let running = Running::open(&store)?;
    prepare(&running.handle, args.clusters).await?;
    let resident = resident()?;
    let unary = unary(&running.handle, args.functions / 4).await?;
    let stream = stream(&running.handle, args.functions).await?;
    let count = args.functions / 4 + args.functions;
    let after = self::resident()?;
    let (placed, waiting) =
        running.handle.read(|state| (state.component_count(), state.waiting_count())).await?;
    ensure!((placed, waiting) == (count, 0), "{placed} of {count} are there and {waiting} wait");
    running.stop().await?;

    let (begun, worked) = (SystemClock.boot(), worked()?);
    let running = Running::open(&store)?;
    let worked = self::worked()?.saturating_sub(worked);
    let found = running.handle.read(|state| state.component(&name("u", 0)).is_some()).await?;
    ensure!(found, "the first function is there after a restart");
    running.handle.submit(submission(function("r", 0, &mut Specs::new(9)))).await?;
    let restart = since(begun);
    running.stop().await?;

    let file = file(&args.directory.join("file"), args.functions, 128)?;
    let file_unary = self::file(&args.directory.join("file"), args.functions / 4, 256)?;
    let sqlite = sqlite(&args.directory.join("bare.db"), args.functions, 128)?;
    println!("stream   {stream:9.0}/s  {:5.2} x file with fdatasync per 128 ({file:.0}/s)", stream / file);
    println!("                       {:5.2} x bare SQLite commits of 128 ({sqlite:.0}/s)", stream / sqlite);
    println!(
        "unary    {unary:9.0}/s  {:5.2} x file with fdatasync per 256 ({file_unary:.0}/s)",
        unary / file_unary
    );
    println!(
        "memory   {:9} bytes of RSS for each of {count} functions",
        after.saturating_sub(resident) / count as u64
    );
    println!(
        "restart  {:9} ms until the first get and create, {} of them computing",
        restart.as_millis(),
        worked.as_millis()
    );
    Ok(())
}

struct Running {
    handle: Handle,
    stop: CancellationToken,
    ended: tokio::task::JoinHandle<Result<(), isthmus_gateway::store::Failure>>,
}

impl Running {
    fn open(directory: &Path) -> Result<Self> {
        let (handle, writer) =
            open(SqliteEngine::open(directory)?, Arc::new(SystemClock), Config::default())?;
        let stop = CancellationToken::new();
        let running = writer.run(stop.clone());
        #[expect(clippy::disallowed_methods, reason = "no server: this is the composition root")]
        let ended = tokio::spawn(running);
        Ok(Self { handle, stop, ended })
    }

    async fn stop(self) -> Result<()> {
        self.stop.cancel();
        Ok(self.ended.await??)
    }
}

/// One submission at a time, 256 in flight.
async fn unary(handle: &Handle, count: usize) -> Result<f64> {
    let mut specs = Specs::new(1);
    let submissions: Vec<_> = (0..count).map(|n| submission(function("u", n, &mut specs))).collect();
    let begun = SystemClock.boot();
    let mut answers =
        futures::stream::iter(submissions).map(|submission| handle.submit(submission)).buffer_unordered(256);
    while let Some(answer) = answers.next().await {
        answer?;
    }
    Ok(rate(count, since(begun)))
}

/// Groups of 128, at most 4,096 unacknowledged, as a stream of the API hands them over.
async fn stream(handle: &Handle, count: usize) -> Result<f64> {
    let mut specs = Specs::new(2);
    let begun = SystemClock.boot();
    let groups = (0..count).step_by(128).map(|from| {
        (from..count.min(from + 128)).map(|n| submission(function("s", n, &mut specs))).collect::<Vec<_>>()
    });
    let mut answers = futures::stream::iter(groups).map(|group| handle.submit_all(group)).buffered(32);
    while let Some(answers) = answers.next().await {
        for answer in answers {
            answer?;
        }
    }
    Ok(rate(count, since(begun)))
}

fn file(path: &Path, count: usize, group: usize) -> Result<f64> {
    let mut specs = Specs::new(3);
    let mut file = std::fs::File::create(path)?;
    let begun = SystemClock.boot();
    for from in (0..count).step_by(group) {
        for _ in from..count.min(from + group) {
            file.write_all(&specs.next())?;
        }
        file.sync_data()?;
    }
    Ok(rate(count, since(begun)))
}

fn sqlite(path: &Path, count: usize, group: usize) -> Result<f64> {
    let mut specs = Specs::new(4);
    let mut connection = rusqlite::Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute_batch("CREATE TABLE log (idx INTEGER PRIMARY KEY, record BLOB NOT NULL)")?;
    let begun = SystemClock.boot();
    for from in (0..count).step_by(group) {
        let transaction = connection.transaction()?;
        for n in from..count.min(from + group) {
            transaction.prepare_cached("INSERT INTO log VALUES (?, ?)")?.execute((n as u64, specs.next()))?;
        }
        transaction.commit()?;
    }
    Ok(rate(count, since(begun)))
}

fn since(begun: Duration) -> Duration {
    SystemClock.boot().saturating_sub(begun)
}

fn rate(count: usize, time: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / time.as_secs_f64()
}

/// Time that this thread computed.
fn worked() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(stat.split(' ').next().context("no time in schedstat")?.parse()?))
}

fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS in /proc/self/status")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}

/// Specs of 600 to 1,000 bytes that do not repeat.
struct Specs {
    random: StdRng,
    pool: Vec<u8>,
}

impl Specs {
    fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut pool = vec![0; 1 << 16];
        random.fill_bytes(&mut pool);
        Self { random, pool }
    }

    fn next(&mut self) -> Vec<u8> {
        let length = self.random.random_range(584..=984);
        let from = self.random.random_range(0..self.pool.len() - length);
        let mut spec = self.random.random::<u128>().to_le_bytes().to_vec();
        spec.extend(self.pool.iter().skip(from).take(length));
        spec
    }
}

fn name(prefix: &str, n: usize) -> FullName {
    let namespace = format!("namespace-{}", n % 10);
    FullName::new("tenant", &namespace, &format!("function-{prefix}-{n}")).expect("a valid name")
}

fn function(prefix: &str, n: usize, specs: &mut Specs) -> Command {
    let replicas = u32::try_from(1 + n % 3).unwrap_or(1);
    let runtime = if n.is_multiple_of(2) { "java" } else { "python" };
    Command::Write(Write {
        mode: WriteMode::Create,
        uid: Uid(uuid::Builder::from_random_bytes(specs.random.random()).into_uuid()),
        name: name(prefix, n),
        kind: ComponentKind::Function,
        spec: specs.next().into(),
        demand: Arc::new(Demand {
            runtime: runtime.into(),
            replicas,
            reserved: replicas,
            each: Capacity { cpu_millis: 100, memory_bytes: 128 << 20, instances: 1 },
            pulsar: None,
            policy: Placement::default(),
            sealed_for: Box::default(),
        }),
        labels: Labels::new(),
        packages: Vec::new(),
        sealed: None,
    })
}

fn submission(command: Command) -> Submission {
    let principal = "bench".parse().expect("a valid name");
    Submission { principal, time: UnixMillis(1), request: None, command }
}

async fn prepare(handle: &Handle, clusters: usize) -> Result<()> {
    let pulsar = PulsarCluster {
        name: "main".parse()?,
        service_url: "pulsar://localhost:6650".to_owned(),
        admin_url: "http://localhost:8080".to_owned(),
        pulsar_name: String::new(),
        state_service_url: String::new(),
        peers: Vec::new(),
    };
    handle.submit(submission(Command::Resource(ResourceChange::PutPulsarCluster(pulsar)))).await?;
    for n in 0..clusters {
        let name: isthmus_model::name::ClusterName = format!("cluster-{n:03}").parse()?;
        let token = SecretHash::of(name.as_str().as_bytes());
        let expires_at = UnixMillis(u64::MAX);
        let join = JoinToken {
            hash: token,
            cluster: name.clone(),
            labels: Labels::new(),
            expires_at,
            used_at: None,
        };
        handle.submit(submission(Command::Resource(ResourceChange::CreateJoinToken(join)))).await?;
        let certificate = Certificate { serial: n.to_string(), not_after: expires_at };
        let capacity = Capacity { cpu_millis: 10_000_000, memory_bytes: 1 << 45, instances: 100_000 };
        let capabilities = vec!["java".to_owned(), "python".to_owned()];
        for change in [
            ClusterChange::Join { token, certificate, renewal: token },
            ClusterChange::Declare(Declared {
                version: "1".to_owned(),
                capabilities,
                capacity,
                sealing_key: None,
            }),
            ClusterChange::Link { pulsar: "main".parse()?, link: Link::default(), default: true },
            ClusterChange::Health(Health::Healthy),
        ] {
            handle.submit(submission(Command::Cluster { name: name.clone(), change })).await?;
        }
    }
    Ok(())
}
