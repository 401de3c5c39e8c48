//! Processes as `/proc` shows them.

use std::io;

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

/// Which process: a pid is used again, a pid together with its start time is not (within one boot).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Its process id.
    pub pid: i32,
    /// When it was started, in clock ticks after the boot: field 22 of `/proc/PID/stat`.
    pub start_ticks: u64,
}

impl Identity {
    /// The process that has this pid now.
    ///
    /// # Errors
    /// There is none.
    pub fn of(pid: Pid) -> io::Result<Self> {
        let pid = pid.as_raw_pid();
        Ok(Self { pid, start_ticks: stat(pid)?.start_ticks })
    }
}

/// The processes whose parent is `parent` now.
pub(super) fn children_of(parent: Pid) -> io::Result<Vec<Pid>> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        // One that has gone meanwhile is nobody's child.
        if stat(pid).is_ok_and(|stat| stat.parent == parent.as_raw_pid()) {
            children.extend(Pid::from_raw(pid));
        }
    }
    Ok(children)
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: i32,
    start_ticks: u64,
}

fn stat(pid: i32) -> io::Result<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse(&text).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat is not understood"))
    })
}

/// Fields are counted behind the last parenthesis, because the second field is a name that the process chose.
fn parse(text: &str) -> Option<Stat> {
    let (_, behind) = text.rsplit_once(')')?;
    // The first field here is number 3; the parent is number 4, the start time number 22.
    let mut fields = behind.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let start_ticks = fields.nth(17)?.parse().ok()?;
    Some(Stat { parent, start_ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_blanks_moves_no_field() {
        let text = "77 (a) b (c) S 5 77 77 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 2000";
        assert_eq!(parse(text), Some(Stat { parent: 5, start_ticks: 987_654 }));
        assert_eq!(parse("77 (cut off) S 5 77"), None);
    }

    #[test]
    fn this_process_is_found_with_its_own_start_time_and_by_its_parent() {
        let own = rustix::process::getpid();
        let identity = Identity::of(own).unwrap();
        assert_eq!(identity.pid, own.as_raw_pid());
        assert_eq!(identity, Identity::of(own).unwrap());
        assert!(children_of(rustix::process::getppid().unwrap()).unwrap().contains(&own));
    }
}
