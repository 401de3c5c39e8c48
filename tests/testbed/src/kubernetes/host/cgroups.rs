//! Control groups of a cluster's containers, in one hierarchy (version 2) or in one for each controller (version 1).

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::fs;

const MOUNT: &str = "/sys/fs/cgroup";
const OURS: &str = "isthmus-testbed";

/// What a cluster's containers weigh together against everything else on the machine: as much as twenty processes. One group
/// counts like one process unless it is told otherwise, and a cluster beside a compiler would stand still.
const SHARES: [(&str, &str); 2] = [("cpu.shares", "20480"), ("cpu.weight", "2000")];

/// Below which the pods of a cluster are.
pub(super) fn pods(number: u8) -> String {
    format!("/{OURS}/{number}/pods")
}

/// Makes a cluster's. The kubelet changes limits and weight of the lowest as it likes.
pub(super) fn make(number: u8) -> Result<(), fs::Error> {
    for hierarchy in hierarchies() {
        let ours = hierarchy.join(OURS);
        let cluster = ours.join(number.to_string());
        let pods = cluster.join("pods");
        fs::create_dir(&pods)?;
        for group in [&ours, &cluster, &pods] {
            inherit(group);
        }
        for group in [&ours, &cluster] {
            weigh(group);
        }
    }
    Ok(())
}

/// A group of version 1 has neither processors nor memory until it is told which.
fn inherit(group: &Path) {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let parent = group.parent().map(|parent| std::fs::read_to_string(parent.join(file)));
        if let Some(Ok(whole)) = parent {
            // Where it is told already, the same is written again.
            let _ = std::fs::write(group.join(file), whole.trim());
        }
    }
}

fn weigh(group: &Path) {
    for (file, shares) in SHARES {
        if group.join(file).exists() {
            // A machine that does not allow it is slower, not wrong.
            let _ = std::fs::write(group.join(file), shares);
        }
    }
}

/// The clusters that have any.
pub(super) fn numbers() -> impl Iterator<Item = u8> {
    let ours = hierarchies().into_iter().map(|hierarchy| hierarchy.join(OURS));
    ours.flat_map(|ours| std::fs::read_dir(ours).into_iter().flatten())
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Kills all that is in a cluster's and removes them.
pub(super) fn remove(number: u8) {
    /// A process that hangs in the kernel shall not hang us.
    const PATIENCE: Duration = Duration::from_secs(5);

    let began = Instant::now();
    for hierarchy in hierarchies() {
        let group = hierarchy.join(OURS).join(number.to_string());
        while group.exists() && !removed(&group) && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
        // Gone with its last cluster; that it has another is no error.
        let _ = std::fs::remove_dir(hierarchy.join(OURS));
    }
}

/// A group goes only after those below it, and only without processes.
fn removed(group: &Path) -> bool {
    for entry in std::fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            removed(&entry.path());
        }
    }
    let processes = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    for process in processes.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)) {
        let _ = kill_process(process, Signal::KILL);
    }
    std::fs::remove_dir(group).is_ok()
}

fn hierarchies() -> Vec<PathBuf> {
    let mount = Path::new(MOUNT);
    if mount.join("cgroup.controllers").exists() {
        return vec![mount.to_owned()];
    }
    let controllers = std::fs::read_dir(mount).into_iter().flatten().flatten();
    // Some are links to others.
    controllers
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}
