//! One cluster as the gateway holds it, beside what placement sees of it.

use std::sync::Arc;

use hashbrown::HashMap;

use isthmus_model::name::{ClusterName, Digest};
use isthmus_model::order::UnixMillis;
use isthmus_model::pulsar_cluster::PulsarCluster;

use super::desired::DesiredSet;
use crate::placement::PulsarId;
use crate::store::command::{Certificate, SecretHash};

#[derive(Debug)]
pub(crate) struct ClusterState {
    pub(crate) name: ClusterName,
    pub(crate) desired: DesiredSet,
    /// The PulsarClusters that it is linked to, as seen from there: made once, shared by all its assignments.
    pub(crate) seen: HashMap<PulsarId, Arc<PulsarCluster>>,
    pub(crate) identity: Identity,
    pub(crate) confirmed: Option<Digest>,
    /// When its health last changed.
    pub(crate) health_since: UnixMillis,
}

/// What an agent proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its current certificate.
    pub certificate: Certificate,
    /// Those before it that have not ended yet. They stay good, because a renewal may get lost on its way.
    pub older: Vec<Certificate>,
    /// Hash of its renewal credential.
    pub renewal: SecretHash,
}

impl Identity {
    /// Of an agent that has just joined.
    pub(crate) fn new(certificate: Certificate, renewal: SecretHash) -> Self {
        Self { certificate, older: Vec::new(), renewal }
    }

    /// Serial numbers of all certificates that may be good.
    pub fn serials(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.certificate).chain(&self.older).map(|certificate| certificate.serial.as_str())
    }

    /// Takes the next certificate, given at this time.
    pub(crate) fn succeed(&mut self, next: Certificate, at: UnixMillis) {
        let before = std::mem::replace(&mut self.certificate, next);
        self.older.push(before);
        self.older.retain(|certificate| certificate.not_after > at);
    }
}
