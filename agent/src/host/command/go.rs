//! A Go program that embeds Pulsar's Go instance: the package is the program, and one JSON object tells it everything.

use std::collections::BTreeMap;

use isthmus_model::component::{Input as Topics, ProcessingGuarantee, SubscriptionPosition};
use serde::Serialize;

use super::{Command, Input, MAX_BUFFERED_TUPLES, NO_WATCHDOG, connection};

/// Numbers of Pulsar's `FunctionDetails.Runtime` and `SubscriptionType`.
const RUNTIME_GO: i32 = 3;
const SHARED: i32 = 0;
const FAILOVER: i32 = 1;
const KEY_SHARED: i32 = 2;

/// The instance's configuration, by the names that it reads.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "Pulsar's format has them")]
struct Conf {
    #[serde(rename = "pulsarServiceURL")]
    pulsar_service_url: String,
    state_storage_service_url: String,
    pulsar_web_service_url: String,
    #[serde(rename = "instanceID")]
    instance_id: u32,
    #[serde(rename = "funcID")]
    func_id: String,
    func_version: String,
    max_buf_tuples: u32,
    port: u16,
    cluster_name: String,
    kill_after_idle_ms: i64,
    tenant: String,
    name_space: String,
    name: String,
    log_topic: String,
    processing_guarantees: i32,
    secrets_map: String,
    runtime: i32,
    client_authentication_plugin: String,
    client_authentication_parameters: String,
    tls_trust_certs_file_path: String,
    tls_allow_insecure_connection: bool,
    tls_hostname_verification_enable: bool,
    auto_ack: bool,
    parallelism: i64,
    subscription_type: i32,
    timeout_ms: u64,
    subscription_name: String,
    cleanup_subscription: bool,
    subscription_position: i32,
    source_input_specs: BTreeMap<String, String>,
    sink_specs_topic: String,
    sink_schema_type: String,
    receiver_queue_size: i32,
    max_message_retries: i32,
    dead_letter_topic: String,
    expected_health_check_interval: i32,
    user_config: String,
    metrics_port: u16,
    function_details: String,
}

pub(super) fn build(input: &Input<'_>) -> Command {
    let (spec, name) = (&input.component.spec, &input.component.name);
    let (connection, files) = connection::of(input);
    let none = Topics::default();
    let topics = spec.input.as_ref().unwrap_or(&none);
    let output = spec.output.as_ref();
    let from_details =
        |key: &str| input.details.get(key).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let (plugin, parameters) = connection.auth.unwrap_or_default();
    let conf = Conf {
        pulsar_service_url: connection.service_url,
        state_storage_service_url: connection.state_url.unwrap_or_default(),
        pulsar_web_service_url: input.assignment.pulsar.admin_url.clone(),
        instance_id: input.index,
        func_id: input.assignment.uid.to_string(),
        func_version: input.assignment.revision.to_string(),
        max_buf_tuples: MAX_BUFFERED_TUPLES,
        port: input.ports.control,
        cluster_name: connection.cluster_name,
        kill_after_idle_ms: 0,
        tenant: name.tenant.to_string(),
        name_space: name.namespace.to_string(),
        name: name.name.to_string(),
        log_topic: spec.log_topic.clone(),
        processing_guarantees: match spec.processing_guarantee {
            ProcessingGuarantee::AtLeastOnce => 0,
            ProcessingGuarantee::AtMostOnce => 1,
            ProcessingGuarantee::EffectivelyOnce => 2,
            ProcessingGuarantee::Manual => 3,
        },
        secrets_map: from_details("secretsMap"),
        runtime: RUNTIME_GO,
        client_authentication_plugin: plugin,
        client_authentication_parameters: parameters,
        tls_trust_certs_file_path: connection.trusted_certificates.unwrap_or_default(),
        tls_allow_insecure_connection: connection.tls.is_some_and(|tls| tls.allow_insecure),
        tls_hostname_verification_enable: connection.tls.is_some_and(|tls| tls.hostname_verification),
        auto_ack: spec.auto_ack,
        parallelism: input.details.get("parallelism").and_then(serde_json::Value::as_i64).unwrap_or(1),
        subscription_type: if topics.retain_ordering
            || spec.processing_guarantee == ProcessingGuarantee::EffectivelyOnce
        {
            FAILOVER
        } else if topics.retain_key_ordering {
            KEY_SHARED
        } else {
            SHARED
        },
        timeout_ms: spec.timeout_ms.unwrap_or(0),
        subscription_name: topics.subscription_name.clone(),
        cleanup_subscription: topics.cleanup_subscription,
        subscription_position: match topics.subscription_position {
            SubscriptionPosition::Latest => 0,
            SubscriptionPosition::Earliest => 1,
        },
        source_input_specs: input_specs(input),
        sink_specs_topic: output.map(|output| output.topic.clone()).unwrap_or_default(),
        sink_schema_type: output.map(|output| output.schema_type.clone()).unwrap_or_default(),
        receiver_queue_size: 0,
        max_message_retries: spec.retry.max_message_retries.and_then(|n| i32::try_from(n).ok()).unwrap_or(0),
        dead_letter_topic: spec.retry.dead_letter_topic.clone(),
        expected_health_check_interval: NO_WATCHDOG,
        user_config: from_details("userConfig"),
        metrics_port: input.ports.metrics,
        function_details: serde_json::Value::Object(input.details.clone()).to_string(),
    };
    // A struct of texts and numbers is always JSON.
    let conf = serde_json::to_value(conf).unwrap_or_default().to_string();
    Command {
        program: input.package.to_path_buf(),
        args: vec!["-instance-conf".into(), conf],
        env: input.secrets.environment.clone(),
        files,
    }
}

/// Each topic with its ConsumerSpec as JSON text, taken from the details, which have them already.
fn input_specs(input: &Input<'_>) -> BTreeMap<String, String> {
    let specs = input
        .details
        .get("source")
        .and_then(|source| source.get("inputSpecs"))
        .and_then(|specs| specs.as_object());
    specs.into_iter().flatten().map(|(topic, spec)| (topic.clone(), spec.to_string())).collect()
}
