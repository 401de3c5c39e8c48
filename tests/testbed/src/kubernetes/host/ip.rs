//! `ip`, many commands at once.

use std::{
    io::Write,
    path::Path,
    process::{Command, ExitStatus, Stdio},
};

/// A change of the network failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be attempted.
    #[error("cannot run {program}")]
    Run {
        /// The program.
        program: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// It was refused.
    #[error("{program} ended with {status}: {said}")]
    Refused {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        said: String,
    },
}

/// Whether the host has a link of this name.
pub(super) fn exists(link: &str) -> bool {
    Path::new("/sys/class/net").join(link).exists()
}

/// The numbers with which names of the host's links go on after `prefix`.
pub(super) fn links(prefix: &str) -> impl Iterator<Item = u8> {
    let links = std::fs::read_dir("/sys/class/net").into_iter().flatten();
    links.filter_map(move |link| link.ok()?.file_name().to_str()?.strip_prefix(prefix)?.parse().ok())
}

/// Runs these commands on the host; the first that fails ends it.
pub(super) fn batch(commands: &[String]) -> Result<(), Error> {
    feed(Command::new("ip").args(["-batch", "-"]), "ip", &commands.join("\n"))
}

/// The same in the network namespace of a process.
pub(super) fn batch_within(process: i32, commands: &[String]) -> Result<(), Error> {
    let mut command = Command::new("nsenter");
    command.args(["--net", "--target", &process.to_string(), "ip", "-batch", "-"]);
    feed(&mut command, "ip", &commands.join("\n"))
}

/// The same where nobody is left to be told, and what is not there is as good as removed.
pub(super) fn attempt(commands: &[String]) {
    let _ = batch(commands);
}

/// Runs a program to its end with this on its standard input.
pub(crate) fn feed(command: &mut Command, program: &str, input: &str) -> Result<(), Error> {
    let failed = |source| Error::Run { program: program.to_owned(), source };
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read says why when it ends.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Refused { program: program.to_owned(), status: output.status, said })
}
