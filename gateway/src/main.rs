//! `isthmus-gateway`: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use isthmus_daemon::chain::Chain;
use isthmus_daemon::program::{self, Program};
use isthmus_gateway::{config, init, server};

/// Requests are allocated by the threads that serve and given back by those that write, for hours: what the C library's
/// allocator makes of that costs a quarter of the time of a call.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The gateway of an Isthmus federation.
#[derive(Debug, Parser)]
#[command(name = "isthmus-gateway", version, args_conflicts_with_subcommands = true)]
struct Args {
    #[command(flatten)]
    serve: program::Options,
    #[command(subcommand)]
    command: Option<Subcommand>,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    /// Make a new federation: certificate authority, first administrator, configuration.
    Init(init::Options),
}

fn main() -> ExitCode {
    let Args { serve, command } = Args::parse();
    match command {
        Some(Subcommand::Init(options)) => make(options),
        None => {
            let program = Program {
                name: "isthmus-gateway",
                version: env!("CARGO_PKG_VERSION"),
                env_prefix: config::ENV_PREFIX,
            };
            program::run(program, serve, server::start)
        }
    }
}

fn make(options: init::Options) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("isthmus-gateway: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(init::init(options)) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error @ init::Error::Config(_)) => {
            eprintln!("isthmus-gateway: {}", Chain(&error));
            isthmus_daemon::config::Error::EXIT_CODE.into()
        }
        Err(error) => {
            eprintln!("isthmus-gateway: {}", Chain(&error));
            ExitCode::FAILURE
        }
    }
}
