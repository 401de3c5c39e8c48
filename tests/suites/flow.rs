//! One gateway, its agents and a client: what is deployed is durable, placed, sent, acknowledged, watched and explained. No
//! Pulsar is needed: the agents here acknowledge their share, and say that they cannot run it.

mod changes;
mod watch;
mod batch;
mod manifest;
mod placement;
mod status;

use isthmus_proto::component::v1::{ChangeResponse, Component};

/// The component of an answer.
fn component(answer: &ChangeResponse) -> &Component {
    answer.component.as_ref().expect("an answer carries the component")
}

fn revision(component: &Component) -> u64 {
    component.metadata.as_ref().map_or(0, |metadata| metadata.revision)
}

fn uid(component: &Component) -> &str {
    component.metadata.as_ref().map_or("", |metadata| &metadata.uid)
}

fn name_of(component: &Component) -> &str {
    component.metadata.as_ref().map_or("", |metadata| &metadata.name)
}

/// The clusters that have a share.
fn clusters(component: &Component) -> Vec<&str> {
    let clusters = component.status.as_ref().map(|status| status.clusters.as_slice()).unwrap_or_default();
    clusters.iter().map(|share| share.cluster.as_str()).collect()
}
