//! The instances as the kernel knows them: process id and start time, which together name a process for good. Read from
//! `/proc` and not from Isthmus, because what Isthmus says of them is what is to be proved.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};

use crate::run::Run;

/// What Pulsar's instances are started with, whatever their language.
const INSTANCE: &str = "--function_details";

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    pid: i32,
    /// In ticks since the machine started.
    started: u64,
}

impl Process {
    /// Its process id.
    pub fn pid(self) -> i32 {
        self.pid
    }

    /// What it has used of processors so far, in user and kernel mode; `None` when it has ended.
    pub fn processor_time(self) -> Option<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let ticks = used(&stat).filter(|_| start_time(&stat) == Some(self.started))?;
        Some(Duration::from_secs(ticks) / u32::try_from(clock_ticks_per_second()).ok()?)
    }

    /// Kills it (SIGKILL), as the kernel does when memory runs out. It may have ended already.
    pub fn kill(self) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            let _ended = kill_process(pid, Signal::KILL);
        }
    }
}

/// The process of this run whose program has this file name, the newest when there are several.
pub fn named(run: &Run, program: &str) -> Option<Process> {
    let is_it = |pid: &i32| {
        let path = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        path.file_name().is_some_and(|name| name == program)
    };
    run.processes().into_iter().filter(is_it).filter_map(identify).max_by_key(|process| process.started)
}

/// The instances that run now and belong to this run.
pub fn running(run: &Run) -> BTreeSet<Process> {
    run.processes().into_iter().filter(|pid| is_instance(*pid)).filter_map(identify).collect()
}

/// How many of the processes from before are not there any more.
pub fn restarted(before: &BTreeSet<Process>, after: &BTreeSet<Process>) -> usize {
    before.difference(after).count()
}

/// A guard has the instance's command line in its own, so the argument alone does not tell; the program's name does.
fn is_instance(pid: i32) -> bool {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let mut arguments = line.split(|byte| *byte == 0);
    let program = arguments.next().map(String::from_utf8_lossy).unwrap_or_default();
    let name = Path::new(&*program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    (name == "java" || name.starts_with("python"))
        && arguments.any(|argument| argument == INSTANCE.as_bytes())
}

fn identify(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(Process { pid, started: start_time(&stat)? })
}

/// The 22nd field; counted behind the program's name, which may hold spaces and brackets itself.
fn start_time(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// The 14th and 15th fields together, in ticks.
fn used(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_a_name_with_brackets() {
        let stat = "12 (java) (x) S 1 12 12 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 1 0 98765 1000 10 18446744073709551615";

        assert_eq!(start_time(stat), Some(98765));
        assert_eq!(used(stat), Some(5 + 6));
    }

    #[test]
    fn a_process_with_the_same_id_and_another_start_time_is_another_one() {
        let before = BTreeSet::from([Process { pid: 7, started: 1 }, Process { pid: 8, started: 1 }]);
        let after = BTreeSet::from([Process { pid: 7, started: 1 }, Process { pid: 8, started: 9 }]);

        assert_eq!(restarted(&before, &after), 1);
    }
}
