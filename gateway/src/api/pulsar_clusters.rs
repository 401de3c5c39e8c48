//! `PulsarClusterService`: the Pulsar clusters that clusters are linked to.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::BoxStream;
use isthmus_model::name::PulsarClusterName;
use isthmus_model::pulsar_cluster::PulsarCluster;
use isthmus_model::reason::{Reason, Violation};
use isthmus_proto::cluster::v1 as wire;
use isthmus_proto::cluster::v1::pulsar_cluster_service_server::PulsarClusterService;
use isthmus_proto::cluster::v1::watch_pulsar_clusters_response::Event;
use isthmus_proto::convert;
use tonic::{Request, Response, Status};

use super::context::Context;
use super::latest::{self, Difference};
use crate::auth::principal;
use crate::status_code;
use crate::store::command::ResourceChange;
use crate::store::{Command, State};

/// `PulsarClusterService` over the store.
#[derive(Debug, Clone)]
pub struct PulsarClusters(pub Context);

#[tonic::async_trait]
impl PulsarClusterService for PulsarClusters {
    async fn list_pulsar_clusters(
        &self,
        _request: Request<wire::ListPulsarClustersRequest>,
    ) -> Result<Response<wire::ListPulsarClustersResponse>, Status> {
        let shown = |state: &State| state.pulsar_clusters().map(|cluster| (&**cluster).into()).collect();
        let pulsar_clusters = self.0.read(shown).await?;
        Ok(Response::new(wire::ListPulsarClustersResponse { pulsar_clusters }))
    }

    async fn get_pulsar_cluster(
        &self,
        request: Request<wire::GetPulsarClusterRequest>,
    ) -> Result<Response<wire::PulsarCluster>, Status> {
        let name = name(&request.into_inner().name)?;
        self.show(&name).await
    }

    type WatchPulsarClustersStream = BoxStream<'static, Result<wire::WatchPulsarClustersResponse, Status>>;

    async fn watch_pulsar_clusters(
        &self,
        _request: Request<wire::WatchPulsarClustersRequest>,
    ) -> Result<Response<Self::WatchPulsarClustersStream>, Status> {
        let all = |state: &State| -> BTreeMap<PulsarClusterName, Arc<PulsarCluster>> {
            state.pulsar_clusters().map(|cluster| (cluster.name.clone(), cluster.clone())).collect()
        };
        let event = |difference: Difference<PulsarClusterName, Arc<PulsarCluster>>| {
            let event = match difference {
                Difference::There(_, cluster) => Event::PulsarCluster((&*cluster).into()),
                Difference::Gone(name) => Event::Deleted(name.into()),
            };
            wire::WatchPulsarClustersResponse { event: Some(event) }
        };
        Ok(Response::new(self.0.endless(latest::watch(self.0.store().clone(), all, event))))
    }

    async fn apply_pulsar_cluster(
        &self,
        request: Request<wire::ApplyPulsarClusterRequest>,
    ) -> Result<Response<wire::PulsarCluster>, Status> {
        let operator = principal(&request)?;
        let missing =
            || status_code::invalid_field("pulsarCluster", Reason::MissingField, "say which is meant", "");
        let written = request.into_inner().pulsar_cluster.ok_or_else(missing)?;
        let wrong = urls(&written);
        let cluster = match PulsarCluster::try_from(written) {
            Ok(cluster) if wrong.is_empty() => cluster,
            Ok(_) => {
                return Err(status_code::invalid("the Pulsar cluster cannot be reached like this", wrong));
            }
            Err(convert::Invalid(named)) => {
                return Err(status_code::unreadable(convert::Invalid(
                    named.into_iter().chain(wrong).collect(),
                )));
            }
        };
        let name = cluster.name.clone();
        self.0.submit(&operator, Command::Resource(ResourceChange::PutPulsarCluster(cluster))).await?;
        self.show(&name).await
    }

    async fn delete_pulsar_cluster(
        &self,
        request: Request<wire::DeletePulsarClusterRequest>,
    ) -> Result<Response<wire::DeletePulsarClusterResponse>, Status> {
        let operator = principal(&request)?;
        let name = name(&request.into_inner().name)?;
        self.0.submit(&operator, Command::Resource(ResourceChange::DeletePulsarCluster(name))).await?;
        Ok(Response::new(wire::DeletePulsarClusterResponse {}))
    }
}

impl PulsarClusters {
    async fn show(&self, name: &PulsarClusterName) -> Result<Response<wire::PulsarCluster>, Status> {
        let found =
            self.0.read(|state| state.pulsar_cluster(name).map(|cluster| (&**cluster).into())).await?;
        let none = || status_code::failed(Reason::NotFound, format!("there is no PulsarCluster {name}"));
        found.map(Response::new).ok_or_else(none)
    }
}

fn name(name: &str) -> Result<PulsarClusterName, Status> {
    name.parse().map_err(|error| status_code::invalid_name("name", &error))
}

/// What is wrong with how a Pulsar cluster is reached.
fn urls(cluster: &wire::PulsarCluster) -> Vec<Violation> {
    let expected: [(&str, &str, &[&str], bool); 3] = [
        ("pulsarCluster.serviceUrl", &cluster.service_url, &["pulsar://", "pulsar+ssl://"], true),
        ("pulsarCluster.adminUrl", &cluster.admin_url, &["http://", "https://"], true),
        ("pulsarCluster.stateServiceUrl", &cluster.state_service_url, &["bk://"], false),
    ];
    expected
        .into_iter()
        .filter_map(|(field, url, schemes, required)| wrong(field, url, schemes, required))
        .collect()
}

/// What is wrong with one URL: it must be of one of the schemes, and name a host.
pub(super) fn wrong(field: &str, url: &str, schemes: &[&str], required: bool) -> Option<Violation> {
    if url.is_empty() {
        return required.then(|| {
            Violation::new(
                field,
                Reason::MissingField,
                format!("it must be given: {} and host:port", schemes.join(" or ")),
            )
        });
    }
    let host = schemes.iter().find_map(|scheme| url.strip_prefix(scheme));
    let good = host.is_some_and(|host| !host.is_empty() && !host.contains(char::is_whitespace));
    (!good).then(|| {
        let rule = format!("it must start with {} and name a host", schemes.join(" or "));
        Violation::new(field, Reason::InvalidField, rule)
            .with_value(&serde_json::Value::from(url).to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_another_scheme_or_without_a_host_is_named() {
        let cluster = wire::PulsarCluster {
            service_url: "http://east:6650".into(),
            admin_url: "http://".into(),
            state_service_url: "bk://east:4181".into(),
            ..wire::PulsarCluster::default()
        };
        let fields: Vec<_> = urls(&cluster).into_iter().map(|violation| violation.field).collect();
        assert_eq!(fields, ["pulsarCluster.serviceUrl", "pulsarCluster.adminUrl"]);
    }
}
