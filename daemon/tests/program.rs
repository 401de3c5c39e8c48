//! A whole server, from its command line to its exit code.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// `examples/server.rs`, which cargo builds beside the tests of this crate.
fn server(environment: &[(&str, &str)], arguments: &[&str]) -> Command {
    let test = std::env::current_exe().unwrap();
    let examples = test.parent().and_then(|deps| deps.parent()).unwrap().join("examples");
    let mut command = Command::new(examples.join("server"));
    command.env("SILENCE__ADMIN__LISTEN", "127.0.0.1:0").envs(environment.iter().copied()).args(arguments);
    command
}

fn output(environment: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = server(environment, arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

struct Running {
    process: Child,
    log: BufReader<ChildStderr>,
}

impl Running {
    fn start() -> Self {
        let mut process = server(&[], &[]).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        Self { process, log }
    }

    /// Reads the log up to the address that follows `words`.
    fn address_after(&mut self, words: &str) -> String {
        let mut line = String::new();
        while self.log.read_line(&mut line).unwrap() > 0 {
            if let Some((_, address)) = line.split_once(words) {
                return address.split_ascii_whitespace().next().unwrap().to_owned();
            }
            line.clear();
        }
        unreachable!("the log ends without {words:?}")
    }

    fn ended_after(mut self, signal: Signal) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (self.process.wait().unwrap().code(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

fn readiness(admin: &str) -> String {
    let mut asked = TcpStream::connect(admin).unwrap();
    asked.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    asked.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_bad_value_ends_the_server_with_usage_and_one_line_before_a_port_is_bound() {
    for (name, value, said) in [
        (
            "SILENCE__LISTEN",
            "127.0.0.1:99999",
            "silence: configuration key `listen`: \"127.0.0.1:99999\" is refused",
        ),
        (
            "SILENCE__LISTEN",
            "0.0.0.0:0",
            "silence: configuration key `listen`: 0.0.0.0:0 is not served without TLS",
        ),
        ("SILENCE__LISTN", "127.0.0.1:0", "silence: configuration key `listn` is unknown"),
    ] {
        let (code, _, stderr) = output(&[(name, value)], &[]);
        assert_eq!(code, Some(64), "{stderr}");
        assert!(stderr.starts_with(said) && stderr.lines().count() == 1, "{stderr}");
    }
    let (code, _, stderr) = output(&[], &["--config", "/nowhere.yaml"]);
    assert_eq!(code, Some(64));
    assert!(stderr.starts_with("silence: cannot read configuration file /nowhere.yaml: "), "{stderr}");
}

#[test]
fn a_dump_shows_the_configuration_and_starts_nothing() {
    let (code, stdout, stderr) = output(&[("SILENCE__SHUTDOWN__NOTICE", "3s")], &["--dump-config"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("notice: 3s") && stdout.contains("listen: 127.0.0.1:0"), "{stdout}");
}

#[test]
fn a_taken_port_is_an_error_at_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, _, stderr) = output(&[("SILENCE__LISTEN", &address)], &[]);
    assert_eq!(code, Some(70));
    assert!(stderr.contains(&format!("silence cannot start: cannot listen on {address}: ")), "{stderr}");
}

#[test]
fn a_server_is_ready_when_it_has_started_and_ends_cleanly_when_told() {
    let mut running = Running::start();
    let admin = running.address_after("the admin port answers on http://");
    let mut answer = readiness(&admin);
    for _ in 0..5000 {
        if answer.starts_with("HTTP/1.1 200 OK") {
            break;
        }
        assert!(answer.ends_with("start: not yet\n"), "{answer}");
        std::thread::park_timeout(Duration::from_millis(2));
        answer = readiness(&admin);
    }
    assert!(answer.ends_with("ready\n"), "{answer}");
    let (code, rest) = running.ended_after(Signal::TERM);
    assert_eq!(code, Some(0));
    assert!(rest.contains("shutting down: SIGTERM") && rest.trim_end().ends_with("stopped"), "{rest}");
}
