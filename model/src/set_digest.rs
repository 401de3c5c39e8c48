//! A digest of what a cluster shall run, which both ends of a session keep as they go.
//!
//! Comparing two desired sets then costs nothing, whatever their size: equal digests mean equal sets, and where they
//! differ the digests of 256 buckets say in which parts. It finds accidents, not forgeries: the session is authenticated.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::name::{Invalid, Uid};
use crate::order::Generation;

/// Order-independent digest of a set of (UID, generation) pairs.
///
/// The digest of one pair is SHA-256 over the UID's 16 bytes followed by the generation's eight big-endian bytes, read as
/// four big-endian 64-bit lanes. The digest of a set is the sum of its pairs' digests, lane by lane, modulo 2^64; the
/// empty set's is all zeros. On the wire it is its 32 bytes, big-endian lanes in order.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SetDigest([u64; 4]);

impl SetDigest {
    /// Parts that a set is divided into, so that two unlike sets need not be compared as a whole.
    pub const BUCKETS: usize = 256;

    /// The part that a UID belongs to: the first byte of the SHA-256 of its 16 bytes.
    pub fn bucket(uid: Uid) -> u8 {
        let [first, ..] = <[u8; 32]>::from(Sha256::digest(uid.as_bytes()));
        first
    }

    /// Takes one pair in that is not in.
    pub fn insert(&mut self, uid: Uid, generation: Generation) {
        self.merge(Self::of(uid, generation));
    }

    /// Takes one pair out that is in.
    pub fn remove(&mut self, uid: Uid, generation: Generation) {
        let pair = Self::of(uid, generation);
        self.0.iter_mut().zip(pair.0).for_each(|(lane, other)| *lane = lane.wrapping_sub(other));
    }

    /// Takes in another set that shares no pair with this one.
    pub fn merge(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(lane, other)| *lane = lane.wrapping_add(other));
    }

    /// The 32 bytes as they go over the wire.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes
            .iter_mut()
            .zip(self.0.iter().flat_map(|lane| lane.to_be_bytes()))
            .for_each(|(to, from)| *to = from);
        bytes
    }

    /// Reads the bytes that came over the wire; none at all mean the empty set.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Invalid> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| Invalid {
            what: "set digest",
            value: String::new(),
            rule: "it must be 32 bytes, or none for the empty set",
        })?;
        let mut lanes = [0; 4];
        for (lane, bytes) in lanes.iter_mut().zip(bytes.chunks_exact(8)) {
            *lane = bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        }
        Ok(Self(lanes))
    }

    fn of(uid: Uid, generation: Generation) -> Self {
        let hash =
            Sha256::new().chain_update(uid.as_bytes()).chain_update(generation.0.to_be_bytes()).finalize();
        let mut lanes = [0; 4];
        for (lane, bytes) in lanes.iter_mut().zip(hash.chunks_exact(8)) {
            *lane = bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        }
        Self(lanes)
    }
}

impl FromIterator<(Uid, Generation)> for SetDigest {
    fn from_iter<I: IntoIterator<Item = (Uid, Generation)>>(pairs: I) -> Self {
        let mut digest = Self::default();
        pairs.into_iter().for_each(|(uid, generation)| digest.insert(uid, generation));
        digest
    }
}

impl fmt::Display for SetDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|lane| write!(f, "{lane:016x}"))
    }
}

impl fmt::Debug for SetDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(n: u128, generation: u64) -> (Uid, Generation) {
        (Uid(uuid::Uuid::from_u128(n)), Generation(generation))
    }

    #[test]
    fn it_forgets_order_and_what_was_taken_out() {
        let one: SetDigest = [pair(1, 7), pair(2, 8)].into_iter().collect();
        let mut other: SetDigest = [pair(2, 8), pair(3, 9), pair(1, 7)].into_iter().collect();
        assert_ne!(one, other);
        let (uid, generation) = pair(3, 9);
        other.remove(uid, generation);
        assert_eq!(one, other);
    }

    #[test]
    fn the_buckets_of_a_set_merge_to_its_digest() {
        let all = (0..100).map(|n| pair(n, 1));
        let mut buckets = vec![SetDigest::default(); SetDigest::BUCKETS];
        all.clone().for_each(|(uid, generation)| {
            buckets[usize::from(SetDigest::bucket(uid))].insert(uid, generation);
        });
        let mut merged = SetDigest::default();
        for bucket in buckets {
            merged.merge(bucket);
        }
        assert_eq!(merged, all.collect());
    }

    #[test]
    fn one_pair_has_the_documented_digest_and_reads_back_from_its_bytes() {
        let digest: SetDigest = [pair(1, 2)].into_iter().collect();
        let mut hashed = vec![0; 15];
        hashed.extend([1, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(digest.to_bytes(), <[u8; 32]>::from(Sha256::digest(&hashed)));
        assert_eq!(SetDigest::from_slice(&digest.to_bytes()), Ok(digest));
    }

    #[test]
    fn the_empty_set_is_no_bytes_and_anything_else_is_refused() {
        assert_eq!(SetDigest::from_slice(&[]), Ok(SetDigest::default()));
        assert!(SetDigest::from_slice(&[0; 31]).is_err());
    }
}
