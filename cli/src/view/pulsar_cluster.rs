//! Pulsar clusters.

use isthmus_proto::cluster::v1::PulsarCluster;
use serde_json::{Value, json};

use super::{lean, or_dash};
use crate::output::{Column, Listing, Record};

pub(crate) const COLUMNS: &[Column] = &[
    Column::text("NAME"),
    Column::text("SERVICE URL"),
    Column::text("ADMIN URL"),
    Column::text("PEERS"),
    Column::wide("PULSAR NAME"),
    Column::wide("STATE STORE"),
];

/// All of them.
pub(crate) fn listing(clusters: &[PulsarCluster], single: bool) -> Listing {
    Listing { columns: COLUMNS, records: clusters.iter().map(record).collect(), single }
}

/// One line.
pub(crate) fn record(cluster: &PulsarCluster) -> Record {
    let PulsarCluster { name, service_url, admin_url, pulsar_name, state_service_url, peers, log_index: _ } =
        cluster;
    let cells = vec![
        name.clone(),
        service_url.clone(),
        admin_url.clone(),
        or_dash(&peers.join(",")),
        if pulsar_name.is_empty() { name.clone() } else { pulsar_name.clone() },
        or_dash(state_service_url),
    ];
    Record { name: format!("pulsar-cluster/{name}"), cells, value: value(cluster) }
}

fn value(cluster: &PulsarCluster) -> Value {
    let PulsarCluster { name, service_url, admin_url, pulsar_name, state_service_url, peers, log_index: _ } =
        cluster;
    json!({
        "apiVersion": isthmus_dialects::native::API_VERSION,
        "kind": "PulsarCluster",
        "metadata": {"name": name},
        "spec": lean(json!({
            "serviceUrl": service_url,
            "adminUrl": admin_url,
            "pulsarName": pulsar_name,
            "stateServiceUrl": state_service_url,
            "peers": peers,
        })),
    })
}
