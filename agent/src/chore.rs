//! What the program does beside running: printing what it would do.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Subcommand, ValueEnum};
use isthmus_agent::Config;
use isthmus_agent::operator::config::Profile;
use isthmus_agent::operator::render::{self, Moment, Rendered};
use isthmus_daemon::config::{self, Source};
use isthmus_daemon::program::Program;
use isthmus_model::component::Object;

/// Something else than to run.
#[derive(Debug, Subcommand)]
pub(crate) enum Chore {
    /// Print the objects that custom resources would become in a Kubernetes cluster, without one.
    Render {
        /// Files with the custom resources, and with the BackendConfigs that count for them; `-` reads the standard input.
        #[arg(short, long = "file", value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// What pods are held to; stands over target.kubernetes.pods.profile of the configuration.
        #[arg(long, value_enum)]
        profile: Option<Profile>,
        /// The resources exist already: what is asked on creation only is not asked.
        #[arg(long)]
        update: bool,
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

/// Exit code 1 and one line on standard error for each resource that is refused, or where nothing can be done at all.
pub(crate) fn run(program: Program, chore: Chore, config: Option<PathBuf>) -> ExitCode {
    let Chore::Render { files, profile, update, output } = chore;
    let moment = if update { Moment::Update } else { Moment::Creation };
    let printed = rendered(program, &files, moment, profile, config).and_then(|rendered| {
        let text = text(&rendered.objects, output)?;
        Ok((text, rendered.refused))
    });
    match printed {
        Ok((text, refused)) => {
            // Who closed the pipe has seen enough.
            let _closed = io::stdout().lock().write_all(text.as_bytes());
            for refused in &refused {
                let file = files.get(refused.text).map(|file| file.display().to_string()).unwrap_or_default();
                let _closed = writeln!(io::stderr().lock(), "{}: {file}: {refused}", program.name);
            }
            if refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            let _closed = writeln!(io::stderr().lock(), "{}: {error:#}", program.name);
            ExitCode::FAILURE
        }
    }
}

fn rendered(
    program: Program,
    files: &[PathBuf],
    moment: Moment,
    profile: Option<Profile>,
    config: Option<PathBuf>,
) -> Result<Rendered> {
    let config: Config = config::load(Source::of_process(config, program.env_prefix))?;
    let mut config = config.target.kubernetes.unwrap_or_default();
    config.pods.profile = profile.unwrap_or(config.pods.profile);
    let texts = files.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?;
    render::render(&texts, moment, &config).map_err(|(text, problem)| {
        let file = files.get(text).map(|file| file.display().to_string()).unwrap_or_default();
        // A problem with a text is said with its place, and has no cause.
        anyhow::anyhow!("cannot render {file}: {problem}")
    })
}

fn read(file: &Path) -> Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut text = Vec::new();
        io::stdin().lock().read_to_end(&mut text).context("cannot read the standard input")?;
        return Ok(text);
    }
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn text(objects: &[Object], form: Form) -> Result<String> {
    match form {
        Form::Json => serde_json::to_string_pretty(objects).context("cannot print what was built"),
        Form::Yaml => {
            let mut printed = String::new();
            for object in objects {
                printed.push_str("---\n");
                printed.push_str(&serde_saphyr::to_string(object).context("cannot print what was built")?);
            }
            Ok(printed)
        }
    }
}
