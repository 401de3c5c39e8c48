//! Processes and the machine, as the kernel sees them.

use std::time::Duration;

use anyhow::{Context, Result};
use isthmus_testbed::Run;
use isthmus_testbed::isthmus::instances::{self, Process};

/// Resident bytes of the run's process of this name, code and mapped files included.
pub(crate) fn resident(run: &Run, program: &str) -> Result<u64> {
    let process = named(run, program)?;
    let path = format!("/proc/{}/status", process.pid());
    let status = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib =
        line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    Ok(kib.with_context(|| format!("{path} has no VmRSS"))? * 1024)
}

/// What the run's process of this name has used of processors so far.
pub(crate) fn processor_time(run: &Run, program: &str) -> Result<Duration> {
    named(run, program)?.processor_time().with_context(|| format!("{program} has ended"))
}

fn named(run: &Run, program: &str) -> Result<Process> {
    instances::named(run, program).with_context(|| format!("no {program} runs"))
}

/// Runnable tasks over the last minute: two cores that are asked for more than two are shared.
pub(crate) fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

/// Writes everything out and empties the page cache; `false` when we may not.
pub(crate) fn drop_page_cache() -> bool {
    let synced = std::process::Command::new("sync").status().is_ok_and(|status| status.success());
    synced && std::fs::write("/proc/sys/vm/drop_caches", "3\n").is_ok()
}
