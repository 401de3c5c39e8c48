//! A component as a custom resource's spec: the way back of the draft.
//!
//! What is as if it were not written is left out, but for what Function Mesh would fill in otherwise. Reading the result gives
//! the component again; what the resource has no field for is named instead of being lost.

use isthmus_model::component::{
    BatchSource, Component, ComponentKind, Connector, Kubernetes, LogConfig, Object, ProcessingGuarantee,
    Runtime, Spec, Window,
};
use isthmus_model::reason::{Reason, Violation};
use isthmus_model::resources::{Amounts, Resources};
use serde::Serialize;
use serde_json::{Value, json};

use crate::quantity::{Bytes, Millis};

mod access;
mod input;
mod output;
mod members;

use members::Members;

/// The `spec` of the custom resource that stands for `component`.
///
/// # Errors
/// The parts of it, by their paths in the model, for which such a resource has no field.
pub fn write(component: &Component) -> Result<Object, Vec<Violation>> {
    let Component { kind, name, labels: _, annotations: _, placement: _, spec } = component;
    let mut members = Members::default();
    members.text("name", name.name.as_str());
    members.text("tenant", name.tenant.as_str());
    members.text("namespace", name.namespace.as_str());
    let mut lost = Vec::new();
    write_spec(*kind, spec, &name.to_string(), &mut members, &mut lost);
    if lost.is_empty() { Ok(members.0) } else { Err(lost) }
}

fn write_spec(
    kind: ComponentKind,
    spec: &Spec,
    full: &str,
    members: &mut Members,
    lost: &mut Vec<Violation>,
) {
    let Spec {
        class_name,
        runtime,
        replicas,
        min_replicas,
        max_replicas,
        show_precise_parallelism,
        processing_guarantee,
        auto_ack,
        input,
        output,
        source_connector,
        sink_connector,
        user_config,
        secrets,
        retry,
        timeout_ms,
        negative_ack_redelivery_delay_ms,
        forward_source_message_property,
        max_pending_async_requests,
        window,
        batch_source,
        transform,
        log_topic,
        log_topic_agent,
        resources,
        runtime_flags,
        custom_runtime_options,
        expose_pulsar_admin_client,
        state,
        pulsar,
        package_service,
        kubernetes,
    } = spec;
    let mut no_field = |is_given: bool, field: &str| {
        if is_given {
            let message =
                "a custom resource of Function Mesh has no field for it; leave it out, or run this on a host";
            lost.push(Violation::new(field, Reason::InvalidField, message));
        }
    };
    no_field(!custom_runtime_options.is_empty(), "spec.customRuntimeOptions");
    no_field(*expose_pulsar_admin_client, "spec.exposePulsarAdminClient");
    no_field(transform.is_some(), "spec.transform");
    no_field(
        kind == ComponentKind::Function && negative_ack_redelivery_delay_ms.is_some(),
        "spec.negativeAckRedeliveryDelayMs",
    );
    members.text("className", class_name);
    write_runtime(runtime.as_ref(), members);
    members.put("replicas", (*replicas).into());
    members.given("minReplicas", min_replicas.as_ref());
    members.given("maxReplicas", max_replicas.as_ref());
    members.flag("showPreciseParallelism", *show_precise_parallelism);
    if let Some(word) = guarantee(*processing_guarantee) {
        members.text("processingGuarantee", word);
    }
    if let Some(input) = input {
        input::write(kind, input, members, &mut no_field);
    }
    if kind != ComponentKind::Source {
        members.put("autoAck", (*auto_ack).into());
        input::write_retry(retry, input.as_ref(), full, members);
        members.given("timeout", timeout_ms.as_ref());
    }
    if let Some(output) = output {
        output::write(kind, output, members);
    }
    match kind {
        ComponentKind::Function => {
            members.object("sourceConfig", source_connector.as_ref().map(|own| connector(own, "sourceType")));
            members.object("sinkConfig", sink_connector.as_ref().map(|own| connector(own, "sinkType")));
            members.given("maxPendingAsyncRequests", max_pending_async_requests.as_ref());
        }
        ComponentKind::Source => {
            members.object("sourceConfig", source_connector.as_ref().map(|own| own.config.clone()));
        }
        ComponentKind::Sink => {
            members.object("sinkConfig", sink_connector.as_ref().map(|own| own.config.clone()));
            members.given("negativeAckRedeliveryDelayMs", negative_ack_redelivery_delay_ms.as_ref());
        }
    }
    if kind != ComponentKind::Sink {
        members.put("forwardSourceMessageProperty", (*forward_source_message_property).into());
    }
    if !user_config.is_empty() {
        members.put("funcConfig", user_config.clone().into());
    }
    members.map("secretsMap", secrets.iter().map(|(name, secret)| (name, json_of(secret))));
    members.object("windowConfig", window.as_ref().map(write_window));
    members.object("batchSourceConfig", batch_source.as_ref().map(write_batch_source));
    members.text("logTopic", log_topic);
    members.given("logTopicAgent", log_topic_agent.as_ref());
    members.object("resources", Some(write_resources(resources)));
    members.text("runtimeFlags", runtime_flags);
    members.object("statefulConfig", state.as_ref().map(access::write_state));
    members.object("pulsar", Some(access::write(pulsar)));
    members.object("pulsarPackageService", package_service.as_ref().map(access::write));
    write_kubernetes(kubernetes, members);
}

fn write_runtime(runtime: Option<&Runtime>, members: &mut Members) {
    let mut own = Members::default();
    let name = match runtime {
        None => return,
        Some(Runtime::Java {
            package,
            extra_dependencies_dir,
            java_opts,
            instance_path,
            entry_class,
            log,
        }) => {
            own.put("jar", package.file.as_str().into());
            own.text("jarLocation", &package.location);
            own.text("extraDependenciesDir", extra_dependencies_dir);
            own.list("javaOpts", java_opts);
            own.text("instancePath", instance_path);
            own.text("entryClass", entry_class);
            own.object("log", log.as_ref().map(write_log));
            "java"
        }
        Some(Runtime::Python { package, log }) => {
            own.put("py", package.file.as_str().into());
            own.text("pyLocation", &package.location);
            own.object("log", log.as_ref().map(write_log));
            "python"
        }
        Some(Runtime::Go { package, log }) => {
            own.put("go", package.file.as_str().into());
            own.text("goLocation", &package.location);
            own.object("log", log.as_ref().map(write_log));
            "golang"
        }
        Some(Runtime::Generic { package, language }) => {
            own.put("functionFile", package.file.as_str().into());
            own.text("functionFileLocation", &package.location);
            own.put("language", language.as_str().into());
            "genericRuntime"
        }
    };
    members.put(name, own.0.into());
}

fn write_log(log: &LogConfig) -> Object {
    let LogConfig { level, rotate_policy, format, config_map, java_config_file_type } = log;
    let mut members = Members::default();
    members.text("level", level);
    members.text("rotatePolicy", rotate_policy);
    members.text("format", format);
    members.given("logConfig", config_map.as_ref());
    members.text("javaLog4JConfigFileType", java_config_file_type);
    members.0
}

fn guarantee(guarantee: ProcessingGuarantee) -> Option<&'static str> {
    match guarantee {
        ProcessingGuarantee::AtLeastOnce => None,
        ProcessingGuarantee::AtMostOnce => Some("atmost_once"),
        ProcessingGuarantee::EffectivelyOnce => Some("effectively_once"),
        ProcessingGuarantee::Manual => Some("manual"),
    }
}

/// A connector in place of a function's topics, in Function Mesh's own fields.
fn connector(connector: &Connector, type_field: &str) -> Object {
    let Connector { builtin, class_name, type_class_name, config } = connector;
    let mut members = Members::default();
    members.text(type_field, builtin);
    members.text("className", class_name);
    members.text("typeClassName", type_class_name);
    if !config.is_empty() {
        members.put("configs", config.clone().into());
    }
    members.0
}

fn write_window(window: &Window) -> Object {
    let Window {
        length_count,
        length_duration_ms,
        sliding_interval_count,
        sliding_interval_duration_ms,
        late_data_topic,
        max_lag_ms,
        watermark_emit_interval_ms,
        timestamp_extractor_class_name,
        processing_guarantee,
    } = window;
    let mut members = Members::default();
    members.given("windowLengthCount", length_count.as_ref());
    members.given("windowLengthDurationMs", length_duration_ms.as_ref());
    members.given("slidingIntervalCount", sliding_interval_count.as_ref());
    members.given("slidingIntervalDurationMs", sliding_interval_duration_ms.as_ref());
    members.text("lateDataTopic", late_data_topic);
    members.given("maxLagMs", max_lag_ms.as_ref());
    members.given("watermarkEmitIntervalMs", watermark_emit_interval_ms.as_ref());
    members.text("timestampExtractorClassName", timestamp_extractor_class_name);
    members.text("processingGuarantees", processing_guarantee);
    members.0
}

fn write_batch_source(batch: &BatchSource) -> Object {
    let BatchSource { discovery_triggerer_class_name, discovery_triggerer_config } = batch;
    let mut members = Members::default();
    members.text("discoveryTriggererClassName", discovery_triggerer_class_name);
    if !discovery_triggerer_config.is_empty() {
        members.put("discoveryTriggererConfig", discovery_triggerer_config.clone().into());
    }
    members.0
}

fn write_resources(resources: &Resources) -> Object {
    let Resources { requests, limits } = resources;
    let mut members = Members::default();
    members.map("requests", amounts(requests));
    members.map("limits", amounts(limits));
    members.0
}

fn amounts(amounts: &Amounts) -> Vec<(String, Value)> {
    let Amounts { cpu_millis, memory_bytes, storage_bytes, other } = amounts;
    let mut all: Vec<(String, Value)> = Vec::new();
    let mut add = |name: &str, text: Option<String>| {
        all.extend(text.map(|text| (name.to_owned(), text.into())));
    };
    add("cpu", cpu_millis.map(|amount| Millis(amount).to_string()));
    add("memory", memory_bytes.map(|amount| Bytes(amount).to_string()));
    add("storage", storage_bytes.map(|amount| Bytes(amount).to_string()));
    for (name, text) in other {
        add(name, Some(text.clone()));
    }
    all
}

fn write_kubernetes(kubernetes: &Kubernetes, members: &mut Members) {
    let Kubernetes {
        cluster_name,
        image,
        image_pull_policy,
        image_has_pulsarctl,
        image_has_wget,
        downloader_image,
        cleanup_image,
        filebeat_image,
        pod,
        volume_mounts,
        volume_claim_templates,
        volume_claim_retention_policy,
    } = kubernetes;
    members.text("clusterName", cluster_name);
    members.text("image", image);
    members.text("imagePullPolicy", image_pull_policy);
    members.flag("imageHasPulsarctl", *image_has_pulsarctl);
    members.flag("imageHasGet", *image_has_wget);
    members.text("downloaderImage", downloader_image);
    members.text("cleanupImage", cleanup_image);
    members.text("filebeatImage", filebeat_image);
    if !pod.is_empty() {
        members.put("pod", pod.clone().into());
    }
    members.list("volumeMounts", volume_mounts);
    members.list("volumeClaimTemplates", volume_claim_templates);
    members.given("persistentVolumeClaimRetentionPolicy", volume_claim_retention_policy.as_ref());
}

/// The model's own parts serialise without fail.
fn json_of<T: Serialize + ?Sized>(value: &T) -> Value {
    json!(value)
}

#[cfg(test)]
mod tests;
