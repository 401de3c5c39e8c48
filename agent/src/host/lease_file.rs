//! The lease as guards read it: one file for all instances that must have one owner at most.
//!
//! Guards end what they guard when the file is not renewed, so that no living agent is needed for it. What the file says means
//! nothing after a reboot; so it counts here only from when this agent has written it itself.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use isthmus_daemon::clock::Clock;
use tokio::sync::watch;

use super::record::replace;

/// Its name in the data directory.
const NAME: &str = "lease";

/// The file, and until when the lease lasts that this agent has written into it.
#[derive(Debug)]
pub(crate) struct LeaseFile {
    directory: PathBuf,
    until: watch::Sender<Duration>,
    clock: Arc<dyn Clock>,
}

impl LeaseFile {
    /// Leaves the file of an earlier agent alone: what that started may run until then.
    pub(crate) fn new(data: &Path, clock: Arc<dyn Clock>) -> Self {
        Self { directory: data.to_path_buf(), until: watch::Sender::new(Duration::ZERO), clock }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// Writes it anew: milliseconds since boot. Not durable, for a crash of the machine ends what it is for.
    pub(crate) fn renew(&self, until: Duration) -> io::Result<()> {
        replace(&self.directory, NAME, until.as_millis().to_string().as_bytes())?;
        self.until.send_replace(until);
        Ok(())
    }

    /// Waits until the lease lasts. Safe to cancel.
    pub(crate) async fn lasts(&self) {
        let lasts = |until: &Duration| *until > self.clock.boot();
        let mut until = self.until.subscribe();
        // It cannot fail: the sender is this value's own.
        let _lasts = until.wait_for(lasts).await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use isthmus_daemon::clock::SystemClock;

    use super::*;

    #[tokio::test]
    async fn what_an_earlier_agent_wrote_lets_nothing_start() {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("lease"), "99999999999").unwrap();
        let lease = LeaseFile::new(data.path(), Arc::new(SystemClock));
        assert_eq!(lease.lasts().now_or_never(), None);
        lease.renew(Duration::ZERO).unwrap();
        assert_eq!(lease.lasts().now_or_never(), None, "over already");
        lease.renew(Duration::from_millis(99_999_999_999)).unwrap();
        lease.lasts().await;
        assert_eq!(std::fs::read_to_string(lease.path()).unwrap(), "99999999999");
    }
}
