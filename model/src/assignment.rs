//! What one cluster must run of one component.

use std::sync::Arc;

use crate::component::ComponentKind;
use crate::name::{FullName, Uid};
use crate::order::{Generation, Revision};
use crate::pulsar_cluster::PulsarCluster;
use crate::sealed::SealedSecrets;

/// Desired state of one component in one cluster.
///
/// `spec` is the admitted component in the wire's encoding: the gateway holds and sends it as bytes, and the agent decodes
/// what it understands, so that a version in between loses nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The component's identity.
    pub uid: Uid,
    /// The component's name.
    pub name: FullName,
    /// Function, source or sink.
    pub kind: ComponentKind,
    /// The commit that last changed this assignment.
    pub generation: Generation,
    /// Which of the component's specs this is.
    pub revision: Revision,
    /// Instances to run here; 0 is allowed and means none.
    pub replicas: u32,
    /// The Pulsar cluster, as seen from here.
    pub pulsar: Arc<PulsarCluster>,
    /// The admitted component, encoded.
    pub spec: Arc<[u8]>,
    /// Its secrets that travel with it, sealed for this cluster alone. `None` when all are names of what is there already.
    pub sealed: Option<Arc<SealedSecrets>>,
}

/// The end of an assignment: nothing of this UID may run here any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Removal {
    /// The component's identity.
    pub uid: Uid,
    /// The commit that took the assignment away.
    pub generation: Generation,
}
