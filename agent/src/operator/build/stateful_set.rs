//! The StatefulSet: an instance's number is its pod's.

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetUpdateStrategy,
};

use super::container::some;
use super::resources::replicas;
use super::{Prepared, names, pod};

pub(super) fn build(
    prepared: &Prepared<'_>,
    retention: Option<&StatefulSetPersistentVolumeClaimRetentionPolicy>,
) -> StatefulSet {
    let owner = prepared.owner;
    StatefulSet {
        metadata: names::metadata(owner, names::base(owner)),
        spec: Some(StatefulSetSpec {
            replicas: Some(replicas(prepared.component.spec.replicas)),
            selector: names::selector(names::labels(owner)),
            service_name: Some(names::service(owner)),
            template: pod::template(prepared),
            // Instances do not wait for one another.
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: None,
            }),
            volume_claim_templates: some(prepared.volume_claims.to_vec()),
            persistent_volume_claim_retention_policy: retention.cloned(),
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}
