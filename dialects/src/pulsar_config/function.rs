//! FunctionConfig.

use std::collections::BTreeMap;

use isthmus_model::component::{
    ComponentKind, Draft, Input, Object, Output, ProcessingGuarantee, Retry, Runtime, Spec,
    SubscriptionPosition, Window,
};
use isthmus_model::package::PackageRef;
use isthmus_model::reason::{Reason, Violation};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::inputs::Inputs;
use super::parts::{self, ConsumerConfig, Guarantee, ProducerConfig, Resources};
use super::{Config, loose};
use crate::path;
use crate::written::Names;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct FunctionConfig {
    tenant: String,
    namespace: String,
    name: String,
    fqfn: String,
    class_name: String,
    jar: String,
    py: String,
    go: String,
    function_type: String,
    #[serde(deserialize_with = "loose::word")]
    runtime: Option<Language>,
    runtime_flags: String,
    inputs: Vec<String>,
    topics_pattern: String,
    custom_serde_inputs: BTreeMap<String, String>,
    custom_schema_inputs: BTreeMap<String, String>,
    input_specs: BTreeMap<String, ConsumerConfig>,
    input_type_class_name: String,
    output_type_class_name: String,
    output: String,
    producer_config: Option<ProducerConfig>,
    output_schema_type: String,
    output_serde_class_name: String,
    custom_schema_outputs: BTreeMap<String, String>,
    log_topic: String,
    #[serde(deserialize_with = "loose::word")]
    processing_guarantees: Option<Guarantee>,
    auto_ack: Option<bool>,
    retain_ordering: bool,
    retain_key_ordering: bool,
    batch_builder: String,
    forward_source_message_property: Option<bool>,
    user_config: Object,
    secrets: Object,
    #[serde(deserialize_with = "loose::number")]
    max_message_retries: Option<u32>,
    dead_letter_topic: String,
    sub_name: String,
    #[serde(deserialize_with = "loose::word")]
    subscription_position: Option<SubscriptionPosition>,
    skip_to_latest: bool,
    cleanup_subscription: Option<bool>,
    #[serde(deserialize_with = "loose::number")]
    parallelism: Option<u32>,
    resources: Option<Resources>,
    window_config: Option<WindowConfig>,
    #[serde(deserialize_with = "loose::number")]
    timeout_ms: Option<u64>,
    custom_runtime_options: String,
    #[serde(deserialize_with = "loose::number")]
    max_pending_async_requests: Option<u32>,
    expose_pulsar_admin_client_enabled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Language {
    Java,
    Python,
    Go,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WindowConfig {
    #[serde(deserialize_with = "loose::number")]
    window_length_count: Option<u32>,
    #[serde(deserialize_with = "loose::number")]
    window_length_duration_ms: Option<u64>,
    #[serde(deserialize_with = "loose::number")]
    sliding_interval_count: Option<u32>,
    #[serde(deserialize_with = "loose::number")]
    sliding_interval_duration_ms: Option<u64>,
    late_data_topic: String,
    #[serde(deserialize_with = "loose::number")]
    max_lag_ms: Option<u64>,
    #[serde(deserialize_with = "loose::number")]
    watermark_emit_interval_ms: Option<u64>,
    timestamp_extractor_class_name: String,
    // Filled in by the server.
    actual_window_function_class_name: String,
    processing_guarantees: String,
}

impl Config for FunctionConfig {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("spec.exposePulsarAdminClient", "exposePulsarAdminClientEnabled"),
        ("spec.input", "inputs"),
        ("spec.input.subscriptionName", "subName"),
        ("spec.input.subscriptionPosition", "subscriptionPosition"),
        ("spec.output.schemaType", "outputSchemaType"),
        ("spec.output.serdeClassName", "outputSerdeClassName"),
        ("spec.output.topic", "output"),
    ];

    fn into_draft(mut self, names: &mut Names, violations: &mut Vec<Violation>) -> Draft {
        self.split_fqfn(violations);
        let (runtime, package_field) = self.runtime(violations);
        names.own.push(("spec.runtime".to_owned(), package_field.to_owned()));
        for part in ["package", "package.file", "package.location"] {
            names.own.push((format!("spec.runtime.{part}"), package_field.to_owned()));
        }
        self.language_rules(runtime.as_ref(), violations);
        let guarantee = parts::guarantee(self.processing_guarantees);
        let auto_ack = self.auto_ack(guarantee, violations);
        let output = self.output(violations);
        self.timeout_rule(guarantee, violations);
        parts::one_of_schema_and_serde(
            ("outputSchemaType", &self.output_schema_type),
            ("outputSerdeClassName".to_owned(), &self.output_serde_class_name),
            violations,
        );
        let topics = Inputs::new(names, violations)
            .plain(&self.inputs, &self.topics_pattern)
            .serde("customSerdeInputs", self.custom_serde_inputs)
            .json("customSchemaInputs", &self.custom_schema_inputs)
            .specs(self.input_specs);
        let input = Input {
            topics,
            type_class_name: self.input_type_class_name,
            subscription_name: self.sub_name,
            subscription_position: self.subscription_position.unwrap_or_default(),
            skip_to_latest: self.skip_to_latest,
            cleanup_subscription: self.cleanup_subscription.unwrap_or(true),
            retain_ordering: self.retain_ordering,
            retain_key_ordering: self.retain_key_ordering,
        };
        let spec = Spec {
            class_name: self.class_name,
            runtime,
            replicas: self.parallelism.unwrap_or(1),
            show_precise_parallelism: true,
            processing_guarantee: guarantee,
            auto_ack,
            input: Some(input),
            output: Some(Output {
                producer: parts::producer(self.producer_config, self.batch_builder),
                topic: self.output,
                type_class_name: self.output_type_class_name,
                schema_type: self.output_schema_type,
                serde_class_name: self.output_serde_class_name,
                ..output
            }),
            user_config: self.user_config,
            secrets: parts::secrets(self.secrets, violations),
            retry: Retry {
                max_message_retries: self.max_message_retries,
                dead_letter_topic: self.dead_letter_topic,
            },
            timeout_ms: self.timeout_ms,
            forward_source_message_property: self.forward_source_message_property.unwrap_or(true),
            max_pending_async_requests: Some(self.max_pending_async_requests.unwrap_or(1_000)),
            window: self.window_config.map(window),
            log_topic: self.log_topic,
            resources: parts::resources(self.resources, violations),
            runtime_flags: self.runtime_flags,
            custom_runtime_options: self.custom_runtime_options,
            expose_pulsar_admin_client: self.expose_pulsar_admin_client_enabled,
            ..Spec::default()
        };
        let (tenant, namespace, name) = (self.tenant, self.namespace, self.name);
        Draft {
            kind: ComponentKind::Function,
            tenant,
            namespace,
            name,
            spec: Box::new(spec),
            ..Draft::default()
        }
    }
}

impl FunctionConfig {
    /// `tenant/namespace/name` in one; the parts by themselves win.
    fn split_fqfn(&mut self, violations: &mut Vec<Violation>) {
        if self.fqfn.is_empty() {
            return;
        }
        let mut split = self.fqfn.split('/');
        let (Some(tenant), Some(namespace), Some(name), None) =
            (split.next(), split.next(), split.next(), split.next())
        else {
            let violation = Violation::new("fqfn", Reason::InvalidField, "it must be tenant/namespace/name");
            violations.push(violation.with_value(&json!(self.fqfn).to_string()));
            return;
        };
        for (part, from) in
            [(&mut self.tenant, tenant), (&mut self.namespace, namespace), (&mut self.name, name)]
        {
            if part.is_empty() {
                from.clone_into(part);
            }
        }
    }

    /// The runtime, and the field that decided it.
    fn runtime(&self, violations: &mut Vec<Violation>) -> (Option<Runtime>, &'static str) {
        let given: Vec<(&'static str, Language, PackageRef)> = [
            ("jar", Language::Java, parts::package(&self.jar), !self.jar.is_empty()),
            ("py", Language::Python, parts::package(&self.py), !self.py.is_empty()),
            ("go", Language::Go, parts::package(&self.go), !self.go.is_empty()),
            (
                "functionType",
                Language::Java,
                parts::archive("", &self.function_type),
                !self.function_type.is_empty(),
            ),
        ]
        .into_iter()
        .filter(|(.., given)| *given)
        .map(|(field, language, package, _)| (field, language, package))
        .collect();
        let mut given = given.into_iter();
        let (field, inferred, package) = match given.next() {
            Some((field, language, package)) => (field, Some(language), package),
            None => ("jar", None, PackageRef::default()),
        };
        for (other, ..) in given {
            let message = format!("there must be one package, and {field} is given, too; remove one of them");
            violations.push(Violation::new(other, Reason::ConflictingFields, message));
        }
        let language = self.runtime.or(inferred);
        if let (Some(said), Some(inferred)) = (self.runtime, inferred)
            && said != inferred
        {
            let message = format!("the package given as {field} does not run on this runtime");
            violations.push(
                Violation::new("runtime", Reason::ConflictingFields, message)
                    .with_value(&json!(said).to_string()),
            );
        }
        let runtime = language.map(|language| match language {
            Language::Java => Runtime::Java {
                package,
                extra_dependencies_dir: String::new(),
                java_opts: Vec::new(),
                instance_path: String::new(),
                entry_class: String::new(),
                log: None,
            },
            Language::Python => Runtime::Python { package, log: None },
            Language::Go => Runtime::Go { package, log: None },
        });
        (runtime, field)
    }

    /// What Pulsar's instances of a language cannot do, and its worker therefore refuses.
    fn language_rules(&self, runtime: Option<&Runtime>, violations: &mut Vec<Violation>) {
        let (language, is_go) = match runtime {
            Some(Runtime::Python { .. }) => ("Python", false),
            Some(Runtime::Go { .. }) => ("Go", true),
            _ => return,
        };
        let effectively_once = self.processing_guarantees == Some(Guarantee::EffectivelyOnce);
        for (given, field, what) in [
            (effectively_once, "processingGuarantees", "effectively-once processing"),
            (self.window_config.is_some(), "windowConfig", "windowing"),
            (self.max_message_retries.is_some(), "maxMessageRetries", "message retries"),
            (is_go && self.retain_key_ordering, "retainKeyOrdering", "ordering by key"),
        ] {
            if given {
                let message = format!("Pulsar's {language} instances do not support {what}");
                violations.push(Violation::new(field, Reason::ConflictingFields, message));
            }
        }
    }

    fn timeout_rule(&self, guarantee: ProcessingGuarantee, violations: &mut Vec<Violation>) {
        // Effectively once is refused by admission for every dialect.
        let refused = matches!(guarantee, ProcessingGuarantee::AtMostOnce | ProcessingGuarantee::Manual);
        if let Some(timeout) = self.timeout_ms.filter(|_| refused) {
            let message = "an acknowledgement timeout needs the guarantee ATLEAST_ONCE";
            let violation = Violation::new("timeoutMs", Reason::ConflictingFields, message);
            violations.push(violation.with_value(&timeout.to_string()));
        }
    }

    fn auto_ack(&self, guarantee: ProcessingGuarantee, violations: &mut Vec<Violation>) -> bool {
        let conflict = match (self.auto_ack, guarantee) {
            (Some(true), _) if self.window_config.is_some() => {
                Some("a window acknowledges by itself; leave it out")
            }
            (Some(false), ProcessingGuarantee::AtMostOnce) => {
                Some("at most once means to acknowledge before processing; leave it out")
            }
            _ => None,
        };
        if let (Some(message), Some(given)) = (conflict, self.auto_ack) {
            let violation = Violation::new("autoAck", Reason::ConflictingFields, message);
            violations.push(violation.with_value(&given.to_string()));
        }
        self.auto_ack.unwrap_or_else(|| self.window_config.is_none())
    }

    /// The output's schema properties, which stand in the JSON text for its topic.
    fn output(&self, violations: &mut Vec<Violation>) -> Output {
        let mut output = Output::default();
        for (topic, text) in &self.custom_schema_outputs {
            let at = path::key("customSchemaOutputs", topic);
            let config: Option<ConsumerConfig> =
                parts::json_text(text, at, "a consumer configuration", violations);
            if let Some(config) = config.filter(|_| *topic == self.output) {
                let config = isthmus_model::component::ConsumerConfig::from(config);
                output.schema_properties = config.schema_properties;
                output.consumer_properties = config.consumer_properties;
            }
        }
        output
    }
}

fn window(window: WindowConfig) -> Window {
    let WindowConfig {
        window_length_count,
        window_length_duration_ms,
        sliding_interval_count,
        sliding_interval_duration_ms,
        late_data_topic,
        max_lag_ms,
        watermark_emit_interval_ms,
        timestamp_extractor_class_name,
        actual_window_function_class_name: _,
        processing_guarantees,
    } = window;
    Window {
        length_count: window_length_count,
        length_duration_ms: window_length_duration_ms,
        sliding_interval_count,
        sliding_interval_duration_ms,
        late_data_topic,
        max_lag_ms,
        watermark_emit_interval_ms,
        timestamp_extractor_class_name,
        processing_guarantee: processing_guarantees,
    }
}
