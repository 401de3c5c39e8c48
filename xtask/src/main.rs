//! The one door for chores: `cargo xtask test` is what a person and CI run alike.

mod test;

use std::process::ExitCode;

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
    /// Everything that proves the tree: formatting, lints, then all tests.
    Test,
}

fn main() -> ExitCode {
    let outcome = match Args::parse().chore {
        Chore::Test => test::run(),
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
