//! Secrets that travel sealed.

use std::collections::BTreeMap;
use std::sync::Arc;

use isthmus_model::reason::Reason;
use isthmus_model::sealed::{SealedKey, SealedSecrets, SealedValue, SealingKeyId};

use super::problems::{Invalid, Path, Problems};
use crate::component::v1 as wire;

impl From<&SealedSecrets> for wire::SealedSecrets {
    fn from(sealed: &SealedSecrets) -> Self {
        let key =
            |(id, SealedKey { encapsulated, ciphertext }): (&SealingKeyId, &SealedKey)| wire::SealedKey {
                key_id: id.0.to_vec(),
                encapsulated_key: encapsulated.to_vec(),
                ciphertext: ciphertext.to_vec(),
            };
        let value = |(name, SealedValue { nonce, ciphertext }): (&String, &SealedValue)| {
            let value = wire::SealedValue { nonce: nonce.to_vec(), ciphertext: ciphertext.to_vec() };
            (name.clone(), value)
        };
        Self {
            scheme: SealedSecrets::SCHEME,
            keys: sealed.keys.iter().map(key).collect(),
            values: sealed.values.iter().map(value).collect(),
        }
    }
}

/// Where they are in a message, and in what is said of them.
pub const FIELD: &str = "sealedSecrets";

/// Secrets as a client sealed them, for at least one cluster; what is wrong is named below [`FIELD`].
pub fn written(sealed: wire::SealedSecrets) -> Result<SealedSecrets, Invalid> {
    let (root, mut problems) = (Path::ROOT, Problems::default());
    let path = root.field(FIELD);
    if sealed.keys.is_empty() {
        let message = "they must be sealed for at least one cluster";
        problems.add(&path.field("keys"), Reason::MissingField, message);
    }
    let sealed = read(sealed, &path, &mut problems);
    problems.finish(sealed)
}

/// Secrets as one cluster gets them: with its own sealed key, or none.
pub fn share(sealed: wire::SealedSecrets) -> Result<SealedSecrets, Invalid> {
    let (root, mut problems) = (Path::ROOT, Problems::default());
    let sealed = read(sealed, &root.field(FIELD), &mut problems);
    problems.finish(sealed)
}

fn read(sealed: wire::SealedSecrets, path: &Path<'_>, problems: &mut Problems) -> SealedSecrets {
    let wire::SealedSecrets { scheme, keys, values } = sealed;
    if scheme != SealedSecrets::SCHEME {
        let message = format!("this version knows only scheme {}", SealedSecrets::SCHEME);
        problems.invalid(&path.field("scheme"), message, scheme);
    }
    if keys.len() > SealedSecrets::MOST_KEYS {
        let message = format!("they can be sealed for at most {} clusters", SealedSecrets::MOST_KEYS);
        problems.add(&path.field("keys"), Reason::TooLarge, message);
    }
    if values.is_empty() {
        problems.add(&path.field("values"), Reason::MissingField, "there must be at least one");
    }
    let mut sealed =
        SealedSecrets { keys: read_keys(keys, &path.field("keys"), problems), values: Arc::default() };
    sealed.values = Arc::new(read_values(values, &path.field("values"), problems));
    sealed
}

fn read_keys(
    keys: Vec<wire::SealedKey>,
    path: &Path<'_>,
    problems: &mut Problems,
) -> BTreeMap<SealingKeyId, SealedKey> {
    let mut read = BTreeMap::new();
    for (at, wire::SealedKey { key_id, encapsulated_key, ciphertext }) in keys.into_iter().enumerate() {
        let path = path.index(at);
        let id = bytes(&key_id, &path.field("keyId"), problems).map(SealingKeyId);
        let encapsulated = bytes(&encapsulated_key, &path.field("encapsulatedKey"), problems);
        let ciphertext = bytes(&ciphertext, &path.field("ciphertext"), problems);
        let Some(((id, encapsulated), ciphertext)) = id.zip(encapsulated).zip(ciphertext) else { continue };
        if read.insert(id, SealedKey { encapsulated, ciphertext }).is_some() {
            let message = "another key of the list is sealed to the same";
            problems.conflict(&path.field("keyId"), message, id.to_string());
        }
    }
    read
}

fn read_values(
    values: BTreeMap<String, wire::SealedValue>,
    path: &Path<'_>,
    problems: &mut Problems,
) -> BTreeMap<String, SealedValue> {
    if values.len() > SealedSecrets::MOST_VALUES {
        let message = format!("there may be at most {}", SealedSecrets::MOST_VALUES);
        problems.add(path, Reason::TooLarge, message);
    }
    let (mut read, mut total) = (BTreeMap::new(), 0_usize);
    for (name, wire::SealedValue { nonce, ciphertext }) in values {
        let path = path.key(&name);
        let nonce = bytes(&nonce, &path.field("nonce"), problems);
        let clear = ciphertext.len().checked_sub(SealedValue::TAG);
        match clear {
            None => {
                let message = format!("it must have at least {} bytes, those of its tag", SealedValue::TAG);
                problems.add(&path.field("ciphertext"), Reason::InvalidField, message);
            }
            Some(clear) if clear > SealedSecrets::LARGEST_VALUE => {
                let message = format!("the value must have at most {} bytes", SealedSecrets::LARGEST_VALUE);
                problems.add(&path.field("ciphertext"), Reason::TooLarge, message);
            }
            Some(clear) => total = total.saturating_add(clear),
        }
        if let Some(nonce) = nonce {
            read.insert(name, SealedValue { nonce, ciphertext: ciphertext.into() });
        }
    }
    if total > SealedSecrets::LARGEST {
        let message = format!("the values must have at most {} bytes together", SealedSecrets::LARGEST);
        problems.add(path, Reason::TooLarge, message);
    }
    read
}

fn bytes<const N: usize>(bytes: &[u8], path: &Path<'_>, problems: &mut Problems) -> Option<[u8; N]> {
    let array = bytes.try_into().ok();
    if array.is_none() {
        let message = format!("it must have {N} bytes, not {}", bytes.len());
        problems.add(path, Reason::InvalidField, message);
    }
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> SealedSecrets {
        let value = SealedValue { nonce: [3; 12], ciphertext: vec![4; 23].into() };
        let key = SealedKey { encapsulated: [1; 32], ciphertext: [2; 48] };
        SealedSecrets {
            keys: [(SealingKeyId([9; 16]), key)].into(),
            values: Arc::new([("PASSWORD".to_owned(), value)].into()),
        }
    }

    fn fields(refused: &Invalid) -> Vec<&str> {
        refused.0.iter().map(|violation| violation.field.as_str()).collect()
    }

    #[test]
    fn sealed_secrets_come_back_from_the_wire() {
        let message = wire::SealedSecrets::from(&sealed());
        assert_eq!(written(message.clone()), Ok(sealed()));
        assert_eq!(share(message), Ok(sealed()));
    }

    #[test]
    fn a_cluster_may_get_none_of_the_keys_but_a_client_must_seal_for_one() {
        let message = wire::SealedSecrets { keys: Vec::new(), ..(&sealed()).into() };
        assert!(share(message.clone()).unwrap().keys.is_empty());
        assert_eq!(fields(&written(message).unwrap_err()), ["sealedSecrets.keys"]);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let mut message = wire::SealedSecrets::from(&sealed());
        message.scheme = 2;
        message.keys.push(message.keys[0].clone());
        message.keys.push(wire::SealedKey::default());
        message.values.insert("SHORT".to_owned(), wire::SealedValue::default());
        let large = vec![0; SealedSecrets::LARGEST_VALUE + SealedValue::TAG + 1];
        message
            .values
            .insert("LARGE".to_owned(), wire::SealedValue { nonce: vec![0; 12], ciphertext: large });
        assert_eq!(
            fields(&written(message).unwrap_err()),
            [
                "sealedSecrets.scheme",
                "sealedSecrets.keys[1].keyId",
                "sealedSecrets.keys[2].keyId",
                "sealedSecrets.keys[2].encapsulatedKey",
                "sealedSecrets.keys[2].ciphertext",
                "sealedSecrets.values[LARGE].ciphertext",
                "sealedSecrets.values[SHORT].nonce",
                "sealedSecrets.values[SHORT].ciphertext",
            ]
        );
    }

    #[test]
    fn there_is_a_bound_to_how_many_and_how_much() {
        let mut message = wire::SealedSecrets::from(&sealed());
        let full = SealedSecrets::LARGEST_VALUE + SealedValue::TAG;
        for n in 0..SealedSecrets::MOST_VALUES {
            let ciphertext = vec![0; if n < 5 { full } else { SealedValue::TAG }];
            message.values.insert(format!("S{n}"), wire::SealedValue { nonce: vec![0; 12], ciphertext });
        }
        let key = |n: usize| wire::SealedKey {
            key_id: (n as u128).to_be_bytes().to_vec(),
            ..message.keys[0].clone()
        };
        message.keys = (0..=SealedSecrets::MOST_KEYS).map(key).collect();
        assert_eq!(
            fields(&written(message).unwrap_err()),
            ["sealedSecrets.keys", "sealedSecrets.values", "sealedSecrets.values"]
        );
    }
}
