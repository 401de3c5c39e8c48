//! Which image the main container has, and when it is pulled.

use isthmus_model::component::{ComponentKind, Runtime};

use super::Prepared;
use super::download::is_pulsar_package;

pub(super) fn image(prepared: &Prepared<'_>) -> String {
    let spec = &prepared.component.spec;
    let images = &prepared.pods.images;
    if !spec.kubernetes.image.is_empty() {
        return spec.kubernetes.image.clone();
    }
    match (prepared.component.kind, &spec.runtime) {
        (ComponentKind::Source | ComponentKind::Sink, Some(runtime)) => {
            // A connector that is not fetched is one that the image has.
            if is_pulsar_package(&runtime.package().location) {
                images.java.clone()
            } else {
                images.connectors.clone()
            }
        }
        (_, Some(Runtime::Java { .. })) => images.java.clone(),
        (_, Some(Runtime::Python { .. })) => images.python.clone(),
        (_, Some(Runtime::Go { .. })) => images.go.clone(),
        // Admission knows the languages; one that is not configured gets the image for files that execute themselves.
        (_, Some(Runtime::Generic { language, .. })) => {
            let generic = images.generic.get(language).or_else(|| images.generic.get("executable"));
            generic.cloned().unwrap_or_default()
        }
        (_, None) => images.connectors.clone(),
    }
}

/// The resource's own policy, else the operator's, else what Kubernetes takes.
pub(super) fn pull_policy(prepared: &Prepared<'_>) -> Option<String> {
    let own = &prepared.component.spec.kubernetes.image_pull_policy;
    [own, &prepared.pods.image_pull_policy].into_iter().find(|policy| !policy.is_empty()).cloned()
}
