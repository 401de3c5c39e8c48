//! Sealing: what the client does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hpke::{Deserializable, OpModeS, Serializable};
use isthmus_model::name::FullName;
use isthmus_model::sealed::{SealedKey, SealedSecrets, SealedValue, SealingKey, SealingKeyId};
use zeroize::Zeroizing;

use crate::binding;
use crate::key::Kem;
use crate::values::Values;

/// HPKE's key derivation.
pub(crate) type Kdf = hpke::kdf::HkdfSha256;
/// HPKE's encryption of the data key.
pub(crate) type DataKeyAead = hpke::aead::ChaCha20Poly1305;

/// Why secrets cannot be sealed. No value is in any of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Nobody could open them.
    #[error(
        "there is no cluster to seal the secrets of {0} for: none that its placement allows has a sealing key"
    )]
    NoKeys(FullName),
    /// More clusters than one component can be sealed for.
    #[error("secrets can be sealed for at most {most} clusters, not {0}; narrow the placement", most = SealedSecrets::MOST_KEYS)]
    TooManyKeys(usize),
    /// A cluster's key is none.
    #[error("{0} is not a key that anything can be sealed to; look at the cluster that declares it")]
    BadKey(SealingKeyId),
    /// More values than a component may have.
    #[error("a component has at most {most} sealed secrets, not {0}", most = SealedSecrets::MOST_VALUES)]
    TooManyValues(usize),
    /// A value that is too large.
    #[error("secret {0} has more than {most} bytes", most = SealedSecrets::LARGEST_VALUE)]
    TooLarge(String),
    /// All of them together.
    #[error("the secrets have more than {most} bytes together", most = SealedSecrets::LARGEST)]
    TooLargeTogether,
    /// A value that no variable can hold.
    #[error("secret {0} has a zero byte, which the variable that it becomes cannot hold")]
    ZeroByte(String),
    /// Encryption itself failed.
    #[error("secret {0} cannot be encrypted")]
    Encryption(String),
}

/// Seals values for one component and for the clusters with these keys. Each call draws a new data key, so that the same values
/// never look the same twice.
///
/// # Errors
/// What cannot be sealed, or cannot be taken by a gateway.
pub fn seal(
    component: &FullName,
    values: &Values,
    keys: &BTreeSet<SealingKey>,
) -> Result<SealedSecrets, SealError> {
    if keys.is_empty() {
        return Err(SealError::NoKeys(component.clone()));
    }
    if keys.len() > SealedSecrets::MOST_KEYS {
        return Err(SealError::TooManyKeys(keys.len()));
    }
    bounds(values)?;
    let data_key = Zeroizing::new(rand::random::<[u8; 32]>());
    let cipher = ChaCha20Poly1305::new(&Key::from(*data_key));
    let sealed = values.iter().map(|(name, value)| {
        let nonce: [u8; SealedValue::NONCE] = rand::random();
        let aad = binding::of_value(component, name);
        let payload = Payload { msg: value.as_bytes(), aad: &aad };
        let ciphertext = cipher.encrypt(&Nonce::from(nonce), payload);
        let ciphertext = ciphertext.map_err(|_| SealError::Encryption(name.to_owned()))?;
        Ok((name.to_owned(), SealedValue { nonce, ciphertext: ciphertext.into() }))
    });
    let values: BTreeMap<String, SealedValue> = sealed.collect::<Result<_, SealError>>()?;
    let keys = keys.iter().map(|key| Ok((key.id(), seal_key(component, &data_key, *key)?)));
    Ok(SealedSecrets { keys: keys.collect::<Result<_, SealError>>()?, values: Arc::new(values) })
}

fn bounds(values: &Values) -> Result<(), SealError> {
    let (mut count, mut total) = (0, 0_usize);
    for (name, value) in values.iter() {
        if value.len() > SealedSecrets::LARGEST_VALUE {
            return Err(SealError::TooLarge(name.to_owned()));
        }
        if value.contains('\0') {
            return Err(SealError::ZeroByte(name.to_owned()));
        }
        (count, total) = (count + 1, total.saturating_add(value.len()));
    }
    if count > SealedSecrets::MOST_VALUES {
        return Err(SealError::TooManyValues(count));
    }
    if total > SealedSecrets::LARGEST { Err(SealError::TooLargeTogether) } else { Ok(()) }
}

fn seal_key(component: &FullName, data_key: &[u8; 32], key: SealingKey) -> Result<SealedKey, SealError> {
    let bad = || SealError::BadKey(key.id());
    let public = <Kem as hpke::Kem>::PublicKey::from_bytes(&key.0).map_err(|_| bad())?;
    let aad = binding::of_component(component);
    let (encapsulated, ciphertext) = hpke::single_shot_seal::<DataKeyAead, Kdf, Kem>(
        &OpModeS::Base,
        &public,
        binding::INFO,
        data_key,
        &aad,
    )
    .map_err(|_| bad())?;
    Ok(SealedKey {
        encapsulated: encapsulated.to_bytes().as_slice().try_into().map_err(|_| bad())?,
        ciphertext: ciphertext.as_slice().try_into().map_err(|_| bad())?,
    })
}
