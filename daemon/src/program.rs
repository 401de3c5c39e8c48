//! The life of a server from its command line to its exit code, so that each `main` is a page.
//!
//! ```no_run
//! # use isthmus_daemon::{admin, program, runtime, shutdown, telemetry};
//! #[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
//! #[serde(default)]
//! struct Config {
//!     runtime: runtime::Config,
//!     log: telemetry::Config,
//!     admin: admin::Config,
//!     shutdown: shutdown::Config,
//! }
//!
//! impl program::Settings for Config {
//!     fn common(&self) -> program::Common<'_> {
//!         program::Common {
//!             runtime: self.runtime,
//!             log: &self.log,
//!             admin: &self.admin,
//!             shutdown: self.shutdown,
//!         }
//!     }
//! }
//!
//! async fn start(config: Config, server: program::Server) -> Result<(), program::BoxError> {
//!     // Build the parts, spawn their tasks on `server.tasks`, and return.
//!     Ok(())
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     let program = program::Program { name: "isthmus-x", version: "1.0.0", env_prefix: "ISTHMUS_X" };
//!     let options = <program::Options as clap::Parser>::parse();
//!     program::run(program, options, start)
//! }
//! ```

use std::fmt::Debug;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin, Readiness};
use crate::chain::Chain;
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Source};
use crate::shutdown::{self, Exit, Sequence, Signals};
use crate::tasks::{OnFailure, OnShutdown, Stage, Tasks};
use crate::telemetry::{self, Telemetry};
use crate::{runtime, tls};

pub use crate::tasks::BoxError;

/// Which program runs.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Its name, such as `isthmus-gateway`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What its environment variables start with, such as `ISTHMUS_GATEWAY`.
    pub env_prefix: &'static str,
}

/// What every server takes on its command line. A program with more flags flattens it into its own.
#[derive(Debug, Clone, Default, clap::Parser)]
pub struct Options {
    /// YAML file with the configuration; environment variables stand over it.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Print the configuration that results from defaults, file and environment, and exit.
    #[arg(long)]
    pub dump_config: bool,
}

/// The configuration tree of a program.
pub trait Settings: DeserializeOwned + Serialize + Debug + Send + 'static {
    /// The parts that every server has.
    fn common(&self) -> Common<'_>;

    /// What types alone cannot say, such as plain text on a public address. Asked before anything is started.
    ///
    /// # Errors
    /// The first value that cannot be; see [`config::Error::refused`].
    fn check(&self) -> Result<(), config::Error> {
        Ok(())
    }
}

/// The parts that every server's configuration has.
#[derive(Debug, Clone, Copy)]
pub struct Common<'a> {
    /// The threads.
    pub runtime: runtime::Config,
    /// The log.
    pub log: &'a telemetry::Config,
    /// The admin port.
    pub admin: &'a admin::Config,
    /// The end.
    pub shutdown: shutdown::Config,
}

/// What a program builds its parts with.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where lasting tasks are spawned.
    pub tasks: Tasks,
    /// Where parts say what they still lack.
    pub readiness: Readiness,
    /// Log filter and metrics.
    pub telemetry: Telemetry,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
    /// Ends the server from inside when cancelled.
    pub request: CancellationToken,
    /// Where the admin port really is.
    pub admin_address: SocketAddr,
}

/// Runs a server: configuration, log, tasks, admin port, then `start`, which builds the parts and returns; then
/// waits for the end, and ends in order. Everything that goes wrong is one line on standard error or in the log.
///
/// Exit codes: 64 when the configuration is refused, 70 when the server cannot start or a task failed that it
/// cannot do without, otherwise those of [`Exit::code`].
pub fn run<C, F>(program: Program, options: Options, start: F) -> ExitCode
where
    C: Settings,
    F: AsyncFnOnce(C, Server) -> Result<(), BoxError>,
{
    tls::install_crypto_provider();
    let config: C = match configure(program, options.config) {
        Ok(config) => config,
        Err(error) => return complain(program, config::Error::EXIT_CODE, &error),
    };
    if options.dump_config {
        return dump(program, &config);
    }
    match runtime::run(config.common().runtime, live(program, config, start)) {
        Ok(exit) => exit.into(),
        Err(error) => complain(program, CANNOT_START, &error),
    }
}

/// `EX_SOFTWARE` of `sysexits.h`, as [`Exit::Failed`].
const CANNOT_START: u8 = 70;

fn configure<C: Settings>(program: Program, file: Option<PathBuf>) -> Result<C, config::Error> {
    let config: C = config::load(Source::of_process(file, program.env_prefix))?;
    config.check()?;
    Ok(config)
}

fn dump<C: Settings>(program: Program, config: &C) -> ExitCode {
    match config::dump(config) {
        Ok(text) => {
            // Who closed the pipe has seen enough.
            let _closed = std::io::stdout().lock().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => complain(program, CANNOT_START, &error),
    }
}

fn complain(program: Program, code: u8, error: &(dyn std::error::Error + 'static)) -> ExitCode {
    let line = format!("{}: {}\n", program.name, Chain(error));
    // There is nowhere else to say that standard error is closed.
    let _closed = std::io::stderr().lock().write_all(line.as_bytes());
    code.into()
}

async fn live<C, F>(program: Program, config: C, start: F) -> Exit
where
    C: Settings,
    F: AsyncFnOnce(C, Server) -> Result<(), BoxError>,
{
    let shutdown = config.common().shutdown;
    let readiness = Readiness::new();
    // Before the admin port answers: nobody may be told of a server that is ready to start.
    let started = readiness.require("start");
    let (server, signals) = match base(program, &config.common(), readiness).await {
        Ok(base) => base,
        Err(error) => {
            complain(program, CANNOT_START, &*error);
            return Exit::NotStarted;
        }
    };
    let Server { tasks, readiness, request, .. } = server.clone();
    let sequence = Sequence { config: shutdown, signals, request: request.clone(), tasks, readiness };
    // The first signal also ends a start that hangs: dropping the start drops what it built so far.
    let exit = std::pin::pin!(sequence.run());
    let starting = std::pin::pin!(start(config, server));
    match futures::future::select(exit, starting).await {
        futures::future::Either::Left((exit, _abandoned)) => exit,
        futures::future::Either::Right((Ok(()), exit)) => {
            started.holds();
            exit.await
        }
        futures::future::Either::Right((Err(error), exit)) => {
            let problem = Chain(&*error).to_string();
            tracing::error!(problem, "{} cannot start: {problem}", program.name);
            request.cancel();
            let _stopped = exit.await;
            Exit::NotStarted
        }
    }
}

async fn base(
    program: Program,
    common: &Common<'_>,
    readiness: Readiness,
) -> Result<(Server, Signals), BoxError> {
    /// The admin port has nothing to finish but answers that are being written.
    const LAST_ANSWERS: OnShutdown = OnShutdown::Drain { deadline: Duration::from_secs(1) };
    let signals = Signals::listen()?;
    let build = telemetry::Build { program: program.name, version: program.version };
    let telemetry = telemetry::install(common.log, build)?;
    let tasks = Tasks::new();
    let admin = Admin::bind(common.admin, readiness.clone(), telemetry.clone()).await?;
    let admin_address = admin.local_address();
    tasks.spawn("admin", OnFailure::EndProcess, Stage::Flush, LAST_ANSWERS, |stop| admin.serve(stop));
    let metrics = telemetry.metrics.clone();
    tasks.spawn("metrics upkeep", OnFailure::LogOnly, Stage::Flush, OnShutdown::Abort, |stop| {
        metrics.upkeep(stop)
    });
    let (clock, request) = (Arc::new(SystemClock), CancellationToken::new());
    Ok((Server { tasks, readiness, telemetry, clock, request, admin_address }, signals))
}
