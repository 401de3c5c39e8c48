//! What clusters have of the host, and that nobody else has it: a number for each, which decides all its addresses and names,
//! and a bridge on which all clusters meet the host.
//!
//! Links, routes and control groups belong to the machine and not to a run's directory, so that a crash leaves them behind.
//! Hence every number is a locked file in a place of the machine: what bears the number of a free lock is nobody's, and is
//! removed by whoever comes next.

mod cgroups;
mod ip;

use std::{
    fs::File,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use crate::{
    fs::{self, Attempted},
    run::{lock, open_lock},
};

pub(super) use ip::Error as CommandError;
pub(super) use ip::feed;

/// Locks of the machine, gone when it starts anew as is all that they stand for.
const REGISTRY: &str = "/run/isthmus-testbed";

/// The bridge's name; links of clusters are named after it.
const BRIDGE: &str = "isthmus0";
const LINK: &str = "isthmus-";

/// Everything is in 10.213.0.0/16: the third number is 0 for the host and the nodes, and a cluster's own for its pods.
const PREFIX: [u8; 2] = [10, 213];

/// More clusters than a machine can bear.
const MOST: u8 = 200;

/// A place on the host could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The locks cannot be made.
    #[error("cannot take a place among the clusters of this machine")]
    Locks(#[source] fs::Error),
    /// The network or the control groups cannot be changed.
    #[error("cannot change the machine's network")]
    Command(#[source] ip::Error),
    /// Too many clusters.
    #[error("{MOST} clusters run on this machine already; stop some of them")]
    Exhausted,
}

/// The bridge between the host and all clusters. It is there as long as anybody holds it.
#[derive(Debug)]
pub struct Bridge {
    /// Shared among all who hold the bridge.
    lock: File,
}

impl Bridge {
    /// Makes it, unless it is there.
    pub fn hold() -> Result<Self, Error> {
        let registry = registry()?;
        let lock = open_lock(&registry_path("bridge")).map_err(Error::Locks)?;
        lock.lock_shared().attempted("lock", registry_path("bridge")).map_err(Error::Locks)?;
        if !ip::exists(BRIDGE) {
            let made = ip::batch(&[
                format!("link add {BRIDGE} address {} type bridge", hardware_address(0)),
                format!("address add {}/24 dev {BRIDGE}", Self::address()),
                format!("link set {BRIDGE} up"),
            ]);
            made.map_err(Error::Command)?;
        }
        drop(registry);
        Ok(Self { lock })
    }

    /// The host's address on it: what listens there is reached from every cluster's node and pods.
    pub fn address() -> Ipv4Addr {
        Ipv4Addr::new(PREFIX[0], PREFIX[1], 0, 1)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let Ok(_registry) = registry() else { return };
        let _ = self.lock.unlock();
        if self.lock.try_lock().is_ok() {
            ip::attempt(&[format!("link delete {BRIDGE}")]);
        }
    }
}

/// A cluster's number among all on this machine, and what of the machine bears it.
#[derive(Debug)]
pub(super) struct Place {
    number: u8,
    _lease: File,
    _bridge: Bridge,
}

impl Place {
    /// Takes a free number; removes what earlier clusters left, whatever their numbers were.
    pub(super) fn take() -> Result<Self, Error> {
        let bridge = Bridge::hold()?;
        let _registry = registry()?;
        sweep().map_err(Error::Locks)?;
        for number in 1..=MOST {
            let lease = open_lock(&registry_path(&number.to_string())).map_err(Error::Locks)?;
            if lease.try_lock().is_ok() {
                return Ok(Self { number, _lease: lease, _bridge: bridge });
            }
        }
        Err(Error::Exhausted)
    }

    /// The node's name.
    pub(super) fn node(&self) -> String {
        format!("node-{}", self.number)
    }

    /// The node's address on the bridge.
    pub(super) fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(PREFIX[0], PREFIX[1], 0, self.number + 1)
    }

    /// The pods' addresses.
    pub(super) fn pods(&self) -> String {
        format!("{}.{}.{}.0/24", PREFIX[0], PREFIX[1], self.number)
    }

    /// Below which the control groups of pods are, from each hierarchy's root.
    pub(super) fn cgroup(&self) -> String {
        cgroups::pods(self.number)
    }

    /// Makes the control groups.
    pub(super) fn make_cgroups(&self) -> Result<(), Error> {
        cgroups::make(self.number).map_err(Error::Locks)
    }

    /// Links the network namespace of a process with the bridge, and routes between both. Inside, the link is `eth0`.
    pub(super) fn link(&self, process: i32) -> Result<(), Error> {
        let (number, address, host) = (self.number, self.address(), Bridge::address());
        ip::batch(&[
            format!(
                "link add {LINK}{number} type veth peer name eth0 address {} netns {process}",
                hardware_address(number)
            ),
            format!("link set {LINK}{number} master {BRIDGE} up"),
            format!("route replace {} via {address}", self.pods()),
        ])
        .map_err(Error::Command)?;
        ip::batch_within(
            process,
            &[
                "link set lo up".to_owned(),
                format!("address add {address}/24 dev eth0"),
                "link set eth0 up".to_owned(),
                format!("route add default via {host}"),
            ],
        )
        .map_err(Error::Command)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Ok(_registry) = registry() else { return };
        clear(self.number);
    }
}

/// Removes what belongs to numbers that nobody has.
fn sweep() -> Result<(), fs::Error> {
    for number in ip::links(LINK).chain(cgroups::numbers()) {
        let lease = open_lock(&registry_path(&number.to_string()))?;
        if lease.try_lock().is_ok() {
            clear(number);
        }
    }
    Ok(())
}

/// What of the machine bears a number that nobody has, after a crash; the next cluster removes it.
pub fn leftovers() -> Result<Vec<String>, Error> {
    let _registry = registry()?;
    let links = ip::links(LINK).map(|number| (number, format!("{LINK}{number}")));
    let groups = cgroups::numbers().map(|number| (number, cgroups::pods(number)));
    let mut left = Vec::new();
    for (number, name) in links.chain(groups) {
        let lease = open_lock(&registry_path(&number.to_string())).map_err(Error::Locks)?;
        if lease.try_lock().is_ok() {
            left.push(name);
        }
    }
    Ok(left)
}

/// Hardware addresses of the bridge, which is number 0, and of nodes. A bridge without one has the lowest of its links', which
/// changes when clusters come and go, and every node sends to the old one until it asks again: for ten seconds and more the
/// host is not there. A node has that of the one that had its number before, so that what others know of it stays true.
fn hardware_address(number: u8) -> String {
    format!("02:69:73:74:68:{number:02x}")
}

/// Removes all of the machine that bears this number.
fn clear(number: u8) {
    if ip::exists(&format!("{LINK}{number}")) {
        ip::attempt(&[format!("link delete {LINK}{number}")]);
    }
    ip::attempt(&[format!("route delete {}.{}.{number}.0/24", PREFIX[0], PREFIX[1])]);
    cgroups::remove(number);
}

/// One at a time changes what is there.
fn registry() -> Result<File, Error> {
    fs::create_dir(Path::new(REGISTRY)).map_err(Error::Locks)?;
    lock(&registry_path("registry")).map_err(Error::Locks)
}

fn registry_path(name: &str) -> PathBuf {
    Path::new(REGISTRY).join(name)
}
