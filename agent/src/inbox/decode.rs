//! From the bytes of an assignment to what they say.

use std::sync::Arc;

use isthmus_daemon::chain::Chain;
use isthmus_model::assignment::Assignment;
use isthmus_model::pulsar_cluster::PulsarCluster;
use isthmus_model::reason::Reason;
use isthmus_proto::convert::assignment::Decoded;
use isthmus_proto::sync::v1 as wire;
use prost::Message;

use super::change::Refusal;

/// Keeps one copy of each Pulsar cluster: thousands of assignments name the same few.
#[derive(Debug, Default)]
pub struct Decoder {
    pulsar: Vec<Arc<PulsarCluster>>,
}

impl Decoder {
    /// More than a cluster is linked to. What changes often does not fill the memory: the list starts anew.
    const MOST: usize = 64;

    /// The assignment that a message says, or why this agent cannot take it.
    pub fn assignment(&mut self, message: wire::Assignment) -> Result<Arc<Assignment>, Refusal> {
        let Decoded { mut assignment, component: _ } =
            Decoded::try_from(message).map_err(|e| unreadable(&e))?;
        assignment.pulsar = self.shared(assignment.pulsar);
        Ok(Arc::new(assignment))
    }

    fn shared(&mut self, pulsar: Arc<PulsarCluster>) -> Arc<PulsarCluster> {
        if let Some(known) = self.pulsar.iter().find(|known| **known == pulsar) {
            return known.clone();
        }
        if self.pulsar.len() >= Self::MOST {
            self.pulsar.clear();
        }
        self.pulsar.push(pulsar.clone());
        pulsar
    }
}

/// As [`Decoder::assignment`], from the bytes.
pub(super) fn decode(bytes: &[u8], decoder: &mut Decoder) -> Result<Arc<Assignment>, Refusal> {
    let message = wire::Assignment::decode(bytes).map_err(|e| unreadable(&e))?;
    decoder.assignment(message)
}

fn unreadable(error: &(dyn std::error::Error + 'static)) -> Refusal {
    let message =
        format!("this agent cannot read the assignment; it may be older than the gateway: {}", Chain(error));
    Refusal { reason: Reason::MalformedDocument, message }
}
