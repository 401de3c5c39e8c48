//! Free ports that stay free until they are used, among all who ask here.
//!
//! The usual trick, to bind port 0 and let go again, gives the same port to two servers that start at the same time, or to an
//! outgoing connection before the server has bound it. A lease is a locked file, so it holds between processes and through a
//! server's restart, and leases lie below the range from which the kernel takes ports for outgoing connections.

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
};

use crate::{cache::Cache, fs, run::open_lock};

/// Below Linux's default `ip_local_port_range`, which begins at 32768.
const RANGE: Range<u16> = 20_000..30_000;

/// No port could be leased.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lock files cannot be made.
    #[error("cannot lease a port")]
    Locks(#[source] fs::Error),
    /// Ten thousand ports are in use.
    #[error("no port of {}..{} is free on this machine; stop some of what listens there", RANGE.start, RANGE.end)]
    Exhausted,
}

/// A port that nobody else who leases gets while this value lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lease: File,
}

impl Port {
    /// Leases a port on which nobody listens, on any address.
    pub fn lease(cache: &Cache) -> Result<Self, Error> {
        let leases = cache.root().join("ports");
        fs::create_dir(&leases).map_err(Error::Locks)?;
        for number in RANGE {
            let file = open_lock(&leases.join(number.to_string())).map_err(Error::Locks)?;
            if file.try_lock().is_ok() && nobody_listens(number) {
                return Ok(Self { number, _lease: file });
            }
        }
        Err(Error::Exhausted)
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.number.fmt(f)
    }
}

/// Binding the wildcard address fails when anybody listens on the port, on whatever address.
fn nobody_listens(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_do_not_collide_and_a_port_comes_back_with_its_lease() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());

        let first = Port::lease(&cache).unwrap();
        let second = Port::lease(&cache).unwrap();
        assert_ne!(first.number(), second.number());

        // Looked at by its lock: whether the next lease gets this very port depends on who else listens on this machine.
        let lock = open_lock(&cache.root().join("ports").join(first.to_string())).unwrap();
        assert!(lock.try_lock().is_err());
        drop(first);
        assert!(lock.try_lock().is_ok());
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let lease = Port::lease(&cache).unwrap();
        let taken = lease.number();
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).unwrap();
        drop(lease);

        assert_ne!(Port::lease(&cache).unwrap().number(), taken);
    }
}
