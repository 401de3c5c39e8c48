//! The only place that asks the machine for the time.
//!
//! Two clocks, because they answer two questions. *When was it?* is wall time, which people read and which may
//! jump. *How long ago was it?* is time since boot, which never jumps and, unlike the monotonic clock of the
//! standard library, goes on while the machine is suspended: a lease must not survive a closed laptop lid.
//!
//! Code that decides takes the time as an argument; code that drives takes a [`Clock`].

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Tells the time. Shared by all parts of a program; the simulation passes its own.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Wall time: for people, certificates and logs. It may jump in both directions.
    fn now(&self) -> SystemTime;

    /// Time since the machine booted, suspended time included (`CLOCK_BOOTTIME`). It never goes back.
    fn boot(&self) -> Duration;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> SystemTime {
        (**self).now()
    }

    fn boot(&self) -> Duration {
        (**self).boot()
    }
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + since_zero(clock_gettime(ClockId::Realtime))
    }

    fn boot(&self) -> Duration {
        since_zero(clock_gettime(ClockId::Boottime))
    }
}

/// A clock before its own zero (a wall clock set before 1970) reads zero.
fn since_zero(time: Timespec) -> Duration {
    Duration::try_from(time).unwrap_or_default()
}

/// A clock that moves only when told to: for tests and for the simulation. Clones share the same time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Reading>>);

#[derive(Debug)]
struct Reading {
    now: SystemTime,
    boot: Duration,
}

impl ManualClock {
    /// A machine that booted just now, at the given wall time.
    pub fn starting_at(now: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(Reading { now, boot: Duration::ZERO })))
    }

    /// Time passes: both clocks move.
    pub fn advance(&self, by: Duration) {
        let mut reading = self.0.lock();
        reading.now += by;
        reading.boot += by;
    }

    /// Somebody sets the wall clock, to a later or an earlier time; no time passes.
    pub fn set_wall(&self, now: SystemTime) {
        self.0.lock().now = now;
    }
}

impl Default for ManualClock {
    /// A machine that booted at the beginning of 1970.
    fn default() -> Self {
        Self::starting_at(UNIX_EPOCH)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        self.0.lock().now
    }

    fn boot(&self) -> Duration {
        self.0.lock().boot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_booted_before_now_and_after_1970() {
        let clock = SystemClock;
        let (boot, now) = (clock.boot(), clock.now());
        assert!(boot > Duration::ZERO, "{boot:?}");
        assert!(now > UNIX_EPOCH + boot, "{now:?}");
        assert!(clock.boot() >= boot);
    }

    #[test]
    fn passing_time_moves_both_clocks() {
        let clock = ManualClock::default();
        let other = clock.clone();
        clock.advance(Duration::from_secs(5));
        assert_eq!(other.boot(), Duration::from_secs(5));
        assert_eq!(other.now(), UNIX_EPOCH + Duration::from_secs(5));
    }

    #[test]
    fn setting_the_wall_clock_back_leaves_time_since_boot_alone() {
        let clock = ManualClock::starting_at(UNIX_EPOCH + Duration::from_secs(1000));
        clock.advance(Duration::from_secs(5));
        clock.set_wall(UNIX_EPOCH);
        assert_eq!(clock.now(), UNIX_EPOCH);
        assert_eq!(clock.boot(), Duration::from_secs(5));
    }
}
