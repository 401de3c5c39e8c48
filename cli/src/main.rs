//! `isthmus`: what people type.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args = match isthmus_cli::args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Nothing is left to tell when even this cannot be written.
            let _ = error.print();
            return if error.use_stderr() {
                isthmus_cli::exit::Exit::Usage.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime could not be started: {error}");
            return isthmus_cli::exit::Exit::Failed.into();
        }
    };
    runtime.block_on(isthmus_cli::run(args)).into()
}
