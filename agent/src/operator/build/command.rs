//! The command of the main container: one script for a shell, which fetches the package, writes what the instance reads and
//! becomes the instance.
//!
//! ```text
//! [download &&] shard && { java │ python │ go │ generic }
//! ```
//!
//! The grammar is Function Mesh's, so that its images run here and ours there. Where a value could be read by the shell as
//! something else it is quoted.

use isthmus_model::component::{Component, Object, Runtime};
use serde_json::Value;

use super::Prepared;
use super::connection::Connection;
use super::download::{self, Tools};
use super::shell::{quoted, word};

mod java;
mod python;
mod go;
mod generic;

/// The instance's number is that of its pod.
const SHARD: &str = "SHARD_ID=${POD_NAME##*-} && echo shardId=${SHARD_ID}";

/// Port of the instance's control service.
pub(super) const CONTROL_PORT: i32 = 9093;

/// Port of the instance's metrics.
pub(super) const METRICS_PORT: i32 = 9094;

/// What the main container runs.
pub(super) fn command(prepared: &Prepared<'_>) -> Vec<String> {
    let spec = &prepared.component.spec;
    let download = fetch(prepared);
    let (shell, script) = match &spec.runtime {
        Some(Runtime::Go { package, .. }) => {
            let download =
                download.map(|download| format!("{download} && ls -al && pwd &&")).unwrap_or_default();
            (
                "bash",
                format!("{download}{SHARD} && {}", go::exec(prepared, &download::path(prepared, package))),
            )
        }
        Some(Runtime::Generic { package, language }) => {
            ("sh", script(download, &generic::exec(prepared, &download::path(prepared, package), language)))
        }
        Some(Runtime::Python { package, .. }) => {
            ("bash", script(download, &python::exec(prepared, &download::path(prepared, package))))
        }
        Some(Runtime::Java { package, .. }) => {
            ("bash", script(download, &java::exec(prepared, &download::path(prepared, package))))
        }
        // Admission lets no component of a cluster pass without one.
        None => ("bash", script(download, &java::exec(prepared, ""))),
    };
    vec![shell.to_owned(), "-c".to_owned(), script]
}

fn script(download: Option<String>, exec: &str) -> String {
    let download = download.map(|download| format!("{download} && ")).unwrap_or_default();
    format!("{download}{SHARD} && {exec}")
}

/// The command that fetches the package within the main container.
fn fetch(prepared: &Prepared<'_>) -> Option<String> {
    if prepared.downloads_before() {
        return None;
    }
    let spec = &prepared.component.spec;
    let package = spec.runtime.as_ref()?.package();
    download::command(
        package,
        &download::path(prepared, package),
        Tools::of(spec),
        &prepared.packages(),
        &prepared.pods.packages_url,
    )
}

/// What all instances but those of Go are told alike.
fn shared(prepared: &Prepared<'_>, out: &mut Vec<String>) {
    let Prepared { owner, component, details, .. } = prepared;
    let details = quoted(&Value::Object((*details).clone()).to_string());
    let cluster = word(&component.spec.kubernetes.cluster_name);
    out.push(format!(
        "--instance_id ${{SHARD_ID}} --function_id ${{SHARD_ID}}-{} --function_version 0 --function_details {details} --pulsar_serviceurl $brokerServiceURL --max_buffered_tuples 100 --port {CONTROL_PORT} --metrics_port {METRICS_PORT} --expected_healthcheck_interval 0 --cluster_name {cluster}",
        owner.uid
    ));
    Connection::messaging(owner, &component.spec.pulsar).instance_arguments(out);
}

/// Who gives secrets to the code: the environment, if there are any.
fn secrets(component: &Component, provider: &str, out: &mut Vec<String>) {
    if !component.spec.secrets.is_empty() {
        out.push(format!("--secrets_provider {provider}"));
    }
}

/// The state store's address.
fn state_url(component: &Component, out: &mut Vec<String>) {
    if let Some(state) = component.spec.state.as_ref().filter(|state| !state.service_url.is_empty()) {
        out.push(format!("--state_storage_serviceurl {}", word(&state.service_url)));
    }
}

/// A text member of the details.
fn member<'d>(details: &'d Object, name: &str) -> &'d str {
    details.get(name).and_then(Value::as_str).unwrap_or("")
}
