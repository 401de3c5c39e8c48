//! The gateway's own certificate, made anew before it ends.

use std::sync::Arc;
use std::time::Duration;

use isthmus_daemon::chain::Chain;
use isthmus_daemon::clock::Clock;
use isthmus_daemon::tls;
use tokio_util::sync::CancellationToken;

use crate::cluster::authority::{Authority, SERVER_LIFE};

/// How often it is looked at. Time since boot counts, so a machine that slept looks soon after it woke.
const LOOK: Duration = Duration::from_mins(1);

/// What it takes.
#[derive(Debug)]
pub(super) struct Renewal {
    pub(super) authority: Arc<Authority>,
    pub(super) identity: Arc<tls::Identity>,
    pub(super) names: Vec<String>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Renewal {
    /// A lasting task.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut made = self.clock.boot();
        let mut looks = tokio::time::interval(LOOK);
        // Both arms only wait; nothing is lost when either is dropped.
        while tokio::select! { () = stop.cancelled() => false, _ = looks.tick() => true } {
            let now = self.clock.boot();
            if now.saturating_sub(made) < SERVER_LIFE * 2 / 3 {
                continue;
            }
            match self.renew() {
                Ok(()) => made = now,
                Err(problem) => tracing::error!(problem, "cannot renew the gateway's certificate: {problem}"),
            }
        }
    }

    fn renew(&self) -> Result<(), String> {
        let keyed = self
            .authority
            .server(&self.names, self.clock.now())
            .map_err(|error| Chain(&error).to_string())?;
        let key = keyed.key().map_err(|error| Chain(&error).to_string())?;
        self.identity.replace(keyed.issued.chain, key).map_err(|error| Chain(&error).to_string())
    }
}
