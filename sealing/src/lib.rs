//! How secrets travel: sealed by a client, opened by the agents of the clusters that they are sealed for.
//!
//! ```text
//! client   values + public keys ▶ seal ▶ SealedSecrets ▶ gateway ▶ agent: PrivateKey ▶ open ▶ Values, in memory
//!                    └──────── binding: tenant, namespace, component, name of the secret ────────┘
//! ```
//!
//! A data key of its own for each sealing encrypts the values (ChaCha20-Poly1305); HPKE (RFC 9180, base mode, X25519,
//! HKDF-SHA256, ChaCha20-Poly1305) seals it to each cluster's public key. Both are bound to what they were made for, so that a
//! ciphertext opens nowhere but under its own component and name. Nothing here reads a file or talks to anybody.
#![warn(missing_docs)]

mod binding;
mod values;
mod key;
mod seal;
mod open;

pub use key::PrivateKey;
pub use open::{OpenError, open};
pub use seal::{SealError, seal};
pub use values::Values;

#[cfg(test)]
mod tests;
