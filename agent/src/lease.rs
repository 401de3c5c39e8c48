//! Until when this cluster may run what must have one owner at most.
//!
//! ```text
//! gateway: "heard what you sent at T" ▶ link ▶ Lessor ─▶ Lease ▶ target ▶ who ends what runs, with or without this agent
//! ```
//!
//! The lease lasts from when the renewal was *sent*: what the gateway counts from when it heard ends later, whatever the way
//! between took. Times are times since boot, suspended time included.

use std::time::Duration;

use tokio::sync::watch;

/// The side that renews; the link has it.
#[derive(Debug)]
pub struct Lessor(watch::Sender<Duration>);

/// The side that abides by it; the target has it. Clones see the same lease.
#[derive(Debug, Clone)]
pub struct Lease(watch::Receiver<Duration>);

/// Both sides of a lease that is over: nobody has renewed it yet.
pub fn lease() -> (Lessor, Lease) {
    let (sender, receiver) = watch::channel(Duration::ZERO);
    (Lessor(sender), Lease(receiver))
}

impl Lessor {
    /// It lasts until then, or longer if it does already.
    pub fn renew(&self, until: Duration) {
        self.0.send_if_modified(|known| {
            let later = until > *known;
            *known = until.max(*known);
            later
        });
    }
}

impl Lease {
    /// Waits until it was renewed since this was asked last; answers until when it lasts, or `None` when nobody will renew it any
    /// more. Safe to cancel.
    pub async fn renewed(&mut self) -> Option<Duration> {
        self.0.changed().await.ok()?;
        Some(*self.0.borrow_and_update())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lease_never_gets_shorter() {
        let (lessor, mut lease) = lease();
        lessor.renew(Duration::from_secs(9));
        assert_eq!(lease.renewed().await, Some(Duration::from_secs(9)));
        lessor.renew(Duration::from_secs(8));
        lessor.renew(Duration::from_secs(10));
        assert_eq!(lease.renewed().await, Some(Duration::from_secs(10)));
        lessor.renew(Duration::from_secs(10));
        drop(lessor);
        assert_eq!(lease.renewed().await, None);
    }
}
