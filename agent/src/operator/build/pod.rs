//! The template of the pods.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::command::METRICS_PORT;
use super::container::{self, some};
use super::names::{self, Labels};
use super::volumes::Volumes;
use super::{Prepared, affinity, sidecar};

/// User and group of the runner images.
const USER: i64 = 10_000;
const GROUP: i64 = 10_001;

pub(super) fn template(prepared: &Prepared<'_>) -> PodTemplateSpec {
    let Prepared { owner, pod, backend, pods, .. } = *prepared;
    // The labels that pods are selected by stand above all others: without them nobody would count the pods.
    let mut labels: Labels = pods.labels.clone();
    labels.extend(pod.labels.clone().unwrap_or_default());
    labels.extend(names::labels(owner));
    let mut annotations: Labels =
        [("prometheus.io/scrape", "true".to_owned()), ("prometheus.io/port", METRICS_PORT.to_string())]
            .map(|(key, value)| (key.to_owned(), value))
            .into();
    annotations.extend(pods.annotations.clone());
    annotations.extend(pod.annotations.clone().unwrap_or_default());
    // Pods keep apart by what is theirs, not by what all of a cluster have.
    let affinity = affinity::build(prepared, &labels);
    for (own, below) in [(&mut labels, &backend.pod.labels), (&mut annotations, &backend.pod.annotations)] {
        let mut all = below.clone().unwrap_or_default();
        all.append(own);
        *own = all;
    }

    let Volumes { volumes, mounts } = Volumes::of(prepared);
    let mut containers = pod.sidecars.clone().unwrap_or_default();
    containers.push(container::main(prepared, mounts));
    containers.extend(sidecar::build(prepared));
    let mut init_containers = pod.init_containers.clone().unwrap_or_default();
    init_containers.extend(container::downloader(prepared));
    let mut pull_secrets = pod.image_pull_secrets.clone().unwrap_or_default();
    pull_secrets
        .extend(pods.image_pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() }));
    let pull_secrets = last_of_each(pull_secrets, |secret| &secret.name);
    for container in &mut containers {
        let below = backend.env.iter().map(|(name, value)| container::variable(name, value));
        let own = container.env.take().unwrap_or_default();
        container.env = some(below.chain(own).collect());
    }
    for container in containers.iter_mut().chain(&mut init_containers) {
        container.env = container.env.take().map(|env| last_of_each(env, |variable| &variable.name));
    }
    let account = pod.service_account_name.clone().filter(|name| !name.is_empty());
    // Instances do not call Kubernetes; whoever names an account wants its token.
    let token = (pods.restricted() && account.is_none()).then_some(false);
    let spec = PodSpec {
        automount_service_account_token: token,
        affinity,
        containers,
        image_pull_secrets: some(pull_secrets),
        init_containers: some(init_containers),
        node_selector: pod.node_selector.clone().filter(|selector| !selector.is_empty()),
        security_context: Some(
            pod.security_context
                .clone()
                .unwrap_or_else(|| security(pods.run_as_non_root || pods.restricted())),
        ),
        service_account_name: account,
        termination_grace_period_seconds: pod.termination_grace_period_seconds,
        tolerations: pod.tolerations.clone().and_then(some),
        volumes: some(volumes),
        ..PodSpec::default()
    };
    let metadata =
        ObjectMeta { labels: Some(labels), annotations: Some(annotations), ..ObjectMeta::default() };
    PodTemplateSpec { metadata: Some(metadata), spec: Some(spec) }
}

/// A name that stands twice counts as it stands last, and so does Kubernetes read it; but server-side apply refuses lists with
/// such names.
fn last_of_each<T>(list: Vec<T>, name: impl Fn(&T) -> &str) -> Vec<T> {
    let mut seen = BTreeSet::new();
    let mut kept: Vec<T> = list.into_iter().rev().filter(|one| seen.insert(name(one).to_owned())).collect();
    kept.reverse();
    kept
}

fn security(run_as_non_root: bool) -> PodSecurityContext {
    PodSecurityContext {
        run_as_user: Some(USER),
        run_as_group: Some(GROUP),
        fs_group: Some(GROUP),
        run_as_non_root: Some(run_as_non_root),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}
