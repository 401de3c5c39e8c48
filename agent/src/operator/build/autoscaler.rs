//! The HorizontalPodAutoscaler, which scales the custom resource itself, so that who reads that sees the truth.

use isthmus_dialects::function_mesh::API_VERSION;
use isthmus_model::resources::Resources;
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};

use super::resources::replicas;
use super::{Prepared, names};

/// What Kubernetes and Function Mesh take where nothing is said.
const USUAL_PERCENT: u64 = 80;

pub(super) fn build(prepared: &Prepared<'_>) -> Option<HorizontalPodAutoscaler> {
    let (owner, pod, spec) = (prepared.owner, prepared.pod, &prepared.component.spec);
    let max = spec.max_replicas?;
    let min = spec.min_replicas.unwrap_or(1);
    let builtin = builtin(pod.builtin_autoscaler.as_deref().unwrap_or_default(), &spec.resources);
    let (metrics, behavior) = if !builtin.is_empty() && max > min {
        (builtin, None)
    } else {
        (pod.auto_scaling_metrics.clone().unwrap_or_default(), pod.auto_scaling_behavior.clone())
    };
    let metrics = match (metrics.is_empty(), &behavior) {
        (false, _) => metrics,
        (true, None) if max > min => vec![metric("cpu", USUAL_PERCENT, &spec.resources)],
        // What the API server would write by itself, said so that it does not come as a change.
        (true, _) => vec![metric("cpu", USUAL_PERCENT, &Resources::default())],
    };
    Some(HorizontalPodAutoscaler {
        metadata: names::metadata(owner, names::base(owner)),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some(API_VERSION.to_owned()),
                kind: owner.kind.as_str().to_owned(),
                name: owner.name.clone(),
            },
            min_replicas: Some(replicas(min)),
            max_replicas: replicas(max),
            metrics: Some(metrics),
            behavior,
        }),
        status: None,
    })
}

/// Function Mesh's rules by name; of each resource the first counts.
fn builtin(rules: &[String], resources: &Resources) -> Vec<MetricSpec> {
    let mut metrics: Vec<(&str, MetricSpec)> = Vec::new();
    for rule in rules {
        let named = [("cpu", "AverageUtilizationCPUPercent"), ("memory", "AverageUtilizationMemoryPercent")]
            .into_iter()
            .find_map(|(resource, name)| Some((resource, rule.strip_prefix(name)?.parse().ok()?)));
        if let Some((resource, percent)) = named
            && !metrics.iter().any(|(known, _)| *known == resource)
        {
            metrics.push((resource, metric(resource, percent, resources)));
        }
    }
    metrics.into_iter().map(|(_, metric)| metric).collect()
}

/// A percentage of what an instance may use at most, which the API server takes as one of what it asks for.
fn metric(resource: &str, percent: u64, resources: &Resources) -> MetricSpec {
    let amount = |amounts: &isthmus_model::resources::Amounts| {
        if resource == "cpu" { amounts.cpu_millis } else { amounts.memory_bytes }
    };
    let percent = match (amount(&resources.requests), amount(&resources.limits)) {
        (Some(request), Some(limit)) if request > 0 && limit > 0 => {
            u128::from(percent) * u128::from(limit) / u128::from(request)
        }
        _ => u128::from(percent),
    };
    MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource {
            name: resource.to_owned(),
            target: MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: Some(i32::try_from(percent).unwrap_or(i32::MAX)),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    }
}
