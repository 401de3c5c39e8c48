//! From an assignment to the command line of one instance; pure.
//!
//! ```text
//! assignment + component + index + ports + distribution ▶ { java │ python │ go } ▶ program, arguments, environment, files
//! ```
//!
//! The command lines are those of Pulsar's own process runtime, so that an instance cannot tell who started it. Three things differ
//! on purpose: the watchdog is off (`--expected_healthcheck_interval -1`), because an instance lives on without its agent;
//! logs go to the standard output, where the guard keeps and rotates them; and secrets reach the code through its environment.

mod connection;
mod go;
mod java;
mod logging;
mod python;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use isthmus_model::assignment::Assignment;
use isthmus_model::component::{Component, Object, Runtime};
use isthmus_model::name::Digest;
use isthmus_model::order::Revision;
use isthmus_model::reason::Reason;
use sha2::{Digest as _, Sha256};

use super::distribution::Distribution;
use super::ports::Pair;
use super::secrets::Secrets;

/// All that a command line depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    /// What shall run.
    pub(crate) assignment: &'a Assignment,
    /// The same, decoded.
    pub(crate) component: &'a Component,
    /// `function_details` of the component, as an instance is started with.
    pub(crate) details: &'a Object,
    /// Which instance.
    pub(crate) index: u32,
    /// Its ports.
    pub(crate) ports: Pair,
    /// What is installed here.
    pub(crate) distribution: &'a Distribution,
    /// Its secrets, read.
    pub(crate) secrets: &'a Secrets,
    /// Its package, under the name that the runtime expects.
    pub(crate) package: &'a Path,
    /// The package of the function that a sink applies to each record.
    pub(crate) transform: Option<&'a Path>,
    /// Where [`Command::files`] are written.
    pub(crate) files: &'a Path,
    /// Where logs go that the user's own logging configuration puts into files.
    pub(crate) logs: &'a Path,
    /// Where NARs are unpacked; instances share it.
    pub(crate) nars: &'a Path,
}

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<String>,
    /// Its whole environment but for what the host gives to all; may hold secrets.
    pub(crate) env: BTreeMap<String, String>,
    /// Files that the arguments name, by their names within the directory of files; may hold secrets.
    pub(crate) files: BTreeMap<&'static str, String>,
}

/// The component cannot run here, however often it is tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refused {
    /// The reason word.
    pub(crate) reason: Reason,
    /// What is missing and what to do.
    pub(crate) message: String,
}

/// The command line.
///
/// # Errors
/// The runtime is not one that runs here.
pub(crate) fn build(input: &Input<'_>) -> Result<Command, Refused> {
    match &input.component.spec.runtime {
        Some(Runtime::Python { .. }) => python::build(input),
        Some(Runtime::Go { .. }) => Ok(go::build(input)),
        // What names no runtime is a connector, which is Java; its package may be one that the distribution has.
        Some(Runtime::Java { .. }) | None => java::build(input),
        Some(Runtime::Generic { language, .. }) => Err(Refused {
            reason: Reason::MissingCapability,
            message: format!(
                "the generic runtime ({language}) does not run on a host; use a cluster with Kubernetes, or the java, python or go runtime"
            ),
        }),
    }
}

/// What tells two commands apart that would run different things: the digest of the command line, with all that changes from
/// instance to instance or from start to start taken out. A new generation with the same identity restarts nothing.
///
/// # Errors
/// As [`build`].
pub(crate) fn identity(input: &Input<'_>) -> Result<Digest, Refused> {
    let spec = &input.component.spec;
    let packages = spec
        .runtime
        .as_ref()
        .map(Runtime::package)
        .into_iter()
        .chain(spec.transform.as_ref().map(|t| &t.package));
    let file = |path: &Path| path.file_name().map(PathBuf::from).unwrap_or_default();
    let (package, transform) = (file(input.package), input.transform.map(file));
    let assignment = Assignment { revision: Revision(0), ..input.assignment.clone() };
    let blank = Path::new("");
    let command = build(&Input {
        assignment: &assignment,
        index: 0,
        ports: Pair::default(),
        secrets: &input.secrets.names_only(),
        package: &package,
        transform: transform.as_deref(),
        files: blank,
        logs: blank,
        ..*input
    })?;
    let Command { program, args, env, files } = command;
    let program = text(&program);
    let packages: Vec<_> = packages.map(|package| (&package.location, package.digest)).collect();
    // Debug text of strings is quoted, so that no two different lists have the same text.
    // Credentials are read at the start, so that here only says with which of them that will be.
    let access = serde_json::to_string(&spec.pulsar).unwrap_or_default();
    let mut whole = format!("{program:?} {args:?} {env:?} {files:?} {packages:?} {access}");
    // Who seals other values wants them used. Said only where there are some: the others keep the identity that they have.
    if let Some(sealed) = &input.assignment.sealed {
        whole.push(' ');
        whole.push_str(&sealed.digest().to_string());
    }
    Ok(Digest(Sha256::digest(whole.as_bytes()).into()))
}

/// A flag and its value.
fn flag(args: &mut Vec<String>, name: &str, value: impl Into<String>) {
    args.push(name.to_owned());
    args.push(value.into());
}

/// `--instance_id` and the others that all of Pulsar's instances take, up to the details.
fn who(args: &mut Vec<String>, input: &Input<'_>) {
    flag(args, "--instance_id", input.index.to_string());
    flag(args, "--function_id", input.assignment.uid.to_string());
    flag(args, "--function_version", input.assignment.revision.to_string());
    // The quotes are part of the argument: instances strip them.
    let details = serde_json::Value::Object(input.details.clone());
    flag(args, "--function_details", format!("'{details}'"));
}

/// Messages that an instance may hold; none of Pulsar's instances looks at it, but all demand it.
const MAX_BUFFERED_TUPLES: u32 = 1024;

/// Off: an instance must not end because nobody asks after it.
const NO_WATCHDOG: i32 = -1;

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
