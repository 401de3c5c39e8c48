//! `isthmus-runner`: where one instance of a component lives.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use isthmus_runner::guard;

#[derive(Debug, Parser)]
#[command(name = "isthmus-runner", version, about = "Runs one instance of a component")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a program, keep its output, and end it when told to or when its lease is over.
    Guard(guard::Options),
    /// What a guard starts in order to become its program.
    #[command(hide = true)]
    GuardedProgram(guard::ProgramOptions),
}

/// `EX_USAGE` of `sysexits.h`.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refused) => {
            // Nobody reads what cannot be printed.
            let _unread = refused.print();
            return if refused.use_stderr() { USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    match arguments.command {
        Command::Guard(options) => match guard::run(&options) {
            Ok(_recorded) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&error);
                error.exit_code().into()
            }
        },
        Command::GuardedProgram(options) => guard::become_program(&options),
    }
}

fn complain(error: &guard::Error) {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    // Nobody reads what cannot be printed.
    let _unread = writeln!(std::io::stderr(), "isthmus-runner: {error}{cause}");
}
