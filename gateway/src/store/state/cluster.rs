//! One cluster as the gateway holds it, beside what placement sees of it.

use std::sync::Arc;

use hashbrown::HashMap;

use isthmus_model::name::{ClusterName, Digest};
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
}

/// What an agent proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its current certificate. Older ones stay good until they end or are revoked, because a renewal may get lost on its way.
    pub certificate: Certificate,
    /// Hash of its renewal credential.
    pub renewal: SecretHash,
}
