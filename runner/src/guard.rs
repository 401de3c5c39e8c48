//! A small process that holds one instance, so that the instance needs no living agent.
//!
//! An agent that dies, is upgraded or is cut off leaves its instances running; the agent that comes after it adopts
//! them for certain, because what runs is written down with pid *and* start time. A single owner must stop when its
//! lease ends, and must do so without an agent: the guard sees to that too.
//!
//! # The contract
//!
//! ```text
//! isthmus-runner guard --dir DIR [--lease FILE] [--grace SECONDS] [--log-bytes N] [--log-files N]
//!                      [--working-directory PATH] [--more-variables] -- PROGRAM ARGS...
//! ```
//!
//! | file in DIR | written by | what it is |
//! |---|---|---|
//! | `env.json` | the agent, before the start | optional; a JSON object, name to value. The program's environment is exactly this; without the file it is the guard's own. It holds secrets: mode 0600. The guard leaves it where it is |
//! | `state.json` | the guard, once the program has its process | [`State`]: who runs |
//! | `exit.json` | the guard, as its last act | [`Exit`]: how the program ended. When it is there, nothing of the instance runs any more |
//! | `instance.log`, `.1`, `.2`, … | the guard | what the program wrote to standard output and error. At most `--log-files` files of at most `--log-bytes` bytes; `.1` is the youngest of the old ones. A later guard of the same DIR goes on in the same file |
//! | `start.error` | the program's process, when PROGRAM cannot be executed | taken up into `exit.json` |
//!
//! **Further variables**, with `--more-variables`, come over the guard's standard input up to its end: a JSON object, name to value,
//! of at most 4 MiB. They are what must not lie on a disk. A name that `env.json` has, too, keeps the value that it has
//! there; without that file they are the whole environment.
//!
//! JSON files are replaced atomically, and are readable by their owner only. A guard removes the `state.json` and
//! `exit.json` of the run before.
//!
//! **One at a time.** The guard holds an exclusive `flock` on DIR itself. A second guard of the same DIR changes
//! nothing and exits with [`Error::IN_USE`] (75). Who finds the lock free knows that no guard lives there.
//!
//! **The lease** is a file with one decimal number: until when the program may run, in milliseconds of
//! `CLOCK_BOOTTIME` (time since boot, suspended time included). It is renewed by replacing the file with a later
//! number; the guard reads it at the start and again when the number it knows is reached. When it is not later then
//! (or cannot be read), the program is stopped: asked at that moment, killed `--grace` later. A lease that is over
//! at the start starts nothing. The number means nothing after a reboot: who starts a guard renews it first.
//!
//! **Stopping.** SIGTERM (or SIGINT) to the guard, or the end of the lease: the program's process group gets SIGTERM,
//! and SIGKILL after `--grace` seconds. Whenever the program has ended, for whatever reason, everything that descends
//! from it is killed and waited for, and only then is `exit.json` written. Further signals change nothing.
//!
//! **Surviving.** The guard makes itself the leader of a session, so that it outlives its parent and its terminal.
//! The program has a process group of its own within that session. Should the guard itself be killed, the kernel
//! kills the program at once: there is no instance without its guard.
//!
//! **Exit codes** of the guard itself: 0 when `exit.json` was written, whatever is in it; 64 for wrong arguments; 70
//! when DIR cannot be used; 75 when another guard holds it.

mod log;
mod lease;
mod life;
mod process;
mod program;
mod record;
mod run;

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use process::Identity;
pub use program::{ProgramOptions, become_program};
pub use record::{ENVIRONMENT_FILE, EXIT_FILE, LOG_FILE, START_ERROR_FILE, STATE_FILE};
pub use run::{Error, run};

/// What a guard is told. Its flags are the contract of the [module](self).
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The instance's directory; must exist.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// File with the time until which the program may run; without it, it may run for ever.
    #[arg(long, value_name = "FILE")]
    pub lease: Option<PathBuf>,
    /// How long the program may take to end when it is asked to, before it is killed.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub grace: u32,
    /// How large the log may get before a new one is begun.
    #[arg(long, value_name = "N", default_value_t = 10 * 1024 * 1024, value_parser = clap::value_parser!(u64).range(1..))]
    pub log_bytes: u64,
    /// How many log files are kept, the current one included.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub log_files: u32,
    /// Where the program runs; without it, where the guard was started.
    #[arg(long, value_name = "PATH")]
    pub working_directory: Option<PathBuf>,
    /// Read further variables of the program's environment from standard input: a JSON object.
    #[arg(long)]
    pub more_variables: bool,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub command: Vec<OsString>,
}

/// `state.json`: who runs. It stays as it is when the program has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The guard.
    pub guard: Identity,
    /// The program. Its process group has the same number as its pid.
    pub child: Identity,
    /// When the program was started, in milliseconds since 1970.
    pub started_at_unix_ms: u64,
    /// Which boot of the machine this was: `/proc/sys/kernel/random/boot_id`. Pids and start times of another boot
    /// mean nothing.
    pub boot_id: String,
}

/// `exit.json`: how the program ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exit {
    /// The program's exit code; `null` when a signal ended it or it never ran.
    pub code: Option<i32>,
    /// The signal that ended the program; `null` when it exited or never ran.
    pub signal: Option<i32>,
    /// When, in milliseconds since 1970.
    pub ended_at_unix_ms: u64,
    /// Why.
    pub reason: Reason,
    /// What went wrong, where the reason alone does not say it; otherwise empty.
    pub error: String,
}

/// Why a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// By itself, or because somebody else killed it.
    Exited,
    /// The guard was told to stop it.
    Stopped,
    /// Its lease was not renewed.
    LeaseExpired,
    /// It could not be started.
    StartFailed,
}
