//! What a user asks to run: one model for functions, sources and sinks.
//!
//! A function with connector overrides (`sourceConfig`, `sinkConfig` of Function Mesh) is what a source or sink is, too,
//! so the three kinds share one [`Spec`]; [`ComponentKind`] says which parts may be given, and admission holds it to that.
//! Fields that only Kubernetes understands travel as JSON of their Kubernetes type and are checked against it at admission.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::name::{FullName, Labels};
use crate::package::PackageRef;
use crate::policy::{Mode, Placement};
use crate::resources::Resources;

/// A free-form JSON object, such as a function's user configuration. Integers up to 64 bits keep their exact value.
pub type Object = Map<String, Value>;

/// Pulsar's ComponentType.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ComponentKind {
    /// Consumes topics, processes, publishes.
    #[default]
    Function,
    /// Moves data into Pulsar.
    Source,
    /// Moves data out of Pulsar.
    Sink,
}

impl ComponentKind {
    /// All kinds, in the order they are listed to people.
    pub const ALL: [Self; 3] = [Self::Function, Self::Source, Self::Sink];

    /// The kind as Function Mesh spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Function => "Function",
            Self::Source => "Source",
            Self::Sink => "Sink",
        }
    }

    /// The plural as it is typed: `isthmus get functions`.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Function => "functions",
            Self::Source => "sources",
            Self::Sink => "sinks",
        }
    }
}

impl fmt::Display for ComponentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ComponentKind {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let lower = text.to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|kind| lower == kind.plural() || lower == kind.as_str().to_ascii_lowercase())
            .ok_or(())
    }
}

/// A component as somebody wrote it, with the dialect's defaults filled in and nothing checked yet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Draft {
    /// Function, source or sink.
    pub kind: ComponentKind,
    /// Pulsar tenant, unchecked.
    pub tenant: String,
    /// Pulsar namespace, unchecked.
    pub namespace: String,
    /// Name, unchecked.
    pub name: String,
    /// Labels, unchecked.
    pub labels: BTreeMap<String, String>,
    /// Annotations: free text for people and tools, at most 256 KiB together, as in Kubernetes.
    pub annotations: BTreeMap<String, String>,
    /// Where it shall run.
    pub placement: Placement,
    /// What shall run.
    pub spec: Box<Spec>,
}

/// A component that passed admission. Everything downstream takes only this.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// Function, source or sink.
    pub kind: ComponentKind,
    /// Its name, unique over the three kinds.
    pub name: FullName,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Where it shall run.
    pub placement: Placement,
    /// What shall run.
    pub spec: Box<Spec>,
}

impl Component {
    /// Whether any of its secrets travels sealed with it.
    pub fn has_sealed_secrets(&self) -> bool {
        self.spec.secrets.values().any(SecretRef::is_sealed)
    }

    /// Whether at most one cluster may run it at any moment: it keeps an order (a Failover subscription) or has its effect once,
    /// and a second copy elsewhere would break that. What is asked for in several clusters has as many owners.
    pub fn has_single_owner(&self) -> bool {
        let ordered = self.spec.input.as_ref().is_some_and(|input| input.retain_ordering);
        let once = self.spec.processing_guarantee == ProcessingGuarantee::EffectivelyOnce;
        (ordered || once) && self.placement.mode == Mode::Singleton
    }
}

/// What runs. `None`, zero and empty mean "not given" unless a field says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec {
    /// The user's class; of a connector, the connector's class. Not needed for Go and generic runtimes.
    pub class_name: String,
    /// What executes the user's code, and the code itself.
    pub runtime: Option<Runtime>,
    /// Instances in each chosen cluster (or in all, in mode Divided).
    pub replicas: u32,
    /// Lower bound of an autoscaler.
    pub min_replicas: Option<u32>,
    /// Upper bound of an autoscaler; its presence turns autoscaling on.
    pub max_replicas: Option<u32>,
    /// Tell instances the real parallelism rather than 1 (Function Mesh's `showPreciseParallelism`).
    pub show_precise_parallelism: bool,
    /// Delivery guarantee.
    pub processing_guarantee: ProcessingGuarantee,
    /// Acknowledge after processing; `false` leaves it to the user's code.
    pub auto_ack: bool,
    /// What it reads, of functions and sinks.
    pub input: Option<Input>,
    /// What it writes, of functions and sources.
    pub output: Option<Output>,
    /// A connector in place of the input topics: of sources, and of functions with an override.
    pub source_connector: Option<Connector>,
    /// A connector in place of the output topic: of sinks, and of functions with an override.
    pub sink_connector: Option<Connector>,
    /// The user's configuration, of functions.
    pub user_config: Object,
    /// Names of secrets by the name under which the code asks for them.
    pub secrets: BTreeMap<String, SecretRef>,
    /// Retries and the dead letter topic.
    pub retry: Retry,
    /// Acknowledgement timeout in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Delay before a negatively acknowledged message is delivered again, in milliseconds.
    pub negative_ack_redelivery_delay_ms: Option<u64>,
    /// Copy the properties of the input message to the output message.
    pub forward_source_message_property: bool,
    /// Bound of unfinished asynchronous invocations (Java).
    pub max_pending_async_requests: Option<u32>,
    /// Windowing of a Java function.
    pub window: Option<Window>,
    /// Batch source.
    pub batch_source: Option<BatchSource>,
    /// Function applied by a sink to each record before it is written.
    pub transform: Option<Transform>,
    /// Topic for the code's logs.
    pub log_topic: String,
    /// Who carries logs to the topic.
    pub log_topic_agent: Option<LogTopicAgent>,
    /// cpu, memory and storage.
    pub resources: Resources,
    /// Extra flags of the runtime, split at blanks.
    pub runtime_flags: String,
    /// Opaque options for the runtime.
    pub custom_runtime_options: String,
    /// Give the code a Pulsar admin client.
    pub expose_pulsar_admin_client: bool,
    /// Keyed state.
    pub state: Option<State>,
    /// The PulsarCluster by name, or in a cluster an existing ConfigMap; empty means the cluster's default.
    pub pulsar: PulsarAccess,
    /// Another Pulsar for downloading the package.
    pub package_service: Option<PulsarAccess>,
    /// What only Kubernetes understands.
    pub kubernetes: Kubernetes,
}

/// What executes the user's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Runtime {
    /// Pulsar's Java instance.
    Java {
        /// The jar or NAR.
        package: PackageRef,
        /// Directory with further jars inside the container.
        #[serde(default)]
        extra_dependencies_dir: String,
        /// Options for the Java virtual machine.
        #[serde(default)]
        java_opts: Vec<String>,
        /// Path of the instance's jar inside the container, if not the image's own.
        #[serde(default)]
        instance_path: String,
        /// Main class of the instance, if not Pulsar's.
        #[serde(default)]
        entry_class: String,
        /// Logging.
        #[serde(default)]
        log: Option<LogConfig>,
    },
    /// Pulsar's Python instance.
    Python {
        /// The `.py`, `.zip` or `.whl` file.
        package: PackageRef,
        /// Logging.
        #[serde(default)]
        log: Option<LogConfig>,
    },
    /// A Go binary that embeds Pulsar's Go instance.
    Go {
        /// The binary.
        package: PackageRef,
        /// Logging.
        #[serde(default)]
        log: Option<LogConfig>,
    },
    /// Function Mesh's generic runtime.
    Generic {
        /// The function's file.
        package: PackageRef,
        /// `nodejs`, `python`, `executable` or `wasm`.
        language: String,
    },
}

impl Runtime {
    /// The user's code.
    pub fn package(&self) -> &PackageRef {
        match self {
            Self::Java { package, .. }
            | Self::Python { package, .. }
            | Self::Go { package, .. }
            | Self::Generic { package, .. } => package,
        }
    }

    /// The user's code, to be pinned.
    pub fn package_mut(&mut self) -> &mut PackageRef {
        match self {
            Self::Java { package, .. }
            | Self::Python { package, .. }
            | Self::Go { package, .. }
            | Self::Generic { package, .. } => package,
        }
    }

    /// The word for it: the capability that a cluster must have.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Java { .. } => "java",
            Self::Python { .. } => "python",
            Self::Go { .. } => "go",
            Self::Generic { .. } => "generic",
        }
    }
}

/// Logging of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LogConfig {
    /// `off`, `trace`, `debug`, `info`, `warn`, `error`, `fatal`, `all` or `panic`.
    pub level: String,
    /// `TimedPolicyWithDaily`, … or `SizedPolicyWith100MB`.
    pub rotate_policy: String,
    /// `json` or `text`.
    pub format: String,
    /// A ConfigMap that holds the whole configuration.
    pub config_map: Option<KeyRef>,
    /// `xml`, `yaml` or `ini`: the form of that configuration (Java).
    pub java_config_file_type: String,
}

/// Pulsar's processing guarantees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProcessingGuarantee {
    /// At least once.
    #[default]
    AtLeastOnce,
    /// At most once.
    AtMostOnce,
    /// Effectively once.
    EffectivelyOnce,
    /// The user's code acknowledges.
    Manual,
}

/// Where a new subscription starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SubscriptionPosition {
    /// After the last message.
    #[default]
    Latest,
    /// At the first kept message.
    Earliest,
}

/// What is read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Input {
    /// Topics or patterns with how each is consumed. All of a dialect's ways to name inputs end up here.
    pub topics: BTreeMap<String, ConsumerConfig>,
    /// The Java type of a message.
    pub type_class_name: String,
    /// Name of the subscription; empty means `tenant/namespace/name`.
    pub subscription_name: String,
    /// Where a new subscription starts.
    pub subscription_position: SubscriptionPosition,
    /// Seek to the end at every start.
    pub skip_to_latest: bool,
    /// Delete the subscription with the component.
    pub cleanup_subscription: bool,
    /// Keep the order of messages: a Failover subscription.
    pub retain_ordering: bool,
    /// Keep the order of messages of a key: a Key_Shared subscription.
    pub retain_key_ordering: bool,
}

/// How one input topic is consumed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerConfig {
    /// Name of a built-in schema, or a schema class.
    pub schema_type: String,
    /// Class of a SerDe; excludes `schema_type`.
    pub serde_class_name: String,
    /// The key is a regular expression over topics.
    pub is_regex_pattern: bool,
    /// Properties of the schema.
    pub schema_properties: BTreeMap<String, String>,
    /// Properties of the consumer.
    pub consumer_properties: BTreeMap<String, String>,
    /// Messages held ahead of processing.
    pub receiver_queue_size: Option<u32>,
    /// Encryption.
    pub crypto: Option<Crypto>,
    /// Take messages from a pool (Java).
    pub pool_messages: bool,
}

/// What is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Output {
    /// The topic; empty means that nothing is published.
    pub topic: String,
    /// The Java type of a message.
    pub type_class_name: String,
    /// Name of a built-in schema, or a schema class.
    pub schema_type: String,
    /// Class of a SerDe; excludes `schema_type`.
    pub serde_class_name: String,
    /// Properties of the schema.
    pub schema_properties: BTreeMap<String, String>,
    /// Properties of the schema's consumer side, as Pulsar's `customSchemaOutputs` carries them.
    pub consumer_properties: BTreeMap<String, String>,
    /// The producer.
    pub producer: Option<ProducerConfig>,
}

/// How the output topic is produced to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerConfig {
    /// Bound of unacknowledged messages.
    pub max_pending_messages: Option<u32>,
    /// The same over all partitions.
    pub max_pending_messages_across_partitions: Option<u32>,
    /// One producer for each thread.
    pub use_thread_local_producers: bool,
    /// Encryption.
    pub crypto: Option<Crypto>,
    /// `DEFAULT` or `KEY_BASED`.
    pub batch_builder: String,
    /// Compression.
    pub compression: Compression,
}

/// Pulsar's compression types.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Compression {
    /// LZ4, what Pulsar Functions use when nothing is said.
    #[default]
    Lz4,
    /// None.
    None,
    /// ZLIB.
    Zlib,
    /// Zstandard.
    Zstd,
    /// Snappy.
    Snappy,
}

/// End-to-end encryption of messages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Crypto {
    /// Class that reads keys.
    pub key_reader_class_name: String,
    /// Its configuration.
    pub key_reader_config: Object,
    /// Names of keys to encrypt with.
    pub encryption_keys: Vec<String>,
    /// What a producer does when it cannot encrypt: `FAIL` (also when empty) or `SEND`.
    pub producer_failure_action: String,
    /// What a consumer does when it cannot decrypt: `FAIL` (also when empty), `DISCARD` or `CONSUME`.
    pub consumer_failure_action: String,
    /// Secrets with key material.
    pub secrets: Vec<CryptoSecret>,
}

/// A Secret with key material.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CryptoSecret {
    /// Name of the Secret.
    pub secret_name: String,
    /// Key within it.
    pub secret_key: String,
    /// Directory to mount it at; empty means that it is not mounted.
    pub as_volume: String,
}

/// A connector.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Connector {
    /// Name of a connector that the platform has (`builtin://NAME`, `sourceType`, `sinkType`).
    pub builtin: String,
    /// The connector's class; empty means what the NAR says.
    pub class_name: String,
    /// The Java type of its records.
    pub type_class_name: String,
    /// Its configuration.
    pub config: Object,
}

/// The name of a secret that exists where the component runs; never its value. Where neither part is given, the value travels
/// sealed with the component.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretRef {
    /// Name of the Secret.
    pub path: String,
    /// Key within it.
    pub key: String,
}

impl SecretRef {
    /// Whether the value travels sealed with the component.
    pub fn is_sealed(&self) -> bool {
        self.path.is_empty() && self.key.is_empty()
    }
}

/// Retries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Retry {
    /// Deliveries after the first, before the message goes to the dead letter topic.
    pub max_message_retries: Option<u32>,
    /// Where it goes then.
    pub dead_letter_topic: String,
}

/// Windowing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Window {
    /// Messages a window.
    pub length_count: Option<u32>,
    /// Milliseconds a window.
    pub length_duration_ms: Option<u64>,
    /// Messages between starts of windows.
    pub sliding_interval_count: Option<u32>,
    /// Milliseconds between starts of windows.
    pub sliding_interval_duration_ms: Option<u64>,
    /// Topic for what came too late.
    pub late_data_topic: String,
    /// How late a message may come, in milliseconds.
    pub max_lag_ms: Option<u64>,
    /// How often a watermark is made, in milliseconds.
    pub watermark_emit_interval_ms: Option<u64>,
    /// Class that takes an event's time from a message.
    pub timestamp_extractor_class_name: String,
    /// `ATLEAST_ONCE` or `ATMOST_ONCE`; empty means the component's guarantee.
    pub processing_guarantee: String,
}

/// A batch source: tasks are discovered, then worked on by the instances.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BatchSource {
    /// Class that triggers the discovery.
    pub discovery_triggerer_class_name: String,
    /// Its configuration.
    pub discovery_triggerer_config: Object,
}

/// A function that a sink applies to each record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Transform {
    /// Its package.
    pub package: PackageRef,
    /// Its class.
    pub class_name: String,
    /// Its configuration as text.
    pub config: String,
}

/// Who carries logs to the log topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogTopicAgent {
    /// The instance.
    Runtime,
    /// A container beside it.
    Sidecar,
}

/// Keyed state in BookKeeper's table service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// `bk://host:port`.
    pub service_url: String,
    /// Class of another implementation (Java).
    pub java_provider_class_name: String,
    /// Its configuration.
    pub java_provider_config: Object,
}

/// How Pulsar is reached: by the name of a PulsarCluster, or by objects that exist in the Kubernetes cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PulsarAccess {
    /// PulsarCluster of the federation, else a ConfigMap with `webServiceURL` and `brokerServiceURL`.
    pub config: String,
    /// Secret with `clientAuthenticationPlugin` and `clientAuthenticationParameters`.
    pub auth_secret: String,
    /// Secret with TLS settings.
    pub tls_secret: String,
    /// TLS; hides `tls_secret`.
    pub tls: Option<PulsarTls>,
    /// Credentials; hides `auth_secret`.
    pub auth: Option<PulsarAuth>,
    /// Credentials for removing subscriptions.
    pub cleanup_auth: Option<PulsarAuth>,
}

/// TLS towards Pulsar.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PulsarTls {
    /// Whether TLS is used.
    pub enabled: bool,
    /// Accept any certificate.
    pub allow_insecure: bool,
    /// Check the host's name.
    pub hostname_verification: bool,
    /// Secret with the CA's certificate.
    pub cert_secret: Option<KeyRef>,
}

/// Credentials towards Pulsar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum PulsarAuth {
    /// OAuth 2 with a key file.
    OAuth2 {
        /// Who the token is for.
        audience: String,
        /// Who issues it.
        issuer_url: String,
        /// Its scope.
        scope: String,
        /// Secret with the key file.
        key_secret: KeyRef,
    },
    /// Any plugin of Pulsar's clients. The parameters may hold a credential: they are shown to nobody but the instance.
    Generic {
        /// Class of the plugin.
        plugin: String,
        /// Its parameters.
        parameters: Redacted,
    },
}

/// Text that may hold a credential: `Debug` does not show it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Redacted(pub String);

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

/// A key of a ConfigMap or Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeyRef {
    /// Name of the object.
    pub name: String,
    /// Key within it.
    pub key: String,
}

/// What only Kubernetes understands: JSON of the named Kubernetes types, checked against them at admission.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Kubernetes {
    /// Function Mesh's `clusterName`.
    pub cluster_name: String,
    /// The runner's image.
    pub image: String,
    /// `Always`, `IfNotPresent` or `Never`.
    pub image_pull_policy: String,
    /// The image holds pulsarctl.
    pub image_has_pulsarctl: bool,
    /// The image holds wget.
    pub image_has_wget: bool,
    /// Image of the downloader.
    pub downloader_image: String,
    /// Image of the clean-up.
    pub cleanup_image: String,
    /// Image of the log sidecar.
    pub filebeat_image: String,
    /// The pod policy of Function Mesh (FM 1.7) as JSON.
    pub pod: Object,
    /// `[]core/v1.VolumeMount`.
    pub volume_mounts: Vec<Value>,
    /// `[]core/v1.PersistentVolumeClaim`.
    pub volume_claim_templates: Vec<Value>,
    /// `apps/v1.StatefulSetPersistentVolumeClaimRetentionPolicy`.
    pub volume_claim_retention_policy: Option<Value>,
}
