//! A directory for each run of a server, registered: what a crash leaves is found and ended by the next start.
//!
//! A run directory is locked by its owner for as long as the owner lives, and every process started for it carries its path in
//! the environment, as do that process's children. So the sweep needs neither process ids, which are reused, nor start times:
//! a directory whose lock is free has no owner, and a process that carries its path belonged to that owner and to nobody else.

use std::{
    fs::File,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::{
    cache::Cache,
    fs::{self, Attempted},
};

/// The environment variable by which a process is known to belong to a run: its value is [`Run::dir`]. A program that clears the
/// environment of what it starts must be told to pass it on, or its children outlive a crash.
pub const MARK: &str = "ISTHMUS_RUN_DIR";

/// The file in a run directory that its owner holds locked.
const OWNER_LOCK: &str = ".owner";

/// A directory of its own, gone with this value; if the process crashes, gone with the next run of anybody using the cache.
#[derive(Debug)]
pub struct Run {
    dir: PathBuf,
    /// Held for the life of the run; the kernel releases it however we end.
    _owner: File,
}

impl Run {
    /// Sweeps what crashed runs left, then makes a directory whose name begins with `name`.
    pub fn create(cache: &Cache, name: &str) -> Result<Self, fs::Error> {
        static NEXT: AtomicU32 = AtomicU32::new(0);

        let runs = cache.runs_dir();
        fs::create_dir(&runs)?;
        // Without this lock a sweep could take a directory in the moment between its making and its locking.
        let _registry = lock(&cache.root().join("runs.lock"))?;
        sweep(&runs)?;

        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = runs.join(format!("{name}-{}-{number}", getpid()));
        fs::create_dir(&dir)?;
        let owner = lock(&dir.join(OWNER_LOCK))?;
        Ok(Self { dir, _owner: owner })
    }

    /// Where it is: absolute, on the cache's file system.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The ids of all processes that belong to it: those started for it, and what these started, as far as they passed on the
    /// variable [`MARK`].
    pub fn processes(&self) -> Vec<i32> {
        processes_of(&self.dir).into_iter().map(|pid| pid.as_raw_nonzero().get()).collect()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        end_processes(&self.dir);
        // Nothing to tell and nobody to tell it to: the next sweep tries again.
        let _ = fs::remove_dir(&self.dir);
    }
}

/// Opens (or makes) a lock file and waits until it is ours alone.
pub(crate) fn lock(path: &Path) -> Result<File, fs::Error> {
    let file = open_lock(path)?;
    file.lock().attempted("lock", path)?;
    Ok(file)
}

pub(crate) fn open_lock(path: &Path) -> Result<File, fs::Error> {
    File::options().create(true).truncate(false).write(true).open(path).attempted("open the lock file", path)
}

/// Ends the processes and removes the directories of all runs whose owner is gone.
fn sweep(runs: &Path) -> Result<(), fs::Error> {
    for entry in std::fs::read_dir(runs).attempted("list", runs)? {
        let dir = entry.attempted("list", runs)?.path();
        let owner = open_lock(&dir.join(OWNER_LOCK));
        // A directory that cannot even be opened is being removed by the guard of its servers.
        if owner.is_ok_and(|owner| owner.try_lock().is_ok()) {
            end_processes(&dir);
            fs::remove_dir(&dir)?;
        }
    }
    Ok(())
}

/// Kills every process that carries this run's mark, except ourselves, and returns when they are gone.
fn end_processes(dir: &Path) {
    /// A process that hangs in the kernel shall not hang us.
    const PATIENCE: Duration = Duration::from_secs(5);

    let began = Instant::now();
    loop {
        // Listed anew each time: one that was about to start another may have done so.
        let left = processes_of(dir);
        if left.is_empty() || began.elapsed() > PATIENCE {
            return;
        }
        for pid in left {
            // It may have ended since it was listed.
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The processes that carry this run's mark, except ourselves. Those of other users cannot be seen, and are not ours.
fn processes_of(dir: &Path) -> Vec<Pid> {
    let mut mark = MARK.as_bytes().to_vec();
    mark.push(b'=');
    mark.extend_from_slice(dir.as_os_str().as_bytes());

    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    processes
        .filter_map(|process| {
            let process = process.ok()?;
            let pid = Pid::from_raw(process.file_name().to_str()?.parse().ok()?)?;
            let environment = std::fs::read(process.path().join("environ")).ok()?;
            let marked = environment.split(|byte| *byte == 0).any(|variable| variable == mark);
            (marked && pid != getpid()).then_some(pid)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        (dir, cache)
    }

    #[test]
    fn a_run_takes_its_directory_with_it() {
        let (_keep, cache) = cache();
        let run = Run::create(&cache, "etcd").unwrap();
        let dir = run.dir().to_owned();
        fs::write(&dir.join("data"), "x").unwrap();

        drop(run);

        assert!(!dir.exists());
    }

    #[test]
    fn a_sweep_takes_what_has_no_owner_and_leaves_what_has_one() {
        let (_keep, cache) = cache();
        let living = Run::create(&cache, "living").unwrap();
        let crashed = cache.runs_dir().join("crashed-1-0");
        fs::create_dir(&crashed.join("data")).unwrap();

        let _next = Run::create(&cache, "next").unwrap();

        assert!(living.dir().exists());
        assert!(!crashed.exists());
    }
}
