//! The container that carries logs from the instance's files to the log topic.

use k8s_openapi::api::core::v1::Container;
use serde_json::json;

use super::Prepared;
use super::container::{pod_name, some, unprivileged, variable};
use super::log::sidecar;
use super::shell::quoted;
use super::volumes::{FILEBEAT, LOGS, mount};

const CONFIG: &str = "/usr/share/filebeat/config/filebeat.yaml";

/// The user that filebeat's image has.
const USER: i64 = 1_000;

pub(super) fn build(prepared: &Prepared<'_>) -> Option<Container> {
    let spec = &prepared.component.spec;
    if !sidecar(spec) || spec.log_topic.is_empty() {
        return None;
    }
    let messaging = prepared.messaging();
    let mut env = prepared.pod.env.clone().unwrap_or_default();
    env.extend([variable("logTopic", &spec.log_topic), pod_name()]);
    env.extend(messaging.sidecar_variables().into_iter().map(|(name, value)| variable(name, &value)));
    let mut mounts = prepared.volume_mounts.to_vec();
    mounts.push(mount(LOGS, "/pulsar/logs/functions"));
    mounts.extend(messaging.files().into_iter().map(|(_, mount)| mount));
    if prepared.pods.restricted() {
        mounts.extend(FILEBEAT.map(|(name, path)| mount(name, path)));
    }
    let given = &spec.kubernetes.filebeat_image;
    let image = if given.is_empty() { &prepared.pods.images.filebeat } else { given };
    let script =
        format!("echo {} > {CONFIG} && /usr/share/filebeat/filebeat -e -c {CONFIG}", quoted(&config()));
    Some(Container {
        name: "filebeat".to_owned(),
        image: Some(image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(["/bin/sh", "-c", "--", &script].map(str::to_owned).into()),
        env: Some(env),
        env_from: some(messaging.env_from()),
        volume_mounts: Some(mounts),
        security_context: Some(unprivileged(prepared, Some(USER))),
        ..Container::default()
    })
}

/// Filebeat's configuration, in the subset of YAML that is JSON. It takes addresses and credentials from its environment.
fn config() -> String {
    json!({
        "logging.level": "info",
        "filebeat.inputs": [{"type": "log", "enabled": true, "paths": ["/pulsar/logs/functions/*.log"]}],
        "output.pulsar": {
            "fast_fail": true,
            "url": "${brokerServiceURL}",
            "topic": "${logTopic}",
            "name": "${POD_NAME}",
            "token": "${clientAuthenticationParameters:}",
            "oauth2": {
                "enabled": "${oauth2Enabled:false}",
                "issuerUrl": "${oauth2IssuerUrl:}",
                "privateKey": "${oauth2PrivateKey:}",
                "audience": "${oauth2Audience:}",
                "scope": "${oauth2Scope:}",
            },
        },
    })
    .to_string()
}
