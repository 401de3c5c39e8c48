//! The headless Service that gives pods their names.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::super::owner::Owner;
use super::command::{CONTROL_PORT, METRICS_PORT};
use super::names;

pub(super) fn build(owner: &Owner) -> Service {
    let port = |name: &str, port: i32| ServicePort {
        name: Some(name.to_owned()),
        port,
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::Int(port)),
        ..ServicePort::default()
    };
    Service {
        metadata: names::metadata(owner, names::service(owner)),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            ports: Some(vec![port("tcp-grpc", CONTROL_PORT), port("http-metrics", METRICS_PORT)]),
            selector: Some(names::labels(owner)),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}
