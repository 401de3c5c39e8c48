//! What the program does beside running: printing what it would do.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Subcommand, ValueEnum};
use isthmus_agent::Config;
use isthmus_agent::operator::render;
use isthmus_daemon::config::{self, Source};
use isthmus_daemon::program::Program;

/// Something else than to run.
#[derive(Debug, Subcommand)]
pub(crate) enum Chore {
    /// Print the objects that custom resources would become in a Kubernetes cluster, without one.
    Render {
        /// File with the custom resources; `-` reads the standard input.
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
        /// How to print them.
        #[arg(short, long, value_enum, default_value_t)]
        output: Form,
    },
}

/// How objects are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// YAML documents.
    #[default]
    Yaml,
    /// A JSON list.
    Json,
}

/// Exit code 1 and one line on standard error where it cannot be done.
pub(crate) fn run(program: Program, chore: Chore, config: Option<PathBuf>) -> ExitCode {
    let Chore::Render { file, output } = chore;
    match rendered(program, &file, output, config) {
        Ok(text) => {
            // Who closed the pipe has seen enough.
            let _closed = io::stdout().lock().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _closed = writeln!(io::stderr().lock(), "{}: {error:#}", program.name);
            ExitCode::FAILURE
        }
    }
}

fn rendered(program: Program, file: &Path, output: Form, config: Option<PathBuf>) -> Result<String> {
    let config: Config = config::load(Source::of_process(config, program.env_prefix))?;
    let pods = config.target.kubernetes.unwrap_or_default().pods;
    let mut text = Vec::new();
    if file == Path::new("-") {
        io::stdin().lock().read_to_end(&mut text).context("cannot read the standard input")?;
    } else {
        text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    let objects =
        render::render(&text, &pods).with_context(|| format!("cannot render {}", file.display()))?;
    match output {
        Form::Json => serde_json::to_string_pretty(&objects).context("cannot print what was built"),
        Form::Yaml => {
            let mut printed = String::new();
            for object in &objects {
                printed.push_str("---\n");
                printed.push_str(&serde_saphyr::to_string(object).context("cannot print what was built")?);
            }
            Ok(printed)
        }
    }
}
