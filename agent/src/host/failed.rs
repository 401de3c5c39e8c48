//! Why an instance does not run.

use isthmus_daemon::chain::Chain;
use isthmus_model::reason::Reason;

use super::last_words;
use super::record::{Exit, ExitReason, InstanceDir};

/// An instance could not be started; nothing of it runs.
#[derive(Debug)]
pub(crate) struct Failed {
    /// The reason word.
    pub(crate) reason: Reason,
    /// A sentence without secrets.
    pub(crate) message: String,
}

impl Failed {
    pub(crate) fn new(reason: Reason, attempted: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        Self { reason, message: format!("{attempted}: {}", Chain(error)) }
    }

    pub(crate) fn start(attempted: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        Self::new(Reason::StartFailed, attempted, error)
    }

    /// The instance was started and is over already.
    pub(crate) fn ended(directory: &InstanceDir) -> Self {
        let start_failed = matches!(directory.exit(), Ok(Some(Exit { reason: ExitReason::StartFailed, .. })));
        let reason = if start_failed { Reason::StartFailed } else { Reason::BackOff };
        Self { reason, message: last_words::of(directory) }
    }
}
