//! Processes of which it is certain that they are the ones that were meant.
//!
//! A pid alone is not an identity: it is given again. Pid and start time together are one, and a pidfd that was opened
//! while both matched stays bound to that very process.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Who a process is, as long as the machine is not booted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity {
    /// Its process id.
    pub(crate) pid: i32,
    /// When it started, in clock ticks since boot: field 22 of `/proc/PID/stat`.
    pub(crate) start_ticks: u64,
}

/// A hold on one living process.
#[derive(Debug)]
pub(crate) struct Process {
    identity: Identity,
    fd: AsyncFd<OwnedFd>,
}

impl Process {
    /// Takes hold of the process; `None` when it is not alive any more. Must be called within a runtime.
    pub(crate) fn find(identity: Identity) -> io::Result<Option<Self>> {
        let Some(pid) = Pid::from_raw(identity.pid) else { return Ok(None) };
        let fd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Checked after the descriptor was opened: what it is bound to is then what was checked, or is gone.
        if !identity.is_alive() {
            return Ok(None);
        }
        #[expect(
            deprecated,
            reason = "what replaces it is unsafe, which is forbidden here; its condition holds: the descriptor is moved in and never replaced"
        )]
        let fd = AsyncFd::with_interest(fd, Interest::READABLE)?;
        Ok(Some(Self { identity, fd }))
    }

    /// Who it is.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Sends it a signal; that it is gone already is no error.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.fd, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until it has ended. Safe to cancel.
    pub(crate) async fn ended(&self) -> io::Result<()> {
        self.fd.readable().await.map(drop)
    }
}

impl Identity {
    /// Whether exactly this process is alive. One that has ended and is not yet waited for is not.
    pub(crate) fn is_alive(self) -> bool {
        stat(self.pid)
            .is_some_and(|stat| stat.start_ticks == self.start_ticks && !matches!(stat.state, 'Z' | 'X'))
    }

    /// Kills exactly this process; that it is gone already is no error.
    pub(crate) fn kill(self) -> io::Result<()> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(()) };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) if self.is_alive() => match pidfd_send_signal(&fd, Signal::KILL) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
                Err(error) => Err(error.into()),
            },
            Ok(_) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The process with this pid, if there is one.
    #[cfg(test)]
    pub(super) fn of(pid: i32) -> Option<Self> {
        stat(pid).map(|stat| Self { pid, start_ticks: stat.start_ticks })
    }
}

/// Variable in the environment of everything that an instance consists of: its guard, its program, and whatever that starts.
/// Its value is the instance's directory.
pub(crate) const MARK: &str = "ISTHMUS_INSTANCE_DIRECTORY";

/// All living processes that carry the mark, with its value. Those of other users cannot be seen and are none of ours.
///
/// Reads the whole of `/proc`: some milliseconds.
pub(crate) fn marked() -> io::Result<Vec<(Identity, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // The start time is read on both sides of the environment, so that both belong to one process.
        let Some(before) = stat(pid) else { continue };
        let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { continue };
        let Some(mark) = value(&environment, MARK) else { continue };
        let identity = Identity { pid, start_ticks: before.start_ticks };
        if identity.is_alive() {
            found.push((identity, PathBuf::from(OsStr::from_bytes(mark))));
        }
    }
    Ok(found)
}

/// The value of a variable in a list of `NAME=VALUE`, each ended by a zero byte.
fn value<'a>(environment: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut variables = environment.split(|byte| *byte == 0);
    variables.find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// The parts of `/proc/PID/stat` that matter here.
struct Stat {
    state: char,
    start_ticks: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Fields are counted from behind the name, which stands in parentheses and may hold blanks and parentheses itself.
fn parse(stat: &str) -> Option<Stat> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    Some(Stat { state: fields.next()?.chars().next()?, start_ticks: fields.nth(18)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let line = "77 (a ) (b) S 1 70 70 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123456 1 2";
        let stat = parse(line).unwrap();
        assert_eq!((stat.state, stat.start_ticks), ('S', 123_456));
        assert!(parse("77 (cut").is_none() && parse("").is_none());
    }

    #[tokio::test]
    async fn a_process_is_found_by_pid_and_start_time_and_its_end_is_noticed() {
        let mut child = tokio::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let identity = Identity::of(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
        let process = Process::find(identity).unwrap().unwrap();
        process.signal(Signal::KILL).unwrap();
        process.ended().await.unwrap();
        // Not waited for yet, so the pid is still taken.
        assert!(!identity.is_alive() && Process::find(identity).unwrap().is_none());
        child.wait().await.unwrap();
        process.signal(Signal::TERM).unwrap();
    }

    #[tokio::test]
    async fn a_pid_that_was_given_to_another_process_is_not_taken_for_the_old_one() {
        let own = Identity::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        let earlier = Identity { start_ticks: own.start_ticks - 1, ..own };
        assert!(own.is_alive() && !earlier.is_alive());
        assert!(Process::find(earlier).unwrap().is_none());
    }

    #[tokio::test]
    async fn whatever_an_instance_starts_carries_its_mark() {
        let directory = tempfile::tempdir().unwrap();
        let mut shell = tokio::process::Command::new("sh")
            .args(["-c", "sleep 1000 & setsid sleep 1000 & echo; wait"])
            .env(MARK, directory.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        let mut lines = tokio::io::BufReader::new(shell.stdout.take().unwrap());
        tokio::io::AsyncBufReadExt::read_line(&mut lines, &mut ready).await.unwrap();
        let of_ours = || -> Vec<Identity> {
            let all = marked().unwrap().into_iter();
            all.filter(|(_, mark)| mark == directory.path()).map(|(identity, _)| identity).collect()
        };
        let family = of_ours();
        assert_eq!(family.len(), 3, "{family:?}");
        for identity in family {
            let process = Process::find(identity).unwrap().unwrap();
            process.signal(Signal::KILL).unwrap();
            process.ended().await.unwrap();
        }
        shell.wait().await.unwrap();
        assert_eq!(of_ours(), []);
    }
}
