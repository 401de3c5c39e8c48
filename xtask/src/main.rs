//! The one door for chores: `cargo xtask test` is what a person and CI run alike.
#![expect(clippy::disallowed_methods, reason = "chores measure real time and live by their environment")]

mod cargo;
mod check;
mod codegen;
mod test;
mod demo;
mod bench;
mod cluster;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// Chores of the Isthmus repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// The main job, shown: two functions deployed through a gateway run on two agents against a real Pulsar.
    Demo(demo::Options),
    /// Real Kubernetes clusters to look around in: up, down, kubeconfig.
    Cluster {
        #[command(subcommand)]
        command: cluster::Command,
    },
    /// Measures the programs beside references on this machine: accept, propagate, memory, restart.
    Bench(bench::Options),
    /// Everything that proves the tree: formatting, lints, edges, printed files, then all tests.
    Test {
        /// Stop before the tests that start real servers.
        #[arg(long)]
        fast: bool,
    },
    /// Compares the edges of crates and modules with the reviewed ones; finds orphaned and undocumented modules.
    Check {
        /// Take the edges as they are for reviewed.
        #[arg(long)]
        bless: bool,
    },
    /// Prints the files that are printed from the code.
    Codegen,
}

fn main() -> ExitCode {
    let outcome = match Args::parse().chore {
        Chore::Demo(options) => demo::run(options),
        Chore::Cluster { command } => cluster::run(command),
        Chore::Bench(options) => bench::run(&root(), &options),
        Chore::Test { fast } => test::run(&root(), fast),
        Chore::Codegen => codegen::write(&root()),
        Chore::Check { bless } => check::run(&root(), bless),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The checkout that this program was built from.
fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}
