//! The key pair of a cluster.

use std::fmt;

use hpke::{Deserializable, Kem as _, Serializable};
use isthmus_model::sealed::SealingKey;
use zeroize::{Zeroize as _, Zeroizing};

/// X25519 with HKDF-SHA256.
pub(crate) type Kem = hpke::kem::X25519HkdfSha256;

/// What opens the secrets of one cluster. It never leaves the agent, and memory that held it is overwritten.
#[derive(Clone)]
pub struct PrivateKey(Zeroizing<[u8; 32]>);

impl PrivateKey {
    /// A new one, by chance.
    pub fn generate() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// One that was kept: 32 bytes.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// To be kept.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// What clients seal to.
    pub fn public(&self) -> SealingKey {
        let mut public = [0; 32];
        if let Some(key) = self.kem() {
            public.copy_from_slice(&Kem::sk_to_pk(&key).to_bytes());
        }
        SealingKey(public)
    }

    /// Any 32 bytes are a key of X25519.
    pub(crate) fn kem(&self) -> Option<<Kem as hpke::Kem>::PrivateKey> {
        let mut bytes = *self.0;
        let key = <Kem as hpke::Kem>::PrivateKey::from_bytes(&bytes).ok();
        bytes.zeroize();
        key
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public().id())
    }
}
