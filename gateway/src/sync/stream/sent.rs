//! How long agents take: from a change's last part on its way to its acknowledgement.

use std::collections::VecDeque;
use std::time::Duration;

use isthmus_proto::sync::v1::Delta;

/// Changes on their way, oldest first; no more than the session's window.
#[derive(Debug, Default)]
pub(super) struct Sent(VecDeque<(u64, Duration)>);

impl Sent {
    /// A part is handed to the connection.
    pub(super) fn note(&mut self, delta: &Delta, now: Duration) {
        if delta.last {
            self.0.push_back((delta.nonce, now));
        }
    }

    /// The agent has it, and all that came before.
    pub(super) fn acknowledged(&mut self, nonce: u64, now: Duration) {
        while let Some((_, sent)) = self.0.pop_front_if(|(sent, _)| *sent <= nonce) {
            metrics::histogram!("isthmus_acknowledge_seconds").record(now.saturating_sub(sent));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_on_its_way_from_its_last_part_until_an_acknowledgement_that_covers_it() {
        let delta = |nonce, last| Delta { nonce, last, ..Delta::default() };
        let mut sent = Sent::default();
        for (nonce, last) in [(1, false), (2, true), (3, true), (4, true)] {
            sent.note(&delta(nonce, last), Duration::ZERO);
        }
        sent.acknowledged(3, Duration::ZERO);
        assert_eq!(sent.0, [(4, Duration::ZERO)]);
        sent.acknowledged(1, Duration::ZERO);
        assert_eq!(sent.0.len(), 1, "an old word changes nothing");
    }
}
