//! Where a control plane's servers run and listen: on the host with leased ports, or in a cluster's network namespace, where
//! every cluster has the same ones.

use std::{ffi::OsString, net::Ipv4Addr};

use crate::{
    cache::Cache,
    ports::{self, Port},
    process::Program,
};

/// A port to listen on, and who else could take it.
#[derive(Debug)]
pub(super) enum Slot {
    /// Ours among all on this machine.
    Leased(Port),
    /// Ours because the address is.
    Fixed(u16),
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Leased(port) => port.fmt(f),
            Self::Fixed(number) => number.fmt(f),
        }
    }
}

/// The place.
#[derive(Debug)]
pub(super) struct Site {
    /// What stands before a command line so that the program runs there; nothing on the host.
    enter: Vec<OsString>,
    pub(super) address: Ipv4Addr,
    pub(super) etcd: Slot,
    pub(super) etcd_peer: Slot,
    pub(super) api: Slot,
    pub(super) controllers: Slot,
    pub(super) scheduler: Slot,
}

impl Site {
    /// On the host's loopback.
    pub(super) fn host(cache: &Cache) -> Result<Self, ports::Error> {
        let lease = || Port::lease(cache).map(Slot::Leased);
        Ok(Self {
            enter: Vec::new(),
            address: Ipv4Addr::LOCALHOST,
            etcd: lease()?,
            etcd_peer: lease()?,
            api: lease()?,
            controllers: lease()?,
            scheduler: lease()?,
        })
    }

    /// In a namespace whose only address, but for loopback, is `address`.
    pub(super) fn namespace(enter: Vec<OsString>, address: Ipv4Addr) -> Self {
        Self {
            enter,
            address,
            etcd: Slot::Fixed(2379),
            etcd_peer: Slot::Fixed(2380),
            api: Slot::Fixed(6443),
            controllers: Slot::Fixed(10257),
            scheduler: Slot::Fixed(10259),
        }
    }

    /// What the API server binds: in a namespace pods come to it through other addresses as well.
    pub(super) fn listens_on(&self) -> Ipv4Addr {
        if self.address.is_loopback() { self.address } else { Ipv4Addr::UNSPECIFIED }
    }

    /// The program, started there.
    pub(super) fn place(&self, program: &Program) -> Program {
        program.clone().prefixed(&self.enter)
    }

    /// What stands before a command line that shall run there.
    pub(super) fn enter(&self) -> &[OsString] {
        &self.enter
    }
}
