//! What an instance is started with: Pulsar's `FunctionDetails` as protobuf JSON.
//!
//! Members stand in the order of the .proto, members with their default value are left out, enums go by name and 64-bit
//! integers as text: byte for byte what Pulsar's own worker and the Function Mesh operator hand over, so that an instance
//! which somebody else started can be compared with what is wanted.

use isthmus_model::component::{
    Component, ComponentKind, LogTopicAgent, Object, ProcessingGuarantee, Runtime, SecretRef, Spec,
};
use isthmus_model::resources::Amounts;
use serde_json::json;

mod members;
mod crypto;
mod source;
mod sink;
mod window;

use members::Members;

const IDENTITY: &str = "org.apache.pulsar.functions.api.utils.IdentityFunction";
const WINDOW_EXECUTOR: &str = "org.apache.pulsar.functions.windowing.WindowFunctionExecutor";

/// The details of every instance of `component`, of which `parallelism` run; instances are told 1 unless the component
/// wants them to know.
pub fn function_details(component: &Component, parallelism: u32) -> Object {
    let Component { kind, name, spec, .. } = component;
    let windowed = spec.window.is_some() && *kind == ComponentKind::Function;
    // A window acknowledges what left it; the instance must not do it before.
    let guarantee = if windowed { ProcessingGuarantee::Manual } else { spec.processing_guarantee };
    let mut details = Members::default();
    details.text("tenant", name.tenant.as_str());
    details.text("namespace", name.namespace.as_str());
    details.text("name", name.name.as_str());
    details.text("className", class_name(*kind, spec));
    details.text("logTopic", log_topic(spec));
    details.text("processingGuarantees", guarantee_name(guarantee));
    details.object_text("userConfig", &user_config(*kind, spec));
    details.object_text("secretsMap", &secrets(spec));
    details.text("runtime", runtime(spec));
    details.flag("autoAck", spec.auto_ack && !windowed);
    details.number("parallelism", if spec.show_precise_parallelism { parallelism } else { 1 });
    details.member("source", Some(source::source(*kind, spec)));
    details.member("sink", Some(sink::sink(*kind, spec)));
    details.member("resources", resources(&spec.resources.requests));
    details.member("retryDetails", retries(spec));
    details.text("runtimeFlags", &spec.runtime_flags);
    details.text("componentType", component_type(*kind));
    details.text("customRuntimeOptions", &spec.custom_runtime_options);
    details.text("builtin", builtin_package(*kind, spec));
    details.flag("retainOrdering", spec.input.as_ref().is_some_and(|input| input.retain_ordering));
    details.flag("retainKeyOrdering", spec.input.as_ref().is_some_and(|input| input.retain_key_ordering));
    details.0
}

fn class_name(kind: ComponentKind, spec: &Spec) -> &str {
    match kind {
        ComponentKind::Function if spec.window.is_some() => WINDOW_EXECUTOR,
        ComponentKind::Function => &spec.class_name,
        ComponentKind::Source => IDENTITY,
        ComponentKind::Sink => spec.transform.as_ref().map_or(IDENTITY, |transform| &transform.class_name),
    }
}

/// The log topic, if the instance is the one who writes to it.
fn log_topic(spec: &Spec) -> &str {
    if spec.log_topic_agent == Some(LogTopicAgent::Sidecar) { "" } else { &spec.log_topic }
}

/// The name, empty for the default.
fn guarantee_name(guarantee: ProcessingGuarantee) -> &'static str {
    match guarantee {
        ProcessingGuarantee::AtLeastOnce => "",
        ProcessingGuarantee::AtMostOnce => "ATMOST_ONCE",
        ProcessingGuarantee::EffectivelyOnce => "EFFECTIVELY_ONCE",
        ProcessingGuarantee::Manual => "MANUAL",
    }
}

fn runtime(spec: &Spec) -> &'static str {
    match spec.runtime {
        Some(Runtime::Python { .. }) => "PYTHON",
        Some(Runtime::Go { .. }) => "GO",
        Some(Runtime::Java { .. } | Runtime::Generic { .. }) | None => "",
    }
}

fn component_type(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Function => "FUNCTION",
        ComponentKind::Source => "SOURCE",
        ComponentKind::Sink => "SINK",
    }
}

fn builtin_package(kind: ComponentKind, spec: &Spec) -> &str {
    let package = match kind {
        ComponentKind::Function => spec.runtime.as_ref().map(Runtime::package),
        ComponentKind::Sink => spec.transform.as_ref().map(|transform| &transform.package),
        ComponentKind::Source => None,
    };
    package.and_then(|package| package.location.strip_prefix("builtin://")).unwrap_or("")
}

fn user_config(kind: ComponentKind, spec: &Spec) -> Object {
    match kind {
        ComponentKind::Function => {
            let mut config = spec.user_config.clone();
            if let Some(window) = &spec.window {
                config.insert("__WINDOWCONFIGS__".to_owned(), window::window_config(window, spec).into());
            }
            config
        }
        // Function Mesh hands a source's configuration to the identity function, too.
        ComponentKind::Source => {
            spec.source_connector.as_ref().map(|connector| connector.config.clone()).unwrap_or_default()
        }
        ComponentKind::Sink => {
            let config = spec.transform.as_ref().map(|transform| transform.config.as_str());
            config.and_then(|config| serde_json::from_str(config).ok()).unwrap_or_default()
        }
    }
}

fn secrets(spec: &Spec) -> Object {
    let entry = |secret: &SecretRef| json!({"path": secret.path, "key": secret.key});
    spec.secrets.iter().map(|(name, secret)| (name.clone(), entry(secret))).collect()
}

fn resources(requests: &Amounts) -> Option<Object> {
    let mut resources = Members::default();
    if let Some(millis) = requests.cpu_millis.filter(|millis| *millis != 0) {
        // Exact to the thousandth up to 2^53 of them, which no machine has.
        let cpu = f64::from(u32::try_from(millis).unwrap_or(u32::MAX)) / 1_000.0;
        resources.put("cpu", cpu.into());
    }
    resources.long("ram", requests.memory_bytes.unwrap_or(0));
    resources.long("disk", requests.storage_bytes.unwrap_or(0));
    (!resources.0.is_empty()).then_some(resources.0)
}

fn retries(spec: &Spec) -> Option<Object> {
    let mut retries = Members::default();
    retries.number("maxMessageRetries", spec.retry.max_message_retries.unwrap_or(0));
    retries.text("deadLetterTopic", &spec.retry.dead_letter_topic);
    (!retries.0.is_empty()).then_some(retries.0)
}

#[cfg(test)]
mod tests;
