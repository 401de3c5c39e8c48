//! Logs that are read through one session.

use hashbrown::HashMap;
use isthmus_proto::sync::v1::{LogCancel, LogData, LogRequest};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::sync::registry::{LogEnd, LogPiece};

/// Who reads what.
#[derive(Debug, Default)]
pub(super) struct Logs {
    readers: HashMap<u64, mpsc::Sender<LogPiece>>,
    next: u64,
}

impl Logs {
    /// Gives a request its id.
    pub(super) fn open(&mut self, request: LogRequest, reader: mpsc::Sender<LogPiece>) -> LogRequest {
        self.next += 1;
        self.readers.insert(self.next, reader);
        LogRequest { id: self.next, ..request }
    }

    /// Hands a piece to its reader. A reader that went away or does not keep up must not hold up the session: the agent is
    /// then told to stop.
    pub(super) fn take(&mut self, data: LogData) -> Option<LogCancel> {
        let LogData { id, data, end, error } = data;
        let reader = self.readers.get(&id)?;
        let mut going = true;
        if !data.is_empty() {
            going = match reader.try_send(Ok(data)) {
                Ok(()) => true,
                Err(TrySendError::Closed(_)) => false,
                Err(TrySendError::Full(_)) => {
                    // The last place of the channel is kept for this.
                    let _full = reader.try_send(Err(LogEnd::Slow));
                    false
                }
            };
        }
        if going && end && !error.is_empty() {
            let error = error.chars().take(1024).collect();
            let _gone = reader.try_send(Err(LogEnd::Agent(error)));
        }
        if !going || end {
            self.readers.remove(&id);
        }
        (!going && !end).then_some(LogCancel { id })
    }
}

impl Drop for Logs {
    /// The session ended before the logs did.
    fn drop(&mut self) {
        for reader in self.readers.values() {
            let _gone = reader.try_send(Err(LogEnd::Session));
        }
    }
}
