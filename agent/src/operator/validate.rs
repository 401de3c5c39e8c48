//! From a custom resource as it stands to what is built from, or everything that is wrong with it.
//!
//! The rules are those of the gateway: a resource that a person wrote is held to them, too, on every change. A resource that
//! is not valid keeps the children that it has.

use isthmus_admission::{Offline, admit_written};
use isthmus_dialects::function_mesh::pod::{self, PodPolicy};
use isthmus_dialects::{Options, UnknownFields, read_resource};
use isthmus_model::component::{Component, Object, Runtime};
use isthmus_model::reason::{Reason, Violation};
use k8s_openapi::api::apps::v1::StatefulSetPersistentVolumeClaimRetentionPolicy;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, VolumeMount};
use serde_json::Value;

use super::backend::Backend;
use super::config::Pods;
use super::owner::Owner;

/// A resource that can be built; the only input from here on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Validated {
    pub(crate) owner: Owner,
    pub(crate) component: Component,
    pub(crate) pod: PodPolicy,
    pub(crate) volume_mounts: Vec<VolumeMount>,
    pub(crate) volume_claims: Vec<PersistentVolumeClaim>,
    pub(crate) volume_claim_retention: Option<StatefulSetPersistentVolumeClaimRetentionPolicy>,
    /// What the cluster adds to the pods.
    pub(crate) backend: Backend,
}

impl Validated {
    /// With what the cluster's BackendConfigs add.
    #[must_use]
    pub(crate) fn with(mut self, backend: Backend, pods: &Pods) -> Self {
        backend.under(&mut self.pod, pods.default_affinity);
        Self { backend, ..self }
    }
}

/// What is wrong with a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", sentence(violations))]
pub(crate) struct Error {
    /// At least one.
    pub(crate) violations: Vec<Violation>,
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self { violations: vec![violation] }
    }
}

/// A resource that exists: `resource` is the whole of it. Fields that are not known are left out, as the API server does.
pub(crate) fn validate(owner: Owner, mut resource: Value, pods: &Pods) -> Result<Validated, Error> {
    let stopped = scaled_to_nothing(&mut resource);
    let mut validated = validate_new(owner, resource, pods)?;
    if stopped {
        validated.component.spec.replicas = 0;
    }
    Ok(validated)
}

/// A resource that is about to be created.
pub(crate) fn validate_new(owner: Owner, resource: Value, pods: &Pods) -> Result<Validated, Error> {
    let options = Options { unknown_fields: UnknownFields::Ignore, ..Options::default() };
    let problem = |violations| Error { violations };
    let written = read_resource(resource, &options).map_err(problem)?;
    let component = admit_written(written, &Offline).map_err(|rejection| problem(rejection.violations))?;
    if let Some(violation) = out_of_reach(&component, pods) {
        return Err(violation.into());
    }
    let kubernetes = &component.spec.kubernetes;
    // Admission has read all of these, so that none of them fails here.
    let pod = pod::read(&kubernetes.pod, "spec.pod").map_err(problem)?;
    let volume_mounts = typed(&kubernetes.volume_mounts, "spec.volumeMounts").map_err(problem)?;
    let volume_claims =
        typed(&kubernetes.volume_claim_templates, "spec.volumeClaimTemplates").map_err(problem)?;
    let retention = kubernetes.volume_claim_retention_policy.as_ref();
    let volume_claim_retention = retention
        .map(|policy| pod::typed(policy.clone(), "spec.persistentVolumeClaimRetentionPolicy"))
        .transpose()
        .map_err(problem)?;
    let backend = Backend::default();
    Ok(Validated { owner, component, pod, volume_mounts, volume_claims, volume_claim_retention, backend })
}

/// A package that is named by its digest, where pods are not told who has it.
fn out_of_reach(component: &Component, pods: &Pods) -> Option<Violation> {
    let runtime = component.spec.runtime.as_ref()?;
    runtime.package().requested_digest().filter(|_| pods.packages_url.is_empty())?;
    let field = match runtime {
        Runtime::Java { .. } => "spec.java.jarLocation",
        Runtime::Python { .. } => "spec.python.pyLocation",
        Runtime::Go { .. } => "spec.golang.goLocation",
        Runtime::Generic { .. } => "spec.genericRuntime.functionFileLocation",
    };
    let message =
        "this agent gives no packages to pods; set packages.listen and target.kubernetes.pods.packages_url";
    Some(Violation::new(field, Reason::PackageMissing, message).with_value(&runtime.package().location))
}

fn typed<T>(values: &[Value], at: &str) -> Result<Vec<T>, Vec<Violation>>
where
    T: serde::de::DeserializeOwned + serde::Serialize + Default,
{
    values
        .iter()
        .enumerate()
        .map(|(index, value)| pod::typed(value.clone(), &format!("{at}[{index}]")))
        .collect()
}

fn scaled_to_nothing(resource: &mut Value) -> bool {
    resource.get_mut("spec").and_then(Value::as_object_mut).is_some_and(as_few_as_it_may)
}

/// Nothing is created with no instances, but anything may be scaled to none afterwards: the rest is then held to the rules as
/// if it had as few as it may. Whether it is so.
pub(super) fn as_few_as_it_may(spec: &mut Object) -> bool {
    let stopped = spec.get("replicas").and_then(Value::as_u64) == Some(0);
    if stopped {
        let least = spec.get("minReplicas").and_then(Value::as_u64).unwrap_or(1).max(1);
        spec.insert("replicas".to_owned(), least.into());
    }
    stopped
}

/// All of them in one line.
pub(super) fn sentence(violations: &[Violation]) -> String {
    let each = |violation: &Violation| match violation.field.as_str() {
        "" => violation.message.clone(),
        field => format!("{field}: {}", violation.message),
    };
    violations.iter().map(each).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
