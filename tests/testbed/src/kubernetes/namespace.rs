//! The namespaces in which a node lives: network, mounts and processes of its own.
//!
//! The first process of a process namespace takes all others with it when it ends, and mounts and links go with the last process
//! that sees them. So whatever way we end, the kernel itself clears away containers, pods' networks and volumes; a sweep that
//! looked for each of them would have to be right about all.

use std::{ffi::OsString, fs::read_link, path::Path, process::Command, time::Duration};

use super::{Error, host};
use crate::{
    process::{Program, Supervised},
    provision::KubernetesHome,
    run::Run,
    wait::until,
};

/// What containerd and the kubelet write outside the directories that they are told lies in memory here, and so does what the
/// host has in these places stay as it is.
const PRIVATE: &str = "
set -e
mount --make-rshared /
mkdir -p /var/lib/cni /var/lib/kubelet
for place in /run /var/log /var/lib/cni /var/lib/kubelet; do mount -t tmpfs tmpfs $place; done
";

/// Pods send through the node, and to Services on the same bridge.
const FORWARDING: &str = "
echo 1 >/proc/sys/net/ipv4/ip_forward
for bridged in /proc/sys/net/bridge/bridge-nf-call-iptables; do [ ! -e $bridged ] || echo 1 >$bridged; done
";

/// The rules for pods that speak to other clusters.
const MASQUERADE: &str = "ISTHMUS-PODS";

/// Held open by a process that does nothing else; dropping this ends all that runs in there.
#[derive(Debug)]
pub(super) struct Namespace {
    _holder: Supervised,
    init: i32,
}

impl Namespace {
    /// Makes them and enters the first process.
    pub(super) async fn create(run: &Run, home: &KubernetesHome) -> Result<Self, Error> {
        let pause = home.pause();
        let holder = Program::new("unshare")
            .args(["--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"])
            .args(["--mount-proc", "--"])
            .arg(&pause)
            .start(run, &run.dir().join("namespace.log"))
            .map_err(Error::Process)?;
        let found = until("the node's first process", Duration::from_secs(30), async || {
            first_process(run, &pause).ok_or_else(|| format!("it is not there; {}", holder.log_tail()))
        });
        let namespace = Self { init: found.await.map_err(Error::Wait)?, _holder: holder };
        namespace.feed(&["/bin/sh"], PRIVATE)?;
        namespace.feed(&["/bin/sh"], FORWARDING)?;
        Ok(namespace)
    }

    /// Has pods speak to other clusters as their node does: nobody there has a way back to a pod. The host has one, and sees who speaks.
    pub(super) fn masquerade(&self, pods: &str) -> Result<(), Error> {
        let host = host::Bridge::address();
        let rules = format!(
            "*nat\n:{MASQUERADE} - [0:0]\n-A {MASQUERADE} -d {host} -j RETURN\n-A {MASQUERADE} -j MASQUERADE\n\
             -A POSTROUTING -s {pods} -o eth0 -j {MASQUERADE}\nCOMMIT\n"
        );
        self.restore(&rules)
    }

    /// Changes rules for packets. Another that changes them at this moment is waited for.
    pub(super) fn restore(&self, rules: &str) -> Result<(), Error> {
        self.feed(&["iptables-restore", "--noflush", "--wait", "5"], rules)
    }

    /// The first process, as the host counts.
    pub(super) fn init(&self) -> i32 {
        self.init
    }

    /// What stands before a command line to run it in the network alone, with the host's files and processes.
    pub(super) fn enter_network(&self) -> Vec<OsString> {
        self.enter(&["--net"])
    }

    /// What stands before a command line to run it as a part of the node.
    pub(super) fn enter_node(&self) -> Vec<OsString> {
        self.enter(&["--net", "--mount", "--pid"])
    }

    /// Runs a program to its end as a part of the node, with this on its standard input.
    pub(super) fn feed(&self, call: &[&str], input: &str) -> Result<(), Error> {
        let enter = self.enter_node();
        let ([nsenter, enter @ ..], [name, ..]) = (enter.as_slice(), call) else { return Ok(()) };
        host::feed(Command::new(nsenter).args(enter).args(call), name, input).map_err(Error::Host)
    }

    fn enter(&self, which: &[&str]) -> Vec<OsString> {
        let target = self.init.to_string();
        let words = ["nsenter", "--target", &target].into_iter().chain(which.iter().copied()).chain(["--"]);
        words.map(OsString::from).collect()
    }
}

/// The one that runs `pause` in another network than ours.
fn first_process(run: &Run, pause: &Path) -> Option<i32> {
    let ours = read_link("/proc/self/ns/net").ok()?;
    run.processes().into_iter().find(|pid| {
        let of = |what: &str| read_link(format!("/proc/{pid}/{what}"));
        of("exe").is_ok_and(|exe| exe == pause) && of("ns/net").is_ok_and(|net| net != ours)
    })
}
