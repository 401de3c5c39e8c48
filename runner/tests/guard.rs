//! The guard as a program that guards real programs.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use isthmus_runner::guard::{EXIT_FILE, Exit, Identity, LOG_FILE, Reason, STATE_FILE, State};
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};
use serde::de::DeserializeOwned;

/// What is awaited comes much sooner, or never.
const SOON: Duration = Duration::from_secs(20);

struct Instance {
    dir: tempfile::TempDir,
}

impl Instance {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A guard of `sh -c script`, with further flags.
    fn guard(&self, flags: &[&OsStr], script: &str) -> Guard {
        let mut command = self.command(flags);
        let guard = command.args(["--", "sh", "-c", script]).spawn().unwrap();
        Guard(guard)
    }

    fn command(&self, flags: &[&OsStr]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_isthmus-runner"));
        command.arg("guard").arg("--dir").arg(self.path()).args(flags);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let bytes = std::fs::read(self.path().join(name)).ok()?;
        Some(serde_json::from_slice(&bytes).unwrap())
    }

    fn state(&self) -> State {
        until("state.json", || self.read(STATE_FILE))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path().join(LOG_FILE)).unwrap_or_default()
    }

    fn logged(&self, text: &str) -> String {
        until("the log", || Some(self.log()).filter(|log| log.contains(text)))
    }

    fn lease(&self, from_now: Duration) -> PathBuf {
        let end = Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap() + from_now;
        let (new, path) = (self.path().join("lease.new"), self.path().join("lease"));
        std::fs::write(&new, end.as_millis().to_string()).unwrap();
        std::fs::rename(&new, &path).unwrap();
        path
    }
}

/// Killed with what it guards, should a test fail.
struct Guard(Child);

impl Guard {
    fn ended(&mut self) -> i32 {
        let status = until("the end of the guard", || self.0.try_wait().unwrap());
        status.code().unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(pid(i32::try_from(self.0.id()).unwrap()), signal).unwrap();
    }

    fn recorded(&mut self, instance: &Instance) -> Exit {
        assert_eq!(self.ended(), 0);
        instance.read(EXIT_FILE).unwrap()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn pid(number: i32) -> Pid {
    Pid::from_raw(number).unwrap()
}

fn lives(process: Identity) -> bool {
    Identity::of(pid(process.pid)).is_ok_and(|now| now == process)
}

/// Looks until there is something, and says what was looked for when there never is.
#[expect(clippy::disallowed_methods, reason = "a test waits for other processes, by the real clock")]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited for {what} in vain");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

fn flags<'a>(flags: &'a [&'a str]) -> Vec<&'a OsStr> {
    flags.iter().map(OsStr::new).collect()
}

#[test]
fn what_a_program_writes_and_how_it_ends_is_kept() {
    let instance = Instance::new();
    let exit = instance.guard(&[], "echo out; echo err >&2; exit 7").recorded(&instance);
    assert_eq!(
        (exit.code, exit.signal, exit.reason, exit.error.as_str()),
        (Some(7), None, Reason::Exited, "")
    );
    assert!(exit.ended_at_unix_ms >= instance.state().started_at_unix_ms);
    assert_eq!(instance.log(), "out\nerr\n");
}

#[test]
fn a_program_that_is_killed_is_recorded_with_the_signal() {
    let instance = Instance::new();
    let mut guard = instance.guard(&[], "kill -9 $$");
    let exit = guard.recorded(&instance);
    assert_eq!((exit.code, exit.signal, exit.reason), (None, Some(9), Reason::Exited));
}

#[test]
fn what_runs_is_written_down_with_pid_and_start_time() {
    let instance = Instance::new();
    let guard = instance.guard(&[], "echo pid $$; exec sleep 1000");
    let state = instance.state();
    assert_eq!(state.guard, Identity::of(pid(i32::try_from(guard.0.id()).unwrap())).unwrap());
    assert_eq!(instance.logged("pid"), format!("pid {}\n", state.child.pid));
    assert_eq!(state.child, Identity::of(pid(state.child.pid)).unwrap());
    let mode = std::fs::metadata(instance.path().join(STATE_FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_guard_that_is_told_to_stop_asks_the_whole_group() {
    let instance = Instance::new();
    let script = "trap 'echo asked; exit 3' TERM; (trap 'echo too' TERM; echo up; while :; do sleep 0.01; done) & wait";
    let mut guard = instance.guard(&[], script);
    instance.logged("up");
    guard.signal(Signal::TERM);
    let exit = guard.recorded(&instance);
    assert_eq!((exit.code, exit.reason), (Some(3), Reason::Stopped));
    assert!(instance.log().contains("asked"), "{}", instance.log());
}

#[test]
fn a_program_that_does_not_listen_is_killed_after_the_grace() {
    let instance = Instance::new();
    let mut guard =
        instance.guard(&flags(&["--grace", "0"]), "trap '' TERM; echo up; while :; do sleep 0.01; done");
    instance.logged("up");
    guard.signal(Signal::TERM);
    let exit = guard.recorded(&instance);
    assert_eq!((exit.code, exit.signal, exit.reason), (None, Some(9), Reason::Stopped));
}

#[test]
fn when_the_end_is_recorded_nothing_of_the_program_is_left() {
    let instance = Instance::new();
    // One child in the group, one that left the group and the session, and one whose parent has ended.
    let script = "sleep 1000 & setsid sleep 1000 & (setsid sh -c 'echo deep $$; sleep 1000' &) ; echo $!; \
                  while ! test -e go; do sleep 0.01; done";
    let directory = instance.path().to_owned();
    let mut guard = instance.guard(&[OsStr::new("--working-directory"), directory.as_os_str()], script);
    instance.logged("deep");
    let group = instance.state().child.pid;
    let descendants =
        until("the shell and its three sleepers", || Some(descending(group)).filter(|all| all.len() >= 4));
    std::fs::write(directory.join("go"), "").unwrap();
    assert_eq!(guard.recorded(&instance).reason, Reason::Exited);
    for process in descendants {
        assert!(!lives(process), "{process:?} is left");
    }
}

/// All that descends from the guard of `ancestor` now.
fn descending(ancestor: i32) -> Vec<Identity> {
    let parent = |pid: i32| -> Option<i32> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        text.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
    };
    let guard = parent(ancestor).unwrap();
    let all = std::fs::read_dir("/proc").unwrap();
    let pids = all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|one| {
        std::iter::successors(Some(*one), |pid| parent(*pid)).any(|pid| pid == guard) && *one != guard
    })
    .filter_map(|one| Identity::of(pid(one)).ok())
    .collect()
}

#[test]
fn the_program_dies_with_its_guard() {
    let instance = Instance::new();
    let mut guard = instance.guard(&[], "echo up; exec sleep 1000");
    instance.logged("up");
    let child = instance.state().child;
    assert!(lives(child));
    guard.0.kill().unwrap();
    until("the end of the program", || (!lives(child)).then_some(()));
    guard.0.wait().unwrap();
    assert!(instance.read::<Exit>(EXIT_FILE).is_none());
}

#[test]
fn the_guard_and_its_program_outlive_the_parent() {
    let instance = Instance::new();
    let guard = env!("CARGO_BIN_EXE_isthmus-runner");
    let dir = instance.path().display();
    let mut parent = Command::new("sh")
        .args([
            "-c",
            &format!("'{guard}' guard --dir '{dir}' -- sh -c 'echo up; exec sleep 1000' & exec sleep 1000"),
        ])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    instance.logged("up");
    let state = instance.state();
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert!(lives(state.guard) && lives(state.child));
    kill_process(pid(state.guard.pid), Signal::TERM).unwrap();
    let exit: Exit = until("exit.json", || instance.read(EXIT_FILE));
    assert_eq!(exit.reason, Reason::Stopped);
}

#[test]
fn a_lease_that_is_not_renewed_ends_the_program() {
    let instance = Instance::new();
    let lease = instance.lease(Duration::from_millis(300));
    let mut guard = instance.guard(&[OsStr::new("--lease"), lease.as_os_str()], "exec sleep 1000");
    let exit = guard.recorded(&instance);
    assert_eq!((exit.signal, exit.reason), (Some(15), Reason::LeaseExpired));
}

#[test]
fn a_renewed_lease_lets_the_program_run() {
    let instance = Instance::new();
    let first = Duration::from_millis(300);
    let lease = instance.lease(first);
    let mut guard = instance.guard(&[OsStr::new("--lease"), lease.as_os_str()], "exec sleep 1000");
    instance.state();
    instance.lease(SOON * 10);
    let over = Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap() + first * 2;
    until("the end of the first lease", || {
        (Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap() > over).then_some(())
    });
    assert!(guard.0.try_wait().unwrap().is_none());
    guard.signal(Signal::TERM);
    assert_eq!(guard.recorded(&instance).reason, Reason::Stopped);
}

#[test]
fn without_a_lease_that_holds_nothing_is_started() {
    let instance = Instance::new();
    let absent = instance.path().join("absent");
    let exit = instance.guard(&[OsStr::new("--lease"), absent.as_os_str()], "echo up").recorded(&instance);
    assert_eq!(exit.reason, Reason::LeaseExpired);
    assert!(exit.error.contains("absent"), "{}", exit.error);
    let over = instance.lease(Duration::ZERO);
    let exit = instance.guard(&[OsStr::new("--lease"), over.as_os_str()], "echo up").recorded(&instance);
    assert_eq!((exit.code, exit.reason), (None, Reason::LeaseExpired));
    assert_eq!(instance.log(), "");
    assert!(instance.read::<State>(STATE_FILE).is_none());
}

#[test]
fn a_program_that_cannot_be_executed_is_named() {
    let instance = Instance::new();
    let mut command = instance.command(&[]);
    let exit = Guard(command.args(["--", "/nowhere/java", "-version"]).spawn().unwrap()).recorded(&instance);
    assert_eq!((exit.code, exit.signal, exit.reason), (None, None, Reason::StartFailed));
    assert_eq!(exit.error, "cannot execute /nowhere/java: No such file or directory (os error 2)");
}

#[test]
fn the_environment_is_the_given_one_and_nothing_else() {
    let instance = Instance::new();
    let environment = BTreeMap::from([("PATH", "/usr/bin:/bin"), ("ODD", "a b\n$HOME 'ü'")]);
    std::fs::write(instance.path().join("env.json"), serde_json::to_vec(&environment).unwrap()).unwrap();
    let mut command = instance.command(&[]);
    command.env("SECRET_OF_THE_AGENT", "1").args(["--", "env", "-0"]);
    assert_eq!(Guard(command.spawn().unwrap()).recorded(&instance).code, Some(0));
    let log = instance.log();
    let mut seen: Vec<&str> = log.split_terminator('\0').collect();
    seen.sort_unstable();
    assert_eq!(seen, ["ODD=a b\n$HOME 'ü'", "PATH=/usr/bin:/bin"]);
}

#[test]
fn a_directory_has_one_guard_at_a_time() {
    let instance = Instance::new();
    let mut first = instance.guard(&[], "echo up; exec sleep 1000");
    instance.logged("up");
    let state = instance.state();
    assert_eq!(instance.guard(&[], "echo second").ended(), 75);
    assert_eq!(instance.state(), state);
    first.signal(Signal::TERM);
    assert_eq!(first.recorded(&instance).reason, Reason::Stopped);
    assert_eq!(instance.guard(&[], "echo second").recorded(&instance).code, Some(0));
    assert_eq!(instance.log(), "up\nsecond\n");
}

#[test]
fn the_log_is_bounded_however_much_is_written() {
    let instance = Instance::new();
    let script = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done";
    let exit =
        instance.guard(&flags(&["--log-bytes", "1000", "--log-files", "3"]), script).recorded(&instance);
    assert_eq!(exit.code, Some(0));
    let files = ["instance.log", "instance.log.1", "instance.log.2"].map(|name| instance.path().join(name));
    let texts = files.map(|file| std::fs::read_to_string(file).unwrap());
    assert!(texts.iter().all(|text| text.len() <= 1000 && text.ends_with('\n')));
    assert!(texts[0].ends_with("line 1999\n"));
    assert!(!instance.path().join("instance.log.3").exists());
}

#[test]
fn a_program_that_closes_its_outputs_costs_its_guard_no_cpu() {
    let instance = Instance::new();
    let guard = instance.guard(&[], "echo up; exec sleep 1000 >/dev/null 2>&1");
    instance.logged("up");
    let pid = guard.0.id();
    let status = || std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let asleep = || status().contains("State:\tS");
    // How often it went to sleep, and how often it was made to pause.
    let switches = || {
        status().lines().filter(|line| line.contains("ctxt_switches")).map(String::from).collect::<Vec<_>>()
    };
    // A thousand looks take far longer than the closing that it has to take note of.
    until("the guard to wait and to go on waiting", || {
        let before = switches();
        ((0..1000).all(|_| asleep()) && switches() == before).then_some(())
    });
}

#[test]
fn wrong_arguments_are_usage() {
    let instance = Instance::new();
    assert_eq!(Guard(instance.command(&[]).spawn().unwrap()).ended(), 64);
    let absent = instance.path().join("absent");
    let mut command = Command::new(env!("CARGO_BIN_EXE_isthmus-runner"));
    command.arg("guard").arg("--dir").arg(absent).args(["--", "true"]).stderr(Stdio::null());
    assert_eq!(Guard(command.spawn().unwrap()).ended(), 70);
}

#[test]
fn further_variables_come_over_standard_input_and_lie_in_no_file() {
    let instance = Instance::new();
    std::fs::write(instance.path().join("env.json"), r#"{"PATH": "/usr/bin:/bin", "GIVEN": "file"}"#)
        .unwrap();
    let mut command = instance.command(&flags(&["--more-variables"]));
    let script = r#"printf %s "$SECRET" | wc -c; echo $GIVEN"#;
    let mut guard = command.stdin(Stdio::piped()).args(["--", "sh", "-c", script]).spawn().unwrap();
    let text = br#"{"SECRET": "hunter2", "GIVEN": "input"}"#;
    guard.stdin.take().unwrap().write_all(text).unwrap();
    let exit = Guard(guard).recorded(&instance);
    assert_eq!((exit.code, instance.log().as_str()), (Some(0), "7\nfile\n"));
    for entry in std::fs::read_dir(instance.path()).unwrap() {
        let text = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!text.windows(7).any(|part| part == b"hunter2"));
    }
}

#[test]
fn further_variables_that_are_none_start_nothing_and_are_not_shown() {
    let instance = Instance::new();
    let mut command = instance.command(&flags(&["--more-variables"]));
    let mut guard = command.stdin(Stdio::piped()).args(["--", "true"]).spawn().unwrap();
    guard.stdin.take().unwrap().write_all(br#"{"SECRET": "hunter2""#).unwrap();
    let exit = Guard(guard).recorded(&instance);
    assert_eq!(exit.reason, Reason::StartFailed);
    assert!(exit.error.contains("not a JSON object") && !exit.error.contains("hunter2"), "{}", exit.error);
}
