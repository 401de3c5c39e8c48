//! What one cluster must run of one component.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::component::ComponentKind;
use crate::name::{FullName, Uid};
use crate::order::{Generation, Revision};
use crate::pulsar_cluster::PulsarCluster;

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
}

/// The end of an assignment: nothing of this UID may run here any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Removal {
    /// The component's identity.
    pub uid: Uid,
    /// The commit that took the assignment away.
    pub generation: Generation,
}

/// Order-independent digest of a set of (UID, generation): the sum, modulo 2^64, of the first eight bytes, big-endian, of
/// SHA-256 over the UID's 16 bytes followed by the generation's eight big-endian bytes.
///
/// Both ends of a session keep it incrementally, so that comparing two desired sets costs nothing. It finds accidents, not
/// forgeries: the session is authenticated.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SetDigest(pub u64);

impl SetDigest {
    /// Parts that a set is divided into, so that two unlike sets need not be compared as a whole.
    pub const BUCKETS: usize = 256;

    /// The part that a UID belongs to: its last byte.
    pub fn bucket(uid: Uid) -> u8 {
        let [.., last] = *uid.as_bytes();
        last
    }

    /// Takes one item in.
    pub fn add(&mut self, uid: Uid, generation: Generation) {
        self.0 = self.0.wrapping_add(Self::item(uid, generation));
    }

    /// Takes one item out that is in.
    pub fn remove(&mut self, uid: Uid, generation: Generation) {
        self.0 = self.0.wrapping_sub(Self::item(uid, generation));
    }

    fn item(uid: Uid, generation: Generation) -> u64 {
        let hash =
            Sha256::new().chain_update(uid.as_bytes()).chain_update(generation.0.to_be_bytes()).finalize();
        hash.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
    }
}

impl std::fmt::Display for SetDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::fmt::Debug for SetDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_digest_forgets_order_and_what_was_taken_out() {
        let uid = |n: u128| Uid(uuid::Uuid::from_u128(n));
        let mut one = SetDigest::default();
        one.add(uid(1), Generation(7));
        one.add(uid(2), Generation(8));
        let mut other = SetDigest::default();
        other.add(uid(2), Generation(8));
        other.add(uid(3), Generation(9));
        other.add(uid(1), Generation(7));
        assert_ne!(one, other);
        other.remove(uid(3), Generation(9));
        assert_eq!(one, other);
    }

    #[test]
    fn a_set_digest_is_the_documented_number() {
        let mut digest = SetDigest::default();
        digest.add(Uid(uuid::Uuid::from_u128(1)), Generation(2));
        assert_eq!(digest.to_string(), "5dfadd0e50910f56");
    }
}
