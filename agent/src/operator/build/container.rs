//! The container of the instance, and the one before it that fetches its package.

use isthmus_dialects::function_mesh::pod::Liveness;
use isthmus_model::component::Runtime;
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvFromSource, EnvVar, EnvVarSource, HTTPGetAction,
    ObjectFieldSelector, Probe, SecretKeySelector, SecurityContext, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::command::{self, CONTROL_PORT, METRICS_PORT};
use super::connection::Connection;
use super::download::{self, Tools};
use super::{Prepared, image, names, resources, volumes};

/// The instance.
pub(super) fn main(prepared: &Prepared<'_>, mounts: Vec<VolumeMount>) -> Container {
    let spec = &prepared.component.spec;
    let mut env_from: Vec<EnvFromSource> = prepared.messaging().env_from();
    env_from.extend(prepared.package_service().iter().flat_map(Connection::env_from));
    Container {
        name: names::container(prepared.owner.kind),
        image: Some(image::image(prepared)),
        image_pull_policy: image::pull_policy(prepared),
        command: Some(command::command(prepared)),
        ports: Some(vec![port("tcp-grpc", CONTROL_PORT), port("http-metrics", METRICS_PORT)]),
        env: Some(environment(prepared)),
        env_from: some(env_from),
        resources: Some(resources::requirements(&spec.resources)),
        volume_mounts: some(mounts),
        liveness_probe: prepared.pod.liveness.as_ref().and_then(liveness),
        startup_probe: prepared.pod.startup_probe.clone(),
        security_context: Some(unprivileged(prepared, None)),
        ..Container::default()
    }
}

/// The name of its pod, secrets, and what the resource adds; later ones may refer to earlier ones.
fn environment(prepared: &Prepared<'_>) -> Vec<EnvVar> {
    let spec = &prepared.component.spec;
    let mut all = vec![pod_name()];
    all.extend(spec.secrets.iter().map(|(name, secret)| EnvVar {
        name: name.clone(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: secret.path.clone(),
                key: secret.key.clone(),
                optional: None,
            }),
            ..EnvVarSource::default()
        }),
    }));
    all.extend(prepared.pod.env.iter().flatten().cloned());
    if let Some(Runtime::Go { log, .. }) = &spec.runtime {
        let known = ["debug", "trace", "warn", "error", "fatal", "panic"];
        let level = log.as_ref().map(|log| log.level.as_str()).filter(|level| known.contains(level));
        let level = level.unwrap_or("info");
        all.push(variable("LOGGING_LEVEL", level));
    }
    all
}

/// Fetches the package, if a container before the instance does that.
pub(super) fn downloader(prepared: &Prepared<'_>) -> Option<Container> {
    if !prepared.downloads_before() {
        return None;
    }
    let kubernetes = &prepared.component.spec.kubernetes;
    let package = prepared.component.spec.runtime.as_ref()?.package();
    let target = format!("{}/{}", download::DIRECTORY, download::file_name(&package.file));
    let command =
        download::command(package, &target, Tools::BOTH, &prepared.packages(), &prepared.pods.packages_url)?;
    let given = &kubernetes.downloader_image;
    let image = if given.is_empty() { &prepared.pods.images.downloader } else { given };
    Some(Container {
        name: "downloader".to_owned(),
        image: Some(image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(vec!["sh".to_owned(), "-c".to_owned(), command]),
        env: Some(vec![variable("HOME", "/tmp")]),
        env_from: some(prepared.packages().env_from()),
        volume_mounts: some(volumes::downloader(prepared)),
        // The original gives it none, and then no namespace at the restricted level takes the pod.
        security_context: prepared.pods.restricted().then(|| unprivileged(prepared, None)),
        ..Container::default()
    })
}

/// Asks the metrics port whether the instance lives. Without thresholds Kubernetes' own count.
fn liveness(liveness: &Liveness) -> Option<Probe> {
    let Liveness { initial_delay_seconds, period_seconds, success_threshold, failure_threshold } = liveness;
    let period = period_seconds.filter(|seconds| *seconds > 0)?;
    Some(Probe {
        http_get: Some(HTTPGetAction {
            path: Some("/".to_owned()),
            port: IntOrString::Int(METRICS_PORT),
            ..HTTPGetAction::default()
        }),
        initial_delay_seconds: initial_delay_seconds.filter(|seconds| *seconds > 0),
        period_seconds: Some(period),
        timeout_seconds: Some(period),
        success_threshold: success_threshold.filter(|count| *count > 0),
        failure_threshold: failure_threshold.filter(|count| *count > 0),
        ..Probe::default()
    })
}

/// No capability and no way to get one, and where pods are restricted nothing to write but volumes.
pub(super) fn unprivileged(prepared: &Prepared<'_>, run_as_user: Option<i64>) -> SecurityContext {
    SecurityContext {
        read_only_root_filesystem: prepared.pods.restricted().then_some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        allow_privilege_escalation: Some(false),
        run_as_user,
        ..SecurityContext::default()
    }
}

/// The pod's own name.
pub(super) fn pod_name() -> EnvVar {
    EnvVar {
        name: "POD_NAME".to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: "metadata.name".to_owned(),
                api_version: None,
            }),
            ..EnvVarSource::default()
        }),
    }
}

pub(super) fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.to_owned()), value_from: None }
}

fn port(name: &str, port: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: port,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

/// A list that is not empty.
pub(super) fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}
