//! Encryption of messages.

use isthmus_model::component::{Crypto, Object};
use serde_json::json;

use super::members::Members;

pub(super) fn crypto_spec(crypto: &Crypto) -> Object {
    let mut spec = Members::default();
    spec.text("cryptoKeyReaderClassName", &crypto.key_reader_class_name);
    spec.object_text("cryptoKeyReaderConfig", &crypto.key_reader_config);
    if !crypto.encryption_keys.is_empty() {
        spec.put("producerEncryptionKeyName", json!(crypto.encryption_keys));
    }
    let action = |text: &'_ str| if text == "FAIL" { String::new() } else { text.to_owned() };
    spec.text("producerCryptoFailureAction", &action(&crypto.producer_failure_action));
    spec.text("consumerCryptoFailureAction", &action(&crypto.consumer_failure_action));
    spec.0
}
