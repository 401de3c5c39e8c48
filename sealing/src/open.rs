//! Opening: what an agent does.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hpke::{Deserializable, OpModeR};
use isthmus_model::name::FullName;
use isthmus_model::sealed::{SealedKey, SealedSecrets, SealingKeyId};
use zeroize::{Zeroize as _, Zeroizing};

use crate::binding;
use crate::key::{Kem, PrivateKey};
use crate::seal::{DataKeyAead, Kdf};
use crate::values::Values;

/// Why secrets cannot be opened. No value is in any of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// They were sealed before this cluster had its key, or for others.
    #[error(
        "the secrets are not sealed for this cluster's key {0}; apply the component again with their values"
    )]
    NotForThisKey(SealingKeyId),
    /// The data key does not open.
    #[error(
        "the data key of the secrets does not open with this cluster's key: it was altered, or sealed for another component than {0}"
    )]
    DataKey(FullName),
    /// A value does not open.
    #[error(
        "secret {0} does not open: it was altered, or sealed under another name or for another component"
    )]
    Value(String),
    /// A value cannot be handed over as a variable.
    #[error("secret {0} is not text, so that it cannot be handed over as a variable")]
    NotText(String),
}

/// Opens all values of a component's secrets.
///
/// # Errors
/// The first that does not open; nothing of the others is kept then.
pub fn open(component: &FullName, sealed: &SealedSecrets, private: &PrivateKey) -> Result<Values, OpenError> {
    let id = private.public().id();
    let key = sealed.keys.get(&id).ok_or(OpenError::NotForThisKey(id))?;
    let data_key = open_key(component, key, private).ok_or_else(|| OpenError::DataKey(component.clone()))?;
    let cipher = ChaCha20Poly1305::new(&Key::from(*data_key));
    let open = |(name, value): (&String, &isthmus_model::sealed::SealedValue)| {
        let aad = binding::of_value(component, name);
        let payload = Payload { msg: &value.ciphertext, aad: &aad };
        let clear = cipher.decrypt(&Nonce::from(value.nonce), payload);
        let clear = clear.map_err(|_| OpenError::Value(name.clone()))?;
        Ok((name.clone(), text(clear).ok_or_else(|| OpenError::NotText(name.clone()))?))
    };
    sealed.values.iter().map(open).collect()
}

fn open_key(component: &FullName, key: &SealedKey, private: &PrivateKey) -> Option<Zeroizing<[u8; 32]>> {
    let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(&key.encapsulated).ok()?;
    let clear = hpke::single_shot_open::<DataKeyAead, Kdf, Kem>(
        &OpModeR::Base,
        &private.kem()?,
        &encapsulated,
        binding::INFO,
        &key.ciphertext,
        &binding::of_component(component),
    );
    let clear = Zeroizing::new(clear.ok()?);
    clear.as_slice().try_into().ok().map(Zeroizing::new)
}

/// A variable is text without a zero byte. What is none is overwritten here.
fn text(clear: Vec<u8>) -> Option<Zeroizing<String>> {
    match String::from_utf8(clear) {
        Ok(text) => Some(Zeroizing::new(text)).filter(|text| !text.contains('\0')),
        Err(error) => {
            error.into_bytes().zeroize();
            None
        }
    }
}
