//! The guard itself: one thread that waits for its program, its signals and its clock, and holds nothing else.

use std::fmt;
use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, kill_process_group, set_child_subreaper,
    setsid, wait,
};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use super::life::{Action, Life};
use super::log::Log;
use super::{Exit, Identity, Options, Reason, State, lease, process, program, record};

/// Why a guard cannot do its work. Nothing runs then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another guard lives in the directory.
    #[error("another guard holds {}", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory is missing or cannot be written to.
    #[error("cannot use instance directory {}", dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Signals, timers or processes cannot be had.
    #[error("cannot guard a program")]
    System(#[source] io::Error),
}

impl Error {
    /// Exit code when another guard holds the directory: `EX_TEMPFAIL` of `sysexits.h`.
    pub const IN_USE: u8 = 75;
    /// Exit code of every other error: `EX_SOFTWARE`.
    pub const UNUSABLE: u8 = 70;

    /// What the guard's process exits with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::InUse { .. } => Self::IN_USE,
            Self::Directory { .. } | Self::System(_) => Self::UNUSABLE,
        }
    }
}

/// Guards one program from its start to its end. When it returns an [`Exit`], that is in `exit.json`, and nothing of
/// the program runs any more.
///
/// # Errors
/// Nothing was started, or (when only the record of the end cannot be written) nothing runs any more.
pub fn run(options: &Options) -> Result<Exit, Error> {
    let dir = &options.dir;
    let unusable = |source| Error::Directory { dir: dir.clone(), source };
    let lock = File::open(dir).map_err(unusable)?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
        Errno::WOULDBLOCK => Error::InUse { dir: dir.clone() },
        error => unusable(error.into()),
    })?;
    // Fails only where we lead a process group already: then nobody's terminal is ours to lose.
    let _leads_already = setsid();
    record::clear(dir).map_err(unusable)?;
    let mut log = Log::open(dir, options.log_bytes, options.log_files).map_err(unusable)?;
    // From before the start, so that no signal falls between.
    let signals = Signals::listen().map_err(Error::System)?;
    set_child_subreaper(Some(getpid())).map_err(|error| Error::System(error.into()))?;
    let exit = live(options, &mut log, signals)?;
    record::replace(dir, record::EXIT_FILE, &exit).map_err(unusable)?;
    drop(lock);
    Ok(exit)
}

fn live(options: &Options, log: &mut Log, signals: Signals) -> Result<Exit, Error> {
    let lease = match options.lease.as_deref().map(lease::read).transpose() {
        Ok(Some(end)) if end <= lease::now() => {
            return Ok(not_run(Reason::LeaseExpired, &"it was over at the start"));
        }
        Ok(lease) => lease,
        Err(error) => return Ok(not_run(Reason::LeaseExpired, &error)),
    };
    let mut environment = match record::environment(&options.dir) {
        Ok(environment) => environment,
        Err(error) => {
            let file = options.dir.join(record::ENVIRONMENT_FILE);
            return Ok(not_run(Reason::StartFailed, &format!("cannot read {}: {error}", file.display())));
        }
    };
    if options.more_variables {
        match record::variables(io::stdin().lock()) {
            Ok(more) => {
                let known = environment.get_or_insert_default();
                for (name, value) in more {
                    known.entry(name).or_insert(value);
                }
            }
            Err(error) => {
                return Ok(not_run(Reason::StartFailed, &format!("cannot read further variables: {error}")));
            }
        }
    }
    let (output, input) = io::pipe().map_err(Error::System)?;
    rustix::io::ioctl_fionbio(&output, true).map_err(|error| Error::System(error.into()))?;
    let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)
        .map_err(|error| Error::System(error.into()))?;
    let child = match program::start(options, environment, input) {
        Ok(child) => child,
        Err(error) => return Ok(not_run(Reason::StartFailed, &format!("cannot start a process: {error}"))),
    };
    let mut watch = Watch {
        options,
        child,
        life: Life::new(Duration::from_secs(options.grace.into()), lease),
        signals,
        timer,
        output: Some(output),
        log,
        problem: String::new(),
        ended: None,
    };
    // An instance that nobody can find again must not run.
    if let Err(error) = write_state(options, child) {
        watch.end_all().map_err(Error::System)?;
        return Err(Error::Directory { dir: options.dir.clone(), source: error });
    }
    watch.until_ended()
}

fn write_state(options: &Options, child: Pid) -> io::Result<()> {
    let state = State {
        guard: Identity::of(getpid())?,
        child: Identity::of(child)?,
        started_at_unix_ms: unix_ms(),
        boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim_ascii().to_owned(),
    };
    record::replace(&options.dir, record::STATE_FILE, &state)
}

/// A program that was not started.
fn not_run(reason: Reason, problem: &dyn fmt::Display) -> Exit {
    Exit { code: None, signal: None, ended_at_unix_ms: unix_ms(), reason, error: problem.to_string() }
}

fn unix_ms() -> u64 {
    let now = Duration::try_from(clock_gettime(ClockId::Realtime)).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Signals as something that can be polled: a byte for each.
struct Signals {
    stop: UnixStream,
    child: UnixStream,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let (stop, told) = pair()?;
        let (child, ended) = pair()?;
        pipe::register(SIGTERM, told.try_clone()?)?;
        pipe::register(SIGINT, told)?;
        // Leaving the terminal ends nothing; registering it is enough to be no longer ended by it.
        pipe::register(SIGHUP, ended.try_clone()?)?;
        pipe::register(SIGCHLD, ended)?;
        Ok(Self { stop, child })
    }
}

fn pair() -> io::Result<(UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    Ok((ours, theirs))
}

/// A program that runs, and all that is known of it.
struct Watch<'a> {
    options: &'a Options,
    child: Pid,
    life: Life,
    signals: Signals,
    timer: OwnedFd,
    /// Until the program, and all that it started, have closed it.
    output: Option<PipeReader>,
    log: &'a mut Log,
    problem: String,
    ended: Option<WaitStatus>,
}

impl Watch<'_> {
    fn until_ended(mut self) -> Result<Exit, Error> {
        let status = self.watch().map_err(Error::System);
        // Whatever happened to the watch, nothing of the program may be left.
        self.end_all().map_err(Error::System)?;
        status?;
        self.drain();
        Ok(self.exit())
    }

    /// Returns when the program has ended.
    fn watch(&mut self) -> io::Result<()> {
        while self.ended.is_none() {
            self.arm()?;
            let [stop, child, timer, output] = self.wait()?;
            if output {
                self.drain();
            }
            if stop && emptied(&mut self.signals.stop)? {
                let action = self.life.told(lease::now());
                self.act(action);
            }
            if child && emptied(&mut self.signals.child)? {
                self.reap()?;
            }
            if timer {
                self.tick();
            }
        }
        Ok(())
    }

    /// Waits for stop signals, ended children, the timer and output, in this order. A program may close its outputs and
    /// run on; what is closed is no longer waited for.
    fn wait(&self) -> io::Result<[bool; 4]> {
        let Signals { stop, child } = &self.signals;
        let mut all = vec![PollFd::new(stop, PollFlags::IN), PollFd::new(child, PollFlags::IN)];
        all.push(PollFd::new(&self.timer, PollFlags::IN));
        all.extend(self.output.as_ref().map(|output| PollFd::new(output, PollFlags::IN)));
        match poll(&mut all, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = [false; 4];
        for (ready, fd) in ready.iter_mut().zip(&all) {
            *ready = !fd.revents().is_empty();
        }
        Ok(ready)
    }

    fn arm(&self) -> io::Result<()> {
        // Zero disarms a timer, and no lease ends at the moment of the boot.
        let at = self.life.wake_at().unwrap_or_default();
        let it_value = Timespec::try_from(at).map_err(io::Error::other)?;
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &once)?;
        Ok(())
    }

    fn tick(&mut self) {
        let Self { options, life, problem, .. } = self;
        let renewed = || match lease::read(options.lease.as_deref()?) {
            Ok(end) => Some(end),
            Err(error) => {
                *problem = error.to_string();
                None
            }
        };
        let action = life.woke(lease::now(), renewed);
        self.act(action);
    }

    /// A program that is gone already needs no signal.
    fn act(&self, action: Action) {
        let signal = match action {
            Action::Nothing => return,
            Action::Ask => Signal::TERM,
            Action::Kill => Signal::KILL,
        };
        let _gone = kill_process_group(self.child, signal);
    }

    /// Takes note of every process that has ended: the program, or orphans that it left to us.
    fn reap(&mut self) -> io::Result<()> {
        while let Some(status) = next_ended(WaitOptions::NOHANG)? {
            self.note(status);
        }
        Ok(())
    }

    fn note(&mut self, (pid, status): (Pid, WaitStatus)) {
        if pid == self.child {
            self.ended = Some(status);
        }
    }

    /// Kills whatever descends from the program, and waits until it is gone: orphans become our children, so that
    /// having no children proves it.
    fn end_all(&mut self) -> io::Result<()> {
        loop {
            // Once the program was waited for, its number may be another group's.
            if self.ended.is_none() {
                let _gone = kill_process_group(self.child, Signal::KILL);
            }
            for child in process::children_of(getpid())? {
                let _gone = kill_process(child, Signal::KILL);
            }
            match next_ended(WaitOptions::empty())? {
                Some(status) => self.note(status),
                None => return Ok(()),
            }
        }
    }

    /// Moves what the program wrote to the log. A full disk loses lines, but holds the program up no more than that.
    fn drain(&mut self) {
        const CHUNK: usize = 16 * 1024;
        let mut chunk = [0; CHUNK];
        while let Some(output) = &mut self.output {
            let read = match output.read(&mut chunk) {
                Ok(0) => {
                    self.output = None;
                    return;
                }
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Nothing has come yet.
                Err(_) => return,
            };
            if let Err(error) = self.log.write(chunk.get(..read).unwrap_or_default()) {
                self.problem = format!("lines of the log were lost: {error}");
            }
        }
    }

    fn exit(self) -> Exit {
        let status = self.ended;
        let (reason, error) = match record::take_start_error(&self.options.dir) {
            Some(error) => (Reason::StartFailed, error),
            None => (self.life.reason(), self.problem),
        };
        let code = status.and_then(WaitStatus::exit_status).filter(|_| reason != Reason::StartFailed);
        let signal = status.and_then(WaitStatus::terminating_signal);
        Exit { code, signal, ended_at_unix_ms: unix_ms(), reason, error }
    }
}

/// The next child that has ended; `None` when none has (or, where that is waited for, when there is none).
fn next_ended(options: WaitOptions) -> io::Result<Option<(Pid, WaitStatus)>> {
    loop {
        match wait(options) {
            Ok(ended) => return Ok(ended),
            Err(Errno::CHILD) => return Ok(None),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Takes all bytes; whether there were any.
fn emptied(stream: &mut UnixStream) -> io::Result<bool> {
    let (mut bytes, mut any) = ([0; 64], false);
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return Ok(any),
            Ok(_) => any = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(any),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
