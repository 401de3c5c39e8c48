//! Whether this machine can have nodes: containers take rights and kernel features that not every machine gives.

use std::process::{Command, Stdio};

use crate::tools::Missing;

/// What a node does first, in namespaces that end at once.
const PROBE: &str = "ip link add probe type bridge && ip link add probe0 type veth peer name probe1 \
                     && mount -t tmpfs tmpfs /run && mkdir /run/1 /run/2 /run/3 /run/4 \
                     && mount -t overlay overlay -o lowerdir=/run/1,upperdir=/run/2,workdir=/run/3 /run/4";

/// Says what the machine lacks to run a [`Cluster`](super::Cluster), apart from packages that can be installed.
pub fn nodes_can_run() -> Result<(), Missing> {
    if !rustix::process::geteuid().is_root() {
        return Err(missing("root's rights", "a node makes network namespaces, mounts and control groups"));
    }
    let version_2 = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    if !version_2 && !std::path::Path::new("/sys/fs/cgroup/memory").exists() {
        return Err(missing("control groups", "a node puts each container into one, below /sys/fs/cgroup"));
    }
    let probe = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "/bin/sh", "-c", PROBE])
        .stdin(Stdio::null())
        .output();
    match probe {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().last().unwrap_or("no reason given").trim();
            Err(missing(
                "what containers take",
                &format!("namespaces, links or overlays are refused ({said})"),
            ))
        }
        Err(error) => Err(missing("what containers take", &format!("unshare cannot be run ({error})"))),
    }
}

fn missing(what: &str, why: &str) -> Missing {
    Missing {
        tool: what.to_owned(),
        why: why.to_owned(),
        remedy: "run it as root on a Linux machine, or in a container with all privileges".to_owned(),
    }
}
