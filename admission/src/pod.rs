//! What only Kubernetes understands, against Kubernetes' own types.
//!
//! Those types take any text as a quantity or an enum, so both are looked at here; that every field is known and of the
//! right type is found by reading the JSON as the type.

use std::collections::BTreeMap;

use isthmus_dialects::function_mesh::pod::{self, PodPolicy, typed};
use isthmus_dialects::quantity::Quantity;
use isthmus_model::component::Spec;
use isthmus_model::name::{LabelKey, LabelValue};
use k8s_openapi::api::apps::v1::StatefulSetPersistentVolumeClaimRetentionPolicy;
use k8s_openapi::api::core::v1::{
    Container, PersistentVolumeClaim, ResourceRequirements, Toleration, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;

use crate::report::Report;

const POD: &str = "spec.kubernetes.pod";
const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];
const CPU_RULES: &[&str] =
    &["AverageUtilizationCPUPercent80", "AverageUtilizationCPUPercent50", "AverageUtilizationCPUPercent20"];
const MEMORY_RULES: &[&str] = &[
    "AverageUtilizationMemoryPercent80",
    "AverageUtilizationMemoryPercent50",
    "AverageUtilizationMemoryPercent20",
];

pub(crate) fn check(spec: &Spec, report: &mut Report) {
    let kubernetes = &spec.kubernetes;
    report.one_of("spec.kubernetes.imagePullPolicy", &kubernetes.image_pull_policy, PULL_POLICIES);
    for (index, mount) in kubernetes.volume_mounts.iter().enumerate() {
        let field = format!("spec.kubernetes.volumeMounts[{index}]");
        match typed::<VolumeMount>(mount.clone(), &field) {
            Ok(mount) => check_mount(&field, &mount, report),
            Err(violations) => report.extend(violations),
        }
    }
    for (index, claim) in kubernetes.volume_claim_templates.iter().enumerate() {
        let field = format!("spec.kubernetes.volumeClaimTemplates[{index}]");
        match typed::<PersistentVolumeClaim>(claim.clone(), &field) {
            Ok(claim) => check_claim(&field, &claim, report),
            Err(violations) => report.extend(violations),
        }
    }
    if let Some(policy) = &kubernetes.volume_claim_retention_policy {
        let field = "spec.kubernetes.volumeClaimRetentionPolicy";
        match typed::<StatefulSetPersistentVolumeClaimRetentionPolicy>(policy.clone(), field) {
            Ok(policy) => {
                for (name, word) in
                    [("whenDeleted", &policy.when_deleted), ("whenScaled", &policy.when_scaled)]
                {
                    report.one_of(&format!("{field}.{name}"), text(word.as_ref()), &["Retain", "Delete"]);
                }
            }
            Err(violations) => report.extend(violations),
        }
    }
    if kubernetes.pod.is_empty() {
        return;
    }
    match pod::read(&kubernetes.pod, POD) {
        Ok(pod) => check_pod(&pod, spec.max_replicas.is_some(), report),
        Err(violations) => report.extend(violations),
    }
}

fn text(text: Option<&String>) -> &str {
    text.map_or("", String::as_str)
}

fn check_pod(pod: &PodPolicy, autoscaled: bool, report: &mut Report) {
    for (name, labels) in [("labels", &pod.labels), ("nodeSelector", &pod.node_selector)] {
        for (key, value) in labels.iter().flatten() {
            let wrong = LabelKey::new(key)
                .err()
                .map(|e| e.rule)
                .or_else(|| LabelValue::new(value).err().map(|e| e.rule));
            if let Some(rule) = wrong {
                report.invalid(format!("{POD}.{name}[{key}]"), rule, value);
            }
        }
    }
    for key in pod.annotations.iter().flat_map(BTreeMap::keys) {
        if let Err(error) = LabelKey::new(key) {
            report.invalid(format!("{POD}.annotations[{key}]"), error.rule, key);
        }
    }
    for (index, toleration) in pod.tolerations.iter().flatten().enumerate() {
        check_toleration(&format!("{POD}.tolerations[{index}]"), toleration, report);
    }
    if let Some(seconds) = pod.termination_grace_period_seconds.filter(|seconds| *seconds < 0) {
        report.invalid(format!("{POD}.terminationGracePeriodSeconds"), "it must not be negative", &seconds);
    }
    for (name, containers) in [("initContainers", &pod.init_containers), ("sidecars", &pod.sidecars)] {
        for (index, container) in containers.iter().flatten().enumerate() {
            check_container(&format!("{POD}.{name}[{index}]"), container, report);
        }
    }
    for (index, volume) in pod.volumes.iter().flatten().enumerate() {
        if volume.name.is_empty() {
            report.missing(format!("{POD}.volumes[{index}].name"), "it must be given");
        }
    }
    for (index, variable) in pod.env.iter().flatten().enumerate() {
        if variable.name.is_empty() {
            report.missing(format!("{POD}.env[{index}].name"), "it must be given");
        }
    }
    check_autoscaling(pod, autoscaled, report);
}

fn check_toleration(field: &str, toleration: &Toleration, report: &mut Report) {
    report.one_of(&format!("{field}.operator"), text(toleration.operator.as_ref()), &["Exists", "Equal"]);
    let effects = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
    report.one_of(&format!("{field}.effect"), text(toleration.effect.as_ref()), effects);
}

fn check_container(field: &str, container: &Container, report: &mut Report) {
    if container.name.is_empty() {
        report.missing(format!("{field}.name"), "it must be given");
    }
    let policy = text(container.image_pull_policy.as_ref());
    report.one_of(&format!("{field}.imagePullPolicy"), policy, PULL_POLICIES);
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        check_mount(&format!("{field}.volumeMounts[{index}]"), mount, report);
    }
    for (index, port) in container.ports.iter().flatten().enumerate() {
        let field = format!("{field}.ports[{index}]");
        report.one_of(&format!("{field}.protocol"), text(port.protocol.as_ref()), &["TCP", "UDP", "SCTP"]);
        if !(1..=65_535).contains(&port.container_port) {
            report.invalid(
                format!("{field}.containerPort"),
                "it must be from 1 to 65535",
                &port.container_port,
            );
        }
    }
    if let Some(resources) = &container.resources {
        check_resources(&format!("{field}.resources"), resources, report);
    }
}

fn check_resources(field: &str, resources: &ResourceRequirements, report: &mut Report) {
    quantities(&format!("{field}.requests"), resources.requests.as_ref(), report);
    quantities(&format!("{field}.limits"), resources.limits.as_ref(), report);
}

fn quantities(field: &str, quantities: Option<&BTreeMap<String, Text>>, report: &mut Report) {
    for (name, quantity) in quantities.into_iter().flatten() {
        if let Err(error) = Quantity::parse(&quantity.0).and_then(Quantity::units) {
            report.invalid(format!("{field}.{name}"), error.to_string(), &quantity.0);
        }
    }
}

fn check_mount(field: &str, mount: &VolumeMount, report: &mut Report) {
    for (part, text) in [("name", &mount.name), ("mountPath", &mount.mount_path)] {
        if text.is_empty() {
            report.missing(format!("{field}.{part}"), "it must be given");
        }
    }
}

fn check_claim(field: &str, claim: &PersistentVolumeClaim, report: &mut Report) {
    if text(claim.metadata.name.as_ref()).is_empty() {
        report.missing(format!("{field}.metadata.name"), "it must be given");
    }
    let Some(spec) = &claim.spec else {
        report.missing(format!("{field}.spec"), "it must be given");
        return;
    };
    let modes = &["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
    for (index, mode) in spec.access_modes.iter().flatten().enumerate() {
        report.one_of(&format!("{field}.spec.accessModes[{index}]"), mode, modes);
    }
    let requests = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    quantities(&format!("{field}.spec.resources.requests"), requests, report);
}

fn check_autoscaling(pod: &PodPolicy, autoscaled: bool, report: &mut Report) {
    let field = format!("{POD}.builtinAutoscaler");
    let rules = || pod.builtin_autoscaler.iter().flatten();
    for (index, rule) in rules().enumerate() {
        if !CPU_RULES.contains(&rule.as_str()) && !MEMORY_RULES.contains(&rule.as_str()) {
            let message = format!("it must be one of {}, {}", CPU_RULES.join(", "), MEMORY_RULES.join(", "));
            report.invalid(format!("{field}[{index}]"), message, rule);
        }
    }
    for (what, known) in [("cpu", CPU_RULES), ("memory", MEMORY_RULES)] {
        if rules().filter(|rule| known.contains(&rule.as_str())).count() > 1 {
            report.conflict(
                field.as_str(),
                format!("there can be one rule for {what}"),
                &pod.builtin_autoscaler,
            );
        }
    }
    let Some(vpa) = &pod.vpa else { return };
    let field = format!("{POD}.vpa");
    if autoscaled {
        let message =
            "vertical autoscaling and maxReplicas exclude each other: both would answer the same load";
        report.conflict(field.as_str(), message, vpa);
    }
    if let Some(mode) = vpa.update_policy.as_ref().and_then(|policy| policy.update_mode.as_ref()) {
        let modes = &["Off", "Initial", "Recreate", "Auto"];
        report.one_of(&format!("{field}.updatePolicy.updateMode"), mode, modes);
    }
    let policies = vpa.resource_policy.as_ref().and_then(|policy| policy.container_policies.as_ref());
    for (index, policy) in policies.into_iter().flatten().enumerate() {
        let field = format!("{field}.resourcePolicy.containerPolicies[{index}]");
        if text(policy.container_name.as_ref()).is_empty() {
            report.missing(format!("{field}.containerName"), "it must be given");
        }
        report.one_of(&format!("{field}.mode"), text(policy.mode.as_ref()), &["Auto", "Off"]);
        let values = text(policy.controlled_values.as_ref());
        report.one_of(&format!("{field}.controlledValues"), values, &["RequestsAndLimits", "RequestsOnly"]);
        quantities(&format!("{field}.minAllowed"), policy.min_allowed.as_ref(), report);
        quantities(&format!("{field}.maxAllowed"), policy.max_allowed.as_ref(), report);
    }
}
