//! Schemas of the model's own types where they stand in a custom resource: the model knows nothing of schemas.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

/// An object whose members are all text.
fn texts(names: &[&str]) -> Value {
    let members: Map<_, _> =
        names.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect();
    json!({"type": "object", "properties": members})
}

/// `LogTopicAgent`.
pub(in super::super) fn log_topic_agent(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["runtime", "sidecar"]})
}

/// `Compression`.
pub(in super::super) fn compression(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["LZ4", "NONE", "SNAPPY", "ZLIB", "ZSTD"]})
}

/// `SecretRef`s by name.
pub(in super::super) fn secrets(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "additionalProperties": texts(&["path", "key"])})
}

/// `KeyRef`.
pub(in super::super) fn key_ref(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "properties": {"name": {"type": "string"}, "key": {"type": "string"}}})
}

/// `CryptoSecret`s.
pub(in super::super) fn crypto_secrets(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": texts(&["secretName", "secretKey", "asVolume"])})
}
