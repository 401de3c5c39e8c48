//! Ports for instances: two each, from a range, free at the moment of asking and not promised to another instance.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use serde::{Deserialize, Serialize};

use super::config;

/// The ports of one instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pair {
    /// Its control service (gRPC).
    pub(crate) control: u16,
    /// Its metrics (HTTP).
    pub(crate) metrics: u16,
}

/// All ports of the range are taken.
#[derive(Debug, thiserror::Error)]
#[error("no two free ports between {first} and {last}; widen target.host.ports, or run fewer instances here")]
pub(crate) struct Exhausted {
    first: u16,
    last: u16,
}

/// Who has which port. Instances bind them by themselves, so that a probe only says what is free now; an instance that
/// loses the race ends and gets others at its next start.
#[derive(Debug)]
pub(crate) struct Pool {
    range: config::Ports,
    next: u16,
    taken: BTreeSet<u16>,
}

impl Pool {
    /// All of the range; the search begins at a place that depends on `seed`, so that two agents with one range seldom
    /// try the same port.
    pub(crate) fn new(range: config::Ports, seed: u64) -> Self {
        let size = u64::from(range.last.saturating_sub(range.first)) + 1;
        let offset = u16::try_from(seed % size).unwrap_or(0);
        Self { range, next: range.first.saturating_add(offset), taken: BTreeSet::new() }
    }

    /// Two ports on which nobody listens.
    pub(crate) fn take(&mut self) -> Result<Pair, Exhausted> {
        let control = self.take_one()?;
        match self.take_one() {
            Ok(metrics) => Ok(Pair { control, metrics }),
            Err(exhausted) => {
                self.taken.remove(&control);
                Err(exhausted)
            }
        }
    }

    /// Remembers the ports of an instance that was found running.
    pub(crate) fn adopt(&mut self, pair: Pair) {
        self.taken.extend([pair.control, pair.metrics]);
    }

    /// The instance is gone.
    pub(crate) fn give_back(&mut self, pair: Pair) {
        self.taken.remove(&pair.control);
        self.taken.remove(&pair.metrics);
    }

    fn take_one(&mut self) -> Result<u16, Exhausted> {
        let config::Ports { first, last } = self.range;
        for _ in first..=last {
            let port = self.next.clamp(first, last);
            self.next = if port >= last { first } else { port + 1 };
            if !self.taken.contains(&port) && is_free(port) {
                self.taken.insert(port);
                return Ok(port);
            }
        }
        Err(Exhausted { first, last })
    }
}

/// Instances listen on all addresses, of both families where the host has both.
fn is_free(port: u16) -> bool {
    let v6_is_free = match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)) {
        Ok(_) => true,
        Err(error) => error.kind() != std::io::ErrorKind::AddrInUse,
    };
    v6_is_free && TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A range in which nobody listens, as far as that can be known: around a port that the kernel just gave.
    fn free_range(size: u16) -> config::Ports {
        loop {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
            let first = listener.local_addr().unwrap().port();
            drop(listener);
            let Some(last) = first.checked_add(size - 1) else { continue };
            if (first..=last).all(is_free) {
                return config::Ports { first, last };
            }
        }
    }

    #[test]
    fn no_port_is_given_twice_and_what_is_given_back_is_given_again() {
        let mut pool = Pool::new(free_range(4), 3);
        let (one, two) = (pool.take().unwrap(), pool.take().unwrap());
        let all = BTreeSet::from([one.control, one.metrics, two.control, two.metrics]);
        assert_eq!(all.len(), 4);
        assert!(pool.take().is_err());
        pool.give_back(one);
        let again = pool.take().unwrap();
        assert_eq!(
            BTreeSet::from([again.control, again.metrics]),
            BTreeSet::from([one.control, one.metrics])
        );
    }

    #[test]
    fn a_port_on_which_somebody_listens_is_passed_over() {
        let range = free_range(3);
        let _somebody = TcpListener::bind((Ipv4Addr::LOCALHOST, range.first)).unwrap();
        let pair = Pool::new(range, 0).take().unwrap();
        assert!(pair.control != range.first && pair.metrics != range.first, "{pair:?}");
    }

    #[test]
    fn half_a_pair_is_not_kept_when_the_range_ends() {
        let mut pool = Pool::new(free_range(3), 0);
        pool.take().unwrap();
        assert!(pool.take().is_err());
        assert_eq!(pool.taken.len(), 2);
    }
}
