//! What functions, sources and sinks write alike.

use std::collections::BTreeMap;

use isthmus_model::component::{self as model, Compression, Object, ProcessingGuarantee, SecretRef};
use isthmus_model::package::PackageRef;
use isthmus_model::reason::{Reason, Violation};
use isthmus_model::resources::{Amounts, Resources as Both};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value, json};

use super::loose;
use crate::path;
use crate::quantity::Quantity;

/// Pulsar's names for the model's paths, for all three kinds.
pub(super) const NAMES: &[(&str, &str)] = &[
    ("metadata.tenant", "tenant"),
    ("metadata.namespace", "namespace"),
    ("metadata.name", "name"),
    ("spec", ""),
    ("spec.batchSource", "batchSourceConfig"),
    ("spec.input.cleanupSubscription", "cleanupSubscription"),
    ("spec.input.retainKeyOrdering", "retainKeyOrdering"),
    ("spec.input.retainOrdering", "retainOrdering"),
    ("spec.input.skipToLatest", "skipToLatest"),
    ("spec.input.topics", "inputSpecs"),
    ("spec.input.typeClassName", "inputTypeClassName"),
    ("spec.output.producer", "producerConfig"),
    ("spec.output.typeClassName", "outputTypeClassName"),
    ("spec.processingGuarantee", "processingGuarantees"),
    ("spec.replicas", "parallelism"),
    ("spec.resources.requests.cpuMillis", "resources.cpu"),
    ("spec.resources.requests.memoryBytes", "resources.ram"),
    ("spec.resources.requests.storageBytes", "resources.disk"),
    ("spec.retry.deadLetterTopic", "deadLetterTopic"),
    ("spec.retry.maxMessageRetries", "maxMessageRetries"),
    ("spec.maxPendingAsyncRequests", "maxPendingAsyncRequests"),
    ("spec.window", "windowConfig"),
    ("spec.window.lengthCount", "windowConfig.windowLengthCount"),
    ("spec.window.lengthDurationMs", "windowConfig.windowLengthDurationMs"),
    ("spec.window.processingGuarantee", "windowConfig.processingGuarantees"),
];

/// Members that are called otherwise wherever they stand.
pub(super) const MEMBERS: &[(&str, &str)] = &[
    ("compression", "compressionType"),
    ("consumerFailureAction", "consumerCryptoFailureAction"),
    ("crypto", "cryptoConfig"),
    ("keyReaderClassName", "cryptoKeyReaderClassName"),
    ("keyReaderConfig", "cryptoKeyReaderConfig"),
    ("producerFailureAction", "producerCryptoFailureAction"),
];

/// Pulsar's spelling of the guarantees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Guarantee {
    #[serde(rename = "ATLEAST_ONCE")]
    AtLeastOnce,
    #[serde(rename = "ATMOST_ONCE")]
    AtMostOnce,
    #[serde(rename = "EFFECTIVELY_ONCE")]
    EffectivelyOnce,
    #[serde(rename = "MANUAL")]
    Manual,
}

pub(super) fn guarantee(written: Option<Guarantee>) -> ProcessingGuarantee {
    match written {
        None | Some(Guarantee::AtLeastOnce) => ProcessingGuarantee::AtLeastOnce,
        Some(Guarantee::AtMostOnce) => ProcessingGuarantee::AtMostOnce,
        Some(Guarantee::EffectivelyOnce) => ProcessingGuarantee::EffectivelyOnce,
        Some(Guarantee::Manual) => ProcessingGuarantee::Manual,
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ConsumerConfig {
    schema_type: String,
    serde_class_name: String,
    // Jackson writes the first, Gson and the command line the second.
    #[serde(alias = "isRegexPattern")]
    regex_pattern: bool,
    schema_properties: BTreeMap<String, String>,
    consumer_properties: BTreeMap<String, String>,
    #[serde(deserialize_with = "loose::number")]
    receiver_queue_size: Option<u32>,
    crypto_config: Option<CryptoConfig>,
    pool_messages: bool,
}

/// Pulsar's worker refuses to choose between the two.
pub(super) fn one_of_schema_and_serde(
    schema: (&str, &str),
    serde: (String, &str),
    violations: &mut Vec<Violation>,
) {
    let ((schema_field, schema), (serde_field, serde)) = (schema, serde);
    if !schema.is_empty() && !serde.is_empty() {
        let message = format!("only one of this and {schema_field} can be set");
        let violation = Violation::new(serde_field, Reason::ConflictingFields, message);
        violations.push(violation.with_value(&json!(serde).to_string()));
    }
}

impl ConsumerConfig {
    /// What Pulsar's worker refuses of one that stands at `at`.
    pub(super) fn check(&self, at: &str, violations: &mut Vec<Violation>) {
        let serde_field = path::field(at, "serdeClassName");
        one_of_schema_and_serde(
            ("schemaType", &self.schema_type),
            (serde_field, &self.serde_class_name),
            violations,
        );
    }
}

impl From<ConsumerConfig> for model::ConsumerConfig {
    fn from(config: ConsumerConfig) -> Self {
        let ConsumerConfig {
            schema_type,
            serde_class_name,
            regex_pattern,
            schema_properties,
            consumer_properties,
            receiver_queue_size,
            crypto_config,
            pool_messages,
        } = config;
        Self {
            schema_type,
            serde_class_name,
            is_regex_pattern: regex_pattern,
            schema_properties,
            consumer_properties,
            receiver_queue_size,
            crypto: crypto_config.map(Into::into),
            pool_messages,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CryptoConfig {
    crypto_key_reader_class_name: String,
    crypto_key_reader_config: Object,
    encryption_keys: Vec<String>,
    producer_crypto_failure_action: String,
    consumer_crypto_failure_action: String,
}

impl From<CryptoConfig> for model::Crypto {
    fn from(config: CryptoConfig) -> Self {
        let CryptoConfig {
            crypto_key_reader_class_name,
            crypto_key_reader_config,
            encryption_keys,
            producer_crypto_failure_action,
            consumer_crypto_failure_action,
        } = config;
        Self {
            key_reader_class_name: crypto_key_reader_class_name,
            key_reader_config: crypto_key_reader_config,
            encryption_keys,
            producer_failure_action: producer_crypto_failure_action,
            consumer_failure_action: consumer_crypto_failure_action,
            secrets: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ProducerConfig {
    #[serde(deserialize_with = "loose::number")]
    max_pending_messages: Option<u32>,
    #[serde(deserialize_with = "loose::number")]
    max_pending_messages_across_partitions: Option<u32>,
    use_thread_local_producers: bool,
    crypto_config: Option<CryptoConfig>,
    batch_builder: String,
    #[serde(deserialize_with = "loose::word")]
    compression_type: Option<Compression>,
}

/// The producer; a batch builder given beside it goes into it.
pub(super) fn producer(
    config: Option<ProducerConfig>,
    batch_builder: String,
) -> Option<model::ProducerConfig> {
    if config.is_none() && batch_builder.is_empty() {
        return None;
    }
    let ProducerConfig {
        max_pending_messages,
        max_pending_messages_across_partitions,
        use_thread_local_producers,
        crypto_config,
        batch_builder: own,
        compression_type,
    } = config.unwrap_or_default();
    Some(model::ProducerConfig {
        max_pending_messages,
        max_pending_messages_across_partitions,
        use_thread_local_producers,
        crypto: crypto_config.map(Into::into),
        batch_builder: if batch_builder.is_empty() { own } else { batch_builder },
        compression: compression_type.unwrap_or_default(),
    })
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Resources {
    cpu: Option<Number>,
    #[serde(deserialize_with = "loose::number")]
    ram: Option<u64>,
    #[serde(deserialize_with = "loose::number")]
    disk: Option<u64>,
}

/// Pulsar's defaults: one cpu, 1 GiB of memory, 10 GiB of disk, each by itself.
pub(super) fn resources(written: Option<Resources>, violations: &mut Vec<Violation>) -> Both {
    let Resources { cpu, ram, disk } = written.unwrap_or_default();
    let cpu_millis = match &cpu {
        None => Some(1_000),
        Some(cpu) => match Quantity::parse(&cpu.to_string()).and_then(Quantity::millis) {
            Ok(millis) => Some(millis),
            Err(error) => {
                let violation = Violation::new("resources.cpu", Reason::InvalidField, error.to_string());
                violations.push(violation.with_value(&cpu.to_string()));
                None
            }
        },
    };
    let requests = Amounts {
        cpu_millis,
        memory_bytes: Some(ram.unwrap_or(1 << 30)),
        storage_bytes: Some(disk.unwrap_or(10 << 30)),
        other: BTreeMap::new(),
    };
    let zero = [("resources.cpu", cpu_millis), ("resources.ram", ram), ("resources.disk", disk)];
    for (field, _) in zero.into_iter().filter(|(_, amount)| *amount == Some(0)) {
        violations
            .push(Violation::new(field, Reason::InvalidField, "it must be more than 0").with_value("0"));
    }
    Both { requests, limits: Amounts::default() }
}

/// Secrets are names here; a value in clear is refused and not repeated.
pub(super) fn secrets(written: Object, violations: &mut Vec<Violation>) -> BTreeMap<String, SecretRef> {
    let mut secrets = BTreeMap::new();
    for (name, secret) in written {
        let text = |field: &str| secret.get(field).and_then(Value::as_str).map(str::to_owned);
        match (secret.as_object().map(Object::len), text("path"), text("key")) {
            (Some(2), Some(path), Some(key)) => {
                secrets.insert(name, SecretRef { path, key });
            }
            // Its value travels beside the config.
            (Some(0), ..) => {
                secrets.insert(name, SecretRef::default());
            }
            _ => violations.push(Violation::new(
                path::key("secrets", &name),
                Reason::InvalidField,
                "a secret must be given by name, as {path, key}, or as {} when its value is sealed; it is never part of a config",
            )),
        }
    }
    secrets
}

/// Where a package is: a URL, or the path of a file.
pub(super) fn package(written: &str) -> PackageRef {
    let Some((scheme, rest)) = written.split_once("://") else {
        return match written.strip_prefix("sha256:") {
            Some(_) => PackageRef { location: written.to_owned(), ..PackageRef::default() },
            None => PackageRef { file: written.to_owned(), ..PackageRef::default() },
        };
    };
    let file = match scheme {
        "builtin" => "",
        _ => rest.rsplit('/').next().unwrap_or("").split(['@', '?', '#']).next().unwrap_or(""),
    };
    PackageRef { file: file.to_owned(), location: written.to_owned(), digest: None }
}

/// The name of the connector that the platform has, if that is what an archive or type names.
pub(super) fn builtin(archive: &str, connector_type: &str) -> String {
    archive.strip_prefix("builtin://").unwrap_or(connector_type).to_owned()
}

/// The package of a connector: its archive, else the connector of its type.
pub(super) fn archive(archive: &str, connector_type: &str) -> PackageRef {
    match (archive, connector_type) {
        ("", connector_type) if !connector_type.is_empty() => package(&format!("builtin://{connector_type}")),
        (archive, _) => package(archive),
    }
}

/// The JSON text that Pulsar keeps some members in.
pub(super) fn json_text<T: serde::de::DeserializeOwned>(
    text: &str,
    field: String,
    what: &str,
    violations: &mut Vec<Violation>,
) -> Option<T> {
    serde_json::from_str(text)
        .map_err(|error| {
            let message = format!("it must be the JSON text of {what}: {error}");
            violations.push(
                Violation::new(field, Reason::InvalidField, message).with_value(&json!(text).to_string()),
            );
        })
        .ok()
}
