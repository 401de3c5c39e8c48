//! From an admitted component to the objects that Kubernetes shall have of it; pure.
//!
//! ```text
//! Validated ▶ { credentials ▶ service ▶ stateful set (pod: volumes, containers, command) ▶ autoscalers } ▶ Children
//! ```
//!
//! Names, labels, ports and the command's grammar are Function Mesh's (selectors cannot change afterwards, and images of both
//! must run with both). What it does wrong is not copied: docs/function-mesh.md has the list.

use isthmus_dialects::function_details;
use isthmus_dialects::function_mesh::pod::PodPolicy;
use isthmus_model::component::{Component, Object, Runtime};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, VolumeMount};
use serde::Serialize;
use serde_json::Value;

use super::backend::Backend;
use super::child::{Child, ChildKind};
use super::config::Pods;
use super::owner::Owner;
use super::validate::Validated;

pub(crate) mod names;
mod shell;
pub(crate) mod resources;
mod connection;
mod download;
mod log;
mod command;
mod image;
mod volumes;
mod container;
mod sidecar;
mod affinity;
mod pod;
mod credentials;
mod service;
mod stateful_set;
mod autoscaler;
mod vertical_autoscaler;

use connection::Connection;

/// The children in the order in which they are applied: what pods refer to first, then the pods, then what scales them.
pub(crate) fn build(validated: &Validated, pods: &Pods) -> Vec<Child> {
    let Validated { owner, component, pod, volume_mounts, volume_claims, volume_claim_retention, backend } =
        validated;
    let details = function_details(component, component.spec.replicas);
    let prepared =
        Prepared { owner, component, details: &details, pod, volume_mounts, volume_claims, backend, pods };
    let mut children: Vec<Child> = credentials::build(&prepared);
    children.push(child(ChildKind::Service, &service::build(owner)));
    let stateful_set = stateful_set::build(&prepared, volume_claim_retention.as_ref());
    children.push(child(ChildKind::StatefulSet, &stateful_set));
    children.extend(
        autoscaler::build(&prepared).map(|scaler| child(ChildKind::HorizontalPodAutoscaler, &scaler)),
    );
    children.extend(vertical_autoscaler::build(&prepared));
    children
}

/// What the builders read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prepared<'a> {
    owner: &'a Owner,
    component: &'a Component,
    /// What the instances are started with.
    details: &'a Object,
    pod: &'a PodPolicy,
    volume_mounts: &'a [VolumeMount],
    volume_claims: &'a [PersistentVolumeClaim],
    backend: &'a Backend,
    pods: &'a Pods,
}

impl<'a> Prepared<'a> {
    /// To the Pulsar that carries the messages.
    fn messaging(&self) -> Connection<'a> {
        Connection::messaging(self.owner, &self.component.spec.pulsar)
    }

    /// To the Pulsar that the package comes from.
    fn packages(&self) -> Connection<'a> {
        self.package_service().unwrap_or_else(|| self.messaging())
    }

    /// To the Pulsar that has packages only, if there is one.
    fn package_service(&self) -> Option<Connection<'a>> {
        let access = self.component.spec.package_service.as_ref()?;
        Some(Connection::packages(self.owner, access))
    }

    /// Whether a container before the instance fetches the package.
    fn downloads_before(&self) -> bool {
        let fetched = |runtime: &Runtime| {
            !matches!(runtime, Runtime::Generic { .. }) && !runtime.package().location.is_empty()
        };
        self.pods.init_containers && self.component.spec.runtime.as_ref().is_some_and(fetched)
    }
}

/// Types of Kubernetes are JSON without fail.
fn child(kind: ChildKind, object: &impl Serialize) -> Child {
    let body = match serde_json::to_value(object) {
        Ok(Value::Object(body)) => body,
        _ => Object::new(),
    };
    Child::new(kind, body)
}

#[cfg(test)]
mod tests;
