//! What people type: a client of the public API like any other, with kubectl's habits.
//!
//! ```text
//! args (exactly what was typed) ▶ request (what it means: flags, environment, profile)
//!   ▶ client (a connection with credentials and deadlines) ▶ commands (one file a verb) ▶ output (table, json, yaml, names)
//! ```
//!
//! Data goes to standard output, talk to standard error, and the exit code tells the truth; see [`exit::Exit`].

pub mod args;
mod environment;
mod request;
mod client;
mod manifest;
mod secrets;
mod selection;
mod wait;
mod commands;
mod view;
mod output;
mod error;
mod style;
pub mod exit;

/// Does what was typed, prints what came of it, and says how the process shall end.
pub async fn run(args: args::Args) -> exit::Exit {
    let environment = environment::Environment::of_this_process();
    let style = style::Style::of(&args.global, &environment);
    match commands::run(args, &environment, style).await {
        Ok(exit) => exit,
        Err(error) => {
            error.print(style);
            error.exit()
        }
    }
}
