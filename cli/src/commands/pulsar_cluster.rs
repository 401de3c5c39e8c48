//! `pulsar-cluster …`.

use isthmus_proto::cluster::v1::{
    ApplyPulsarClusterRequest, DeletePulsarClusterRequest, PulsarCluster as WirePulsar,
};
use serde_json::json;

use super::{Context, get};
use crate::args::{PulsarCluster, Resource};
use crate::client::Bound;
use crate::error::Error;
use crate::output::Output;
use crate::view;

pub(super) async fn run(context: &Context<'_>, args: PulsarCluster) -> Result<Output, Error> {
    let client = context.client().await?;
    match args {
        PulsarCluster::Apply { name, service_url, admin_url, pulsar_name, state_service_url, peers } => {
            let doing = format!("applying Pulsar cluster {name}");
            let said = format!("pulsar-cluster/{name} applied");
            let cluster = WirePulsar {
                name,
                service_url,
                admin_url,
                pulsar_name,
                state_service_url,
                peers,
                log_index: 0,
            };
            let request = ApplyPulsarClusterRequest { pulsar_cluster: Some(cluster) };
            let answer = client.pulsar_clusters(Bound::Unary).apply_pulsar_cluster(request).await;
            let applied = client.answer(doing, answer)?;
            Ok(Output::said(said, view::pulsar_cluster::record(&applied).value))
        }
        PulsarCluster::List => {
            Ok(Output::Listings(vec![get::other(&client, Resource::PulsarClusters, &[], "").await?]))
        }
        PulsarCluster::Delete { name } => {
            let request = DeletePulsarClusterRequest { name: name.clone() };
            let answer = client.pulsar_clusters(Bound::Unary).delete_pulsar_cluster(request).await;
            client.answer(format!("deleting Pulsar cluster {name}"), answer)?;
            Ok(Output::said(format!("pulsar-cluster/{name} deleted"), json!({"name": name, "deleted": true})))
        }
    }
}
