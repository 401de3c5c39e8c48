//! A Go program that embeds Pulsar's Go instance: one JSON object tells it everything.
//!
//! The object has the members of all versions of the instance: older ones read one topic, newer ones all of them with how each
//! is consumed. It stands between single quotes, which end only around the variables of the shell.

use isthmus_model::component::{ProcessingGuarantee, SubscriptionPosition};
use serde_json::{Value, json};

use super::super::shell::{quoted, word};
use super::{CONTROL_PORT, METRICS_PORT, Prepared, member};

/// Stands in the object for the instance's number, and for the address of the broker.
const SHARD: &str = "\u{1}SHARD_ID\u{1}";
const BROKER: &str = "\u{1}brokerServiceURL\u{1}";

/// `FunctionDetails.Runtime.GO`.
const RUNTIME_GO: i32 = 3;

pub(super) fn exec(prepared: &Prepared<'_>, package: &str) -> String {
    let (conf, package) = (expanded(&conf(prepared).to_string()), word(package));
    if prepared.pods.restricted() {
        // What the image has cannot be changed, and is a program already. The object may hold what no log should.
        return format!(
            "GO_FUNCTION_CONF={conf} && ls -l {package} && {{ [ -x {package} ] || chmod +x {package}; }} && exec {package} -instance-conf \"${{GO_FUNCTION_CONF}}\""
        );
    }
    format!(
        "GO_FUNCTION_CONF={conf} && goFunctionConfigs=${{GO_FUNCTION_CONF}} && echo goFunctionConfigs=\"'${{goFunctionConfigs}}'\" && ls -l {package} && chmod +x {package} && exec {package} -instance-conf \"${{goFunctionConfigs}}\""
    )
}

/// The text as one word of a shell, with the variables in it.
fn expanded(text: &str) -> String {
    // The number is no text in the object, so that the quotes around it go.
    let (shard, broker) = (json!(SHARD).to_string(), json!(BROKER).to_string());
    let inner = |text: &String| text.trim_matches('"').to_owned();
    quoted(text)
        .replace(&shard, r#"'"${SHARD_ID}"'"#)
        .replace(&inner(&shard), r#"'"${SHARD_ID}"'"#)
        .replace(&inner(&broker), r#"'"${brokerServiceURL}"'"#)
}

fn conf(prepared: &Prepared<'_>) -> Value {
    let Prepared { owner, component, details, .. } = prepared;
    let (spec, name) = (&component.spec, &component.name);
    let source = details.get("source").and_then(Value::as_object);
    let specs = source.and_then(|source| source.get("inputSpecs")).and_then(Value::as_object);
    let input_specs: serde_json::Map<String, Value> =
        specs.into_iter().flatten().map(|(topic, spec)| (topic.clone(), spec.to_string().into())).collect();
    let input = spec.input.as_ref();
    let output = spec.output.as_ref();
    let first = input.and_then(|input| input.topics.iter().find(|(_, consumer)| !consumer.is_regex_pattern));
    let subscription_type = match source.map(|source| member(source, "subscriptionType")) {
        Some("FAILOVER") => 1,
        Some("KEY_SHARED") => 2,
        _ => 0,
    };
    let requests = &spec.resources.requests;
    json!({
        "pulsarServiceURL": BROKER,
        "instanceID": SHARD,
        "funcID": format!("{SHARD}-{}", owner.uid),
        "funcVersion": "0",
        "maxBufTuples": 100,
        "port": CONTROL_PORT,
        "clusterName": spec.kubernetes.cluster_name,
        "killAfterIdleMs": 0,
        "tenant": name.tenant.as_str(),
        "nameSpace": name.namespace.as_str(),
        "name": name.name.as_str(),
        "logTopic": member(details, "logTopic"),
        "processingGuarantees": match spec.processing_guarantee {
            ProcessingGuarantee::AtLeastOnce => 0,
            ProcessingGuarantee::AtMostOnce => 1,
            ProcessingGuarantee::EffectivelyOnce => 2,
            ProcessingGuarantee::Manual => 3,
        },
        "secretsMap": member(details, "secretsMap"),
        "runtime": RUNTIME_GO,
        "autoAck": spec.auto_ack,
        "parallelism": details.get("parallelism").cloned().unwrap_or_else(|| json!(1)),
        "subscriptionType": subscription_type,
        "timeoutMs": spec.timeout_ms.unwrap_or(0),
        "subscriptionName": input.map_or("", |input| &input.subscription_name),
        "cleanupSubscription": input.is_some_and(|input| input.cleanup_subscription),
        "subscriptionPosition": input.map_or(0, |input| match input.subscription_position {
            SubscriptionPosition::Latest => 0,
            SubscriptionPosition::Earliest => 1,
        }),
        "sourceSpecsTopic": first.map_or("", |(topic, _)| topic),
        "sourceInputSpecs": input_specs,
        "sourceSchemaType": "",
        "isRegexPatternSubscription": input.is_some_and(|input| input.topics.values().any(|one| one.is_regex_pattern)),
        "receiverQueueSize": 0,
        "sinkSpecsTopic": output.map_or("", |output| &output.topic),
        "sinkSchemaType": output.map_or("", |output| &output.schema_type),
        "cpu": requests.cpu_millis.unwrap_or(0).div_ceil(1_000),
        "ram": requests.memory_bytes.unwrap_or(0),
        "disk": requests.storage_bytes.unwrap_or(0),
        "maxMessageRetries": spec.retry.max_message_retries.unwrap_or(0),
        "deadLetterTopic": spec.retry.dead_letter_topic,
        // Off: an instance must not end because nobody asks after it.
        "expectedHealthCheckInterval": -1,
        "userConfig": member(details, "userConfig"),
        "metricsPort": METRICS_PORT,
        "functionDetails": Value::Object((*details).clone()).to_string(),
    })
}
