//! The pod policy: what only Kubernetes understands, in Kubernetes' own types.

use std::collections::BTreeMap;

use isthmus_model::component::Object;
use isthmus_model::reason::{Reason, Violation};
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscalerBehavior, MetricSpec};
use k8s_openapi::api::core::v1::{
    Affinity, Container, EnvVar, LocalObjectReference, PodSecurityContext, Probe, Toleration, Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::shape::{Shaped, shape};

macro_rules! policy {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
            #[serde(rename_all = "camelCase", default)]
            pub struct $name {
                $($(#[$field_doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
            }
        )*
    };
}

policy! {
    /// `spec.pod` of a custom resource.
    PodPolicy {
        /// Labels of the pods.
        labels: BTreeMap<String, String>,
        /// Annotations of the pods.
        annotations: BTreeMap<String, String>,
        /// Labels that a node must have.
        node_selector: BTreeMap<String, String>,
        /// Affinity.
        affinity: Affinity,
        /// Leave out the usual anti-affinity between instances.
        disable_default_affinity: bool,
        /// Taints of nodes that are tolerated.
        tolerations: Vec<Toleration>,
        /// Security context in place of the usual one.
        security_context: PodSecurityContext,
        /// Seconds to stop in.
        termination_grace_period_seconds: i64,
        /// Volumes.
        volumes: Vec<Volume>,
        /// Secrets to pull images with.
        image_pull_secrets: Vec<LocalObjectReference>,
        /// Containers that run before.
        init_containers: Vec<Container>,
        /// Containers that run beside.
        sidecars: Vec<Container>,
        /// Service account.
        service_account_name: String,
        /// Environment.
        env: Vec<EnvVar>,
        /// Names of Function Mesh's own autoscaling rules.
        builtin_autoscaler: Vec<String>,
        /// Metrics to scale by.
        auto_scaling_metrics: Vec<MetricSpec>,
        /// How fast to scale.
        auto_scaling_behavior: HorizontalPodAutoscalerBehavior,
        /// Vertical autoscaling.
        vpa: VerticalAutoscaling,
        /// Liveness probe.
        liveness: Liveness,
        /// Startup probe.
        startup_probe: Probe,
    }

    /// `autoscaling.k8s.io/v1`, as far as a pod policy has it.
    VerticalAutoscaling {
        /// When it is applied.
        update_policy: VerticalUpdatePolicy,
        /// Its bounds.
        resource_policy: VerticalResourcePolicy,
    }

    /// When a vertical autoscaler's advice is applied.
    VerticalUpdatePolicy {
        /// `Off`, `Initial`, `Recreate` or `Auto`.
        update_mode: String,
        /// Fewest instances that must live for an eviction.
        min_replicas: i32,
    }

    /// Bounds of a vertical autoscaler.
    VerticalResourcePolicy {
        /// For each container.
        container_policies: Vec<VerticalContainerPolicy>,
    }

    /// Bounds for one container.
    VerticalContainerPolicy {
        /// Its name, or `*`.
        container_name: String,
        /// `Auto` or `Off`.
        mode: String,
        /// Least.
        min_allowed: BTreeMap<String, Quantity>,
        /// Most.
        max_allowed: BTreeMap<String, Quantity>,
        /// `cpu`, `memory`.
        controlled_resources: Vec<String>,
        /// `RequestsAndLimits` or `RequestsOnly`.
        controlled_values: String,
    }

    /// Liveness probe on the metrics port.
    Liveness {
        /// Seconds before the first.
        initial_delay_seconds: i32,
        /// Seconds between two.
        period_seconds: i32,
        /// Successes to count as alive.
        success_threshold: i32,
        /// Failures to count as dead.
        failure_threshold: i32,
    }
}

/// A pod policy as JSON to its types, or everything that does not fit: wrong types, and fields that are not known.
/// `base` is the path at which it stands.
pub fn read(pod: &Object, base: &str) -> Result<PodPolicy, Vec<Violation>> {
    typed(Value::Object(pod.clone()), base)
}

/// A value to the Kubernetes type that it should be, or everything that does not fit.
pub fn typed<T>(value: Value, base: &str) -> Result<T, Vec<Violation>>
where
    T: serde::de::DeserializeOwned + Serialize + Default,
{
    let Shaped { value, mut violations, unknown, .. } = shape::<T>(value, base);
    violations.extend(unknown.into_iter().map(|field| {
        Violation::new(
            field,
            Reason::UnknownField,
            "Kubernetes does not know this field; check its spelling and its place",
        )
    }));
    if violations.is_empty() { Ok(value) } else { Err(violations) }
}
