//! Programs that end when we end: by a stop, a drop, a panic, Ctrl-C, or SIGKILL.
//!
//! `unsafe` is forbidden here, so there is no `pre_exec` and no `PR_SET_PDEATHSIG`; `setpriv --pdeathsig` was rejected because
//! that signal comes when the *thread* that forked ends, and a runtime's threads come and go. Instead a few lines of shell hold
//! the reading end of a pipe whose writing end only we have: see `process/guard.sh`.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::{
    fs::{self, Attempted},
    run::{MARK, Run},
    tools::{Missing, SETSID},
};

const GUARD: &str = include_str!("process/guard.sh");

/// A process could not be started, watched or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine lacks what a guarded process needs.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// Its log could not be made.
    #[error("cannot start {program}")]
    Log {
        /// What was to run.
        program: String,
        /// The file system's word.
        source: fs::Error,
    },
    /// The system refused it.
    #[error("cannot {attempted} {program}")]
    System {
        /// Completes the sentence.
        attempted: &'static str,
        /// What runs, or was to run.
        program: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// It did not heed SIGTERM and was killed.
    #[error("{program} did not end within {} s of SIGTERM and was killed; the end of {}:\n{tail}", grace.as_secs(), log.display())]
    Stubborn {
        /// What ran.
        program: String,
        /// How long it was given.
        grace: Duration,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
}

/// A program to run under guard: what, where, with which environment.
#[derive(Debug, Clone)]
pub struct Program {
    path: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    cwd: Option<PathBuf>,
}

impl Program {
    /// A path, or a name to look up in `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self { path: program.as_ref().to_owned(), arguments: Vec::new(), environment: Vec::new(), cwd: None }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets a variable on top of our own environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the working directory, otherwise the run's.
    #[must_use]
    pub fn cwd(mut self, dir: impl AsRef<Path>) -> Self {
        self.cwd = Some(dir.as_ref().to_owned());
        self
    }

    /// The same program, started by another that takes its command line: `nsenter …`, `nice …`.
    #[must_use]
    pub fn prefixed(mut self, prefix: &[OsString]) -> Self {
        if let Some((first, rest)) = prefix.split_first() {
            let own = std::mem::replace(&mut self.path, first.clone());
            self.arguments.splice(0..0, rest.iter().cloned().chain([own]));
        }
        self
    }

    /// Starts it for this run; both outputs are appended to `log`.
    ///
    /// That the program itself does not exist or cannot be executed shows as its end with status 127 or 126.
    pub fn start(&self, run: &Run, log: &Path) -> Result<Supervised, Error> {
        let output = self.open(log)?;
        self.spawn(run, log, Stdio::from(output)).map(|(process, _)| process)
    }

    /// Starts it for this run; standard output is for the caller to read, standard error is appended to `log`.
    pub fn start_piped(&self, run: &Run, log: &Path) -> Result<(Supervised, ChildStdout), Error> {
        let (process, output) = self.spawn(run, log, Stdio::piped())?;
        let missing = || self.refused("read the output of")(std::io::ErrorKind::BrokenPipe.into());
        Ok((process, output.ok_or_else(missing)?))
    }

    fn spawn(
        &self,
        run: &Run,
        log: &Path,
        output: Stdio,
    ) -> Result<(Supervised, Option<ChildStdout>), Error> {
        SETSID.find()?;
        let errors = self.open(log)?;
        let mut guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "guard"])
            .arg(run.dir())
            .arg(&self.path)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env(MARK, run.dir())
            .current_dir(self.cwd.as_deref().unwrap_or_else(|| run.dir()))
            // A group of its own: Ctrl-C at the terminal is for us, and the guard acts on our end.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(Stdio::from(errors))
            .spawn()
            .map_err(self.refused("start"))?;
        let pipe = guard.stdin.take();
        let output = guard.stdout.take();
        let supervised = Supervised { name: self.name(), log: log.to_owned(), guard, _pipe: pipe };
        Ok((supervised, output))
    }

    fn open(&self, log: &Path) -> Result<File, Error> {
        let opened = File::options().create(true).append(true).open(log).attempted("open the log", log);
        opened.map_err(|source| Error::Log { program: self.name(), source })
    }

    fn refused(&self, attempted: &'static str) -> impl Fn(std::io::Error) -> Error {
        let program = self.name();
        move |source| Error::System { attempted, program: program.clone(), source }
    }

    fn name(&self) -> String {
        Path::new(&self.path).file_name().unwrap_or(&self.path).to_string_lossy().into_owned()
    }
}

/// A running program. Dropping it kills the program and all it started; so does our own end.
#[derive(Debug)]
pub struct Supervised {
    name: String,
    log: PathBuf,
    guard: Child,
    /// Its closing, with us, is what the guard waits for.
    _pipe: Option<ChildStdin>,
}

impl Supervised {
    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of its log, for an error message.
    pub fn log_tail(&self) -> String {
        fs::tail(&self.log, 25)
    }

    /// Waits for it to end by itself. Cancel-safe.
    pub async fn ended(&mut self) -> Result<ExitStatus, Error> {
        let name = &self.name;
        self.guard.wait().await.map_err(|source| Error::System {
            attempted: "wait for",
            program: name.clone(),
            source,
        })
    }

    /// Asks it to end (SIGTERM) and waits; kills it after `grace`, which is an error.
    pub async fn stop(mut self, grace: Duration) -> Result<ExitStatus, Error> {
        self.signal(Signal::TERM);
        if let Ok(ended) = tokio::time::timeout(grace, self.ended()).await {
            return ended;
        }
        self.signal(Signal::USR1);
        self.ended().await?;
        let tail = self.log_tail();
        Err(Error::Stubborn { program: self.name.clone(), grace, log: self.log.clone(), tail })
    }

    /// Kills it without warning (SIGKILL), as a crash would, and waits until it is gone. Its files stay as they are.
    pub async fn kill(mut self) -> Result<(), Error> {
        self.signal(Signal::USR1);
        self.ended().await.map(|_| ())
    }

    /// Sends the guard a signal, which means: to the whole session (see `guard.sh` for what each does).
    fn signal(&self, signal: Signal) {
        let pid = self.guard.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // No such process means that it has ended, which is what a signal here is for.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Supervised {
    /// Returns when the program is gone, so that its ports and files are free for the next.
    fn drop(&mut self) {
        /// SIGKILL takes effect in milliseconds; a process that hangs in the kernel shall not hang us.
        const PATIENCE: Duration = Duration::from_secs(5);

        self.signal(Signal::USR1);
        let began = Instant::now();
        while matches!(self.guard.try_wait(), Ok(None)) && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
