//! Secrets that travel with a component: encrypted by the client, opened in the clusters that it was sealed for, and read by
//! nobody between.
//!
//! ```text
//! client   values ──(one data key)──▶ ciphertexts        data key ──(public key of each cluster)──▶ sealed keys
//! gateway  keeps both; sends a cluster the ciphertexts, and of the sealed keys the one that is its own
//! agent    sealed key ──(its private key)──▶ data key ──▶ values, in memory
//! ```
//!
//! These are the nouns only; the crate `isthmus-sealing` seals and opens.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::name::{Digest, Invalid};

/// The public key to which clients seal data keys for one cluster: X25519, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SealingKey(pub [u8; 32]);

impl SealingKey {
    /// Its short name: the first 16 bytes of its SHA-256.
    pub fn id(&self) -> SealingKeyId {
        let hash: [u8; 32] = Sha256::digest(self.0).into();
        let mut id = [0; 16];
        id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        SealingKeyId(id)
    }
}

/// Names a [`SealingKey`]. A cluster that makes a new key has another id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SealingKeyId(pub [u8; 16]);

macro_rules! hexadecimal {
    ($name:ident, $bytes:literal, $what:literal, $rule:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl $name {
            /// Takes the bytes as they came over the wire.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, Invalid> {
                let wrong = |_| Invalid { what: $what, value: String::new(), rule: $rule };
                bytes.try_into().map(Self).map_err(wrong)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            /// Parses hexadecimal digits.
            fn from_str(text: &str) -> Result<Self, Invalid> {
                let wrong = || Invalid { what: $what, value: text.to_owned(), rule: $rule };
                if text.len() != 2 * $bytes || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return Err(wrong());
                }
                let mut bytes = [0; $bytes];
                for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
                    let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
                    *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
                }
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hexadecimal!(SealingKey, 32, "sealing key", "it must be 32 bytes, 64 hexadecimal digits");
hexadecimal!(SealingKeyId, 16, "sealing key id", "it must be 16 bytes, 32 hexadecimal digits");

/// The secrets of one component, sealed. Cloning shares the ciphertexts.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SealedSecrets {
    /// The data key, once for each cluster that may open it, by the key that it is sealed to.
    pub keys: BTreeMap<SealingKeyId, SealedKey>,
    /// The values, by the name under which the component's `secrets` list them.
    pub values: Arc<BTreeMap<String, SealedValue>>,
}

/// The data key as one cluster can open it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SealedKey {
    /// HPKE's encapsulated key.
    pub encapsulated: [u8; SealedKey::ENCAPSULATED],
    /// The data key, encrypted, with its tag.
    pub ciphertext: [u8; SealedKey::CIPHERTEXT],
}

impl SealedKey {
    /// Bytes of an encapsulated key.
    pub const ENCAPSULATED: usize = 32;
    /// Bytes of an encrypted data key: 32 and a tag of 16.
    pub const CIPHERTEXT: usize = 48;
}

/// One value, encrypted with the data key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SealedValue {
    /// Never the same twice under one data key.
    pub nonce: [u8; SealedValue::NONCE],
    /// The value, encrypted, with its tag.
    pub ciphertext: Box<[u8]>,
}

impl SealedValue {
    /// Bytes of a nonce.
    pub const NONCE: usize = 12;
    /// Bytes of a tag, which every ciphertext has beside its value.
    pub const TAG: usize = 16;
}

impl SealedSecrets {
    /// The way of sealing that this version knows: HPKE in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and
    /// ChaCha20Poly1305 for the data key, ChaCha20Poly1305 under it for the values.
    pub const SCHEME: u32 = 1;
    /// Values of one component.
    pub const MOST_VALUES: usize = 64;
    /// Clusters that one component is sealed for.
    pub const MOST_KEYS: usize = 1024;
    /// Bytes of one value, in clear.
    pub const LARGEST_VALUE: usize = 64 << 10;
    /// Bytes of all values together, in clear.
    pub const LARGEST: usize = 256 << 10;

    /// The same for one cluster: all values, and no sealed key but its own. Without that the cluster can say what is wrong.
    #[must_use]
    pub fn share(&self, key: Option<SealingKeyId>) -> Self {
        let own = key.and_then(|id| Some((id, self.keys.get(&id)?.clone())));
        Self { keys: own.into_iter().collect(), values: self.values.clone() }
    }

    /// Digest of the ciphertexts: the same in every cluster that they are sealed for, and another one whenever they are sealed
    /// again.
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        for (name, SealedValue { nonce, ciphertext }) in self.values.iter() {
            for part in [name.as_bytes(), nonce, ciphertext] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        Digest(hash.finalize().into())
    }

    /// Bytes of all ciphertexts.
    pub fn size(&self) -> usize {
        self.values.values().map(|value| value.ciphertext.len()).sum()
    }
}

impl fmt::Debug for SealedSecrets {
    /// Names and keys; ciphertexts tell nobody anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedSecrets")
            .field("keys", &self.keys.keys())
            .field("values", &self.values.keys())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(values: &[(&str, u8)]) -> SealedSecrets {
        let value = |byte| SealedValue { nonce: [byte; 12], ciphertext: vec![byte; 20].into() };
        let key = SealedKey { encapsulated: [1; 32], ciphertext: [2; 48] };
        SealedSecrets {
            keys: [(SealingKeyId([1; 16]), key.clone()), (SealingKeyId([2; 16]), key)].into(),
            values: Arc::new(values.iter().map(|(name, byte)| ((*name).to_owned(), value(*byte))).collect()),
        }
    }

    #[test]
    fn a_cluster_gets_its_own_key_and_no_other() {
        let all = sealed(&[("A", 1)]);
        let one = all.share(Some(SealingKeyId([2; 16])));
        assert_eq!(one.keys.keys().collect::<Vec<_>>(), [&SealingKeyId([2; 16])]);
        assert_eq!(all.share(Some(SealingKeyId([3; 16]))).keys.len(), 0);
        assert_eq!(all.share(None).keys.len(), 0);
        assert_eq!((one.values.len(), one.digest()), (1, all.digest()));
    }

    #[test]
    fn the_digest_is_that_of_names_and_ciphertexts() {
        assert_ne!(sealed(&[("A", 1)]).digest(), sealed(&[("B", 1)]).digest());
        assert_ne!(sealed(&[("A", 1)]).digest(), sealed(&[("A", 2)]).digest());
        assert_ne!(sealed(&[("A", 1)]).digest(), sealed(&[("A", 1), ("B", 1)]).digest());
    }

    #[test]
    fn keys_and_their_ids_read_back_from_text_and_from_nothing_else() {
        let key = SealingKey([7; 32]);
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(key.id().to_string().parse(), Ok(key.id()));
        for bad in ["", "00", &"é".repeat(32), &"zz".repeat(32), &"00".repeat(33)] {
            assert!(bad.parse::<SealingKey>().is_err(), "{bad}");
        }
        assert!(SealingKey::from_slice(&[0; 31]).is_err());
    }

    #[test]
    fn debug_shows_names_and_no_ciphertext() {
        let shown = format!("{:?}", sealed(&[("A", 9)]));
        assert!(shown.contains("\"A\"") && !shown.contains("9, 9"), "{shown}");
    }
}
