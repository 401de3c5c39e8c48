//! How the program is started, without a moment in which it could outlive its guard.
//!
//! The kernel kills a process when its parent dies, if the process itself asked for that. Between fork and exec a
//! program of ours cannot ask without unsafe code; so the guard starts its own executable once more, which asks and
//! then becomes the program. The pid and the start time stay the same.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, PipeWriter};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};

use super::Options;
use super::record::START_ERROR_FILE;

/// The name of the subcommand behind which [`become_program`] stands.
const SUBCOMMAND: &str = "guarded-program";

/// This very executable, also after it was replaced by a newer one.
const OURSELVES: &str = "/proc/self/exe";

/// What shells return for a program that could not be executed.
const NOT_EXECUTED: u8 = 127;

/// What the program's process is told by its guard. Not for people.
#[derive(Debug, Clone, clap::Args)]
pub struct ProgramOptions {
    /// Where a failure is written to.
    #[arg(long)]
    dir: PathBuf,
    /// The pid of the guard.
    #[arg(long)]
    guard: i32,
    /// Where the program runs.
    #[arg(long)]
    working_directory: Option<PathBuf>,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Starts the program's process as the leader of a process group of its own; both outputs go to `output`.
pub(super) fn start(
    options: &Options,
    environment: Option<BTreeMap<String, String>>,
    output: PipeWriter,
) -> io::Result<Pid> {
    let mut command = Command::new(OURSELVES);
    command.arg0("isthmus-runner").arg(SUBCOMMAND).arg("--dir").arg(&options.dir);
    command.arg("--guard").arg(getpid().to_string());
    if let Some(directory) = &options.working_directory {
        command.arg("--working-directory").arg(directory);
    }
    command.arg("--").args(&options.command);
    if let Some(environment) = environment {
        command.env_clear().envs(environment);
    }
    command.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output).process_group(0);
    let child = command.spawn()?;
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("the process has no pid"))
}

/// Becomes the program; returns only when that fails, after writing down why.
pub fn become_program(options: &ProgramOptions) -> ExitCode {
    let problem = try_to_become(options);
    // Where even this cannot be written, the exit code alone has to say it.
    let _unsaid = std::fs::write(options.dir.join(START_ERROR_FILE), problem);
    NOT_EXECUTED.into()
}

fn try_to_become(options: &ProgramOptions) -> String {
    let Some((program, arguments)) = options.command.split_first() else {
        return "there is no program to run".into();
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return format!("cannot tie the program to its guard: {error}");
    }
    // A guard that died before the line above was never noticed by it.
    if getppid().map(Pid::as_raw_pid) != Some(options.guard) {
        return "the guard is gone".into();
    }
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(directory) = &options.working_directory {
        command.current_dir(directory);
    }
    let error = command.exec();
    let place = options.working_directory.as_deref().map(|directory| format!(" in {}", directory.display()));
    format!("cannot execute {}{}: {error}", program.display(), place.unwrap_or_default())
}
