//! Where pods would rather be.

use k8s_openapi::api::core::v1::{Affinity, PodAffinityTerm, WeightedPodAffinityTerm};

use super::Prepared;
use super::names::{Labels, selector};

/// The resource's own affinity, and instances of one component apart from one another where that can be.
pub(super) fn build(prepared: &Prepared<'_>, labels: &Labels) -> Option<Affinity> {
    let own = prepared.pod.affinity.clone();
    if !prepared.pods.default_affinity || prepared.pod.disable_default_affinity == Some(true) {
        return own;
    }
    let mut affinity = own.unwrap_or_default();
    let apart = WeightedPodAffinityTerm {
        weight: 100,
        pod_affinity_term: PodAffinityTerm {
            label_selector: Some(selector(labels.clone())),
            topology_key: "kubernetes.io/hostname".to_owned(),
            ..PodAffinityTerm::default()
        },
    };
    affinity
        .pod_anti_affinity
        .get_or_insert_default()
        .preferred_during_scheduling_ignored_during_execution
        .get_or_insert_default()
        .push(apart);
    Some(affinity)
}
