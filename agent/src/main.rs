//! The agent: joins once, then keeps its cluster's share running.

mod chore;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use isthmus_agent::Config;
use isthmus_daemon::program::{self, Program, Server};

use chore::Chore;

/// Runs one cluster's share of the federation.
#[derive(Debug, Parser)]
#[command(name = "isthmus-agent", version)]
struct Arguments {
    #[command(flatten)]
    options: program::Options,
    /// File with the join token, for the first start; stands over join_token_file of the configuration.
    #[arg(long, value_name = "FILE")]
    join_token_file: Option<PathBuf>,
    /// Something else than to run.
    #[command(subcommand)]
    chore: Option<Chore>,
}

fn main() -> ExitCode {
    let program =
        Program { name: "isthmus-agent", version: env!("CARGO_PKG_VERSION"), env_prefix: "ISTHMUS_AGENT" };
    let Arguments { options, join_token_file, chore } = Arguments::parse();
    if let Some(chore) = chore {
        return chore::run(program, chore, options.config);
    }
    program::run(program, options, async move |mut config: Config, server: Server| {
        config.join_token_file = join_token_file.or(config.join_token_file);
        isthmus_agent::start(config, server).await
    })
}
