//! `ClusterService`: the places to run.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use isthmus_model::cluster::{Cluster, Health};
use isthmus_model::name::{ClusterName, Digest, PrincipalName};
use isthmus_model::order::{LogIndex, SetGeneration, UnixMillis};
use isthmus_model::reason::Reason;
use isthmus_model::resources::Capacity;
use isthmus_proto::cluster::v1 as wire;
use isthmus_proto::cluster::v1::cluster_service_server::ClusterService;
use isthmus_proto::cluster::v1::watch_clusters_response::Event;
use isthmus_proto::convert::{self, time};
use tonic::{Request, Response, Status};

use super::context::Context;
use super::labels::LabelSelector;
use super::latest::{self, Difference};
use super::pulsar_clusters;
use crate::auth::principal;
use crate::cluster::join::{DEFAULT_TOKEN_LIFE, Desk, TOKEN_LIFE};
use crate::status_code;
use crate::store::command::{ClusterChange, ResourceChange};
use crate::store::state::ClusterView;
use crate::store::{Command, State};
use crate::sync::registry::{Order, Registry};
use crate::sync::session::Held;

/// What only the sessions know.
pub trait Sessions: Clone + Send + Sync + 'static {
    /// What is known of a cluster beside the store; `None` when it has not been heard of since the gateway started.
    fn live(&self, cluster: &ClusterName) -> Option<Live>;

    /// Tells a cluster's session that an operator has confirmed held removals.
    fn confirm(&self, cluster: &ClusterName, digest: Digest);

    /// Ends a cluster's session, because its certificate is good no more.
    fn close(&self, cluster: &ClusterName);

    /// A cluster does not belong to the federation any more.
    fn forget(&self, cluster: &ClusterName);
}

/// What a cluster's sessions told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    /// When it was last heard of.
    pub last_seen: UnixMillis,
    /// The set that it has acknowledged last.
    pub acknowledged: Option<SetGeneration>,
    /// Removals that it holds back.
    pub held: Option<Held>,
}

impl Sessions for Arc<Registry> {
    fn live(&self, cluster: &ClusterName) -> Option<Live> {
        let past = self.past(cluster);
        let acknowledged = past.and_then(|past| past.acknowledged);
        if let Some(link) = self.get(cluster) {
            let acknowledged = link.acknowledged().or(acknowledged);
            return Some(Live { last_seen: link.last_heard(), acknowledged, held: link.held() });
        }
        past.map(|past| Live { last_seen: past.last_heard, acknowledged, held: None })
    }

    fn confirm(&self, cluster: &ClusterName, digest: Digest) {
        if let Some(link) = self.get(cluster) {
            // A session that cannot take the order now reads the confirmation from the store when it begins anew.
            let _taken = link.order(Order::Confirm(digest));
        }
    }

    fn close(&self, cluster: &ClusterName) {
        self.end(cluster);
    }

    fn forget(&self, cluster: &ClusterName) {
        Registry::forget(self, cluster);
    }
}

/// `ClusterService` over the store, the sessions and the desk at which agents join.
#[derive(Debug, Clone)]
pub struct Clusters<S> {
    /// The store.
    pub context: Context,
    /// The sessions.
    pub sessions: S,
    /// Where tokens are made.
    pub desk: Desk,
}

/// What is read of a cluster under the store's lock: cheap to copy, and to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    cluster: Arc<Cluster>,
    health: Health,
    health_since: UnixMillis,
    reserved: Capacity,
    assignments: usize,
    set_generation: SetGeneration,
}

impl Seen {
    fn new(state: &State, view: ClusterView<'_>) -> Self {
        let cluster = view.cluster().clone();
        Self {
            health: view.health(),
            health_since: view.health_since(),
            reserved: view.site().reserved(),
            assignments: state.desired(&cluster.name).map_or(0, |desired| desired.len()),
            set_generation: view.set_generation(),
            cluster,
        }
    }

    fn shown(&self, live: Option<Live>) -> wire::Cluster {
        let held = live.and_then(|live| live.held);
        wire::Cluster {
            reserved: Some(self.reserved.into()),
            health: wire::Health::from(self.health).into(),
            last_seen_time: live.map(|live| time::timestamp(live.last_seen)),
            assignments: u32::try_from(self.assignments).unwrap_or(u32::MAX),
            set_generation: self.set_generation.0,
            acknowledged_set_generation: live.and_then(|live| live.acknowledged).map(|set| set.0),
            health_time: Some(time::timestamp(self.health_since)),
            held_removals: held.map_or(0, |held| held.count),
            held_digest: held.map(|held| held.digest.0.to_vec()).unwrap_or_default(),
            ..wire::Cluster::from(&*self.cluster)
        }
    }
}

#[tonic::async_trait]
impl<S: Sessions> ClusterService for Clusters<S> {
    async fn list_clusters(
        &self,
        request: Request<wire::ListClustersRequest>,
    ) -> Result<Response<wire::ListClustersResponse>, Status> {
        let selector = LabelSelector::parse(&request.into_inner().label_selector)?;
        let (seen, index): (Vec<Seen>, LogIndex) = self
            .context
            .read(|state| {
                let chosen = state.clusters().filter(|view| selector.matches(&view.cluster().labels));
                (chosen.map(|view| Seen::new(state, view)).collect(), state.applied())
            })
            .await?;
        let clusters = seen.iter().map(|seen| self.shown(seen)).collect();
        Ok(Response::new(wire::ListClustersResponse { clusters, log_index: index.0 }))
    }

    async fn get_cluster(
        &self,
        request: Request<wire::GetClusterRequest>,
    ) -> Result<Response<wire::Cluster>, Status> {
        let name = name(&request.into_inner().name)?;
        self.show(&name).await
    }

    type WatchClustersStream = BoxStream<'static, Result<wire::WatchClustersResponse, Status>>;

    async fn watch_clusters(
        &self,
        request: Request<wire::WatchClustersRequest>,
    ) -> Result<Response<Self::WatchClustersStream>, Status> {
        let selector = LabelSelector::parse(&request.into_inner().label_selector)?;
        let sessions = self.sessions.clone();
        let all = move |state: &State| -> BTreeMap<ClusterName, Seen> {
            let chosen = state.clusters().filter(|view| selector.matches(&view.cluster().labels));
            let seen = |view: ClusterView<'_>| (view.cluster().name.clone(), Seen::new(state, view));
            chosen.map(seen).collect()
        };
        let event = move |difference: Difference<ClusterName, Seen>| match difference {
            Difference::There(name, seen) => Event::Cluster(seen.shown(sessions.live(&name))),
            Difference::Gone(name) => Event::Deleted(name.into()),
        };
        let response = |event| wire::WatchClustersResponse { event: Some(event) };
        let events = latest::watch(self.context.store().clone(), all, event);
        Ok(Response::new(self.context.endless(events.map(move |event| event.map(response)))))
    }

    async fn create_join_token(
        &self,
        request: Request<wire::CreateJoinTokenRequest>,
    ) -> Result<Response<wire::CreateJoinTokenResponse>, Status> {
        let operator = principal(&request)?;
        let wire::CreateJoinTokenRequest { cluster, labels, ttl } = request.into_inner();
        let cluster = named("cluster", &cluster)?;
        let labels = convert::labels(&labels).map_err(status_code::unreadable)?;
        let life = ttl.map_or(Ok(DEFAULT_TOKEN_LIFE), life)?;
        let (token, expires_at) =
            self.desk.create_token(operator, cluster, labels, life).await.map_err(status_code::not_joined)?;
        let expire_time = Some(time::timestamp(expires_at));
        Ok(Response::new(wire::CreateJoinTokenResponse { token, expire_time }))
    }

    async fn link_cluster(
        &self,
        request: Request<wire::LinkClusterRequest>,
    ) -> Result<Response<wire::Cluster>, Status> {
        let operator = principal(&request)?;
        let wire::LinkClusterRequest { cluster, link, default } = request.into_inner();
        let cluster = named("cluster", &cluster)?;
        let missing = || {
            status_code::invalid_field("link", Reason::MissingField, "say which PulsarCluster is meant", "")
        };
        let (pulsar, link) =
            convert::cluster::link(link.ok_or_else(missing)?).map_err(status_code::unreadable)?;
        let wrong: Vec<_> = [
            ("link.serviceUrl", &link.service_url, ["pulsar://", "pulsar+ssl://"]),
            ("link.adminUrl", &link.admin_url, ["http://", "https://"]),
        ]
        .into_iter()
        .filter_map(|(field, url, schemes)| pulsar_clusters::wrong(field, url.as_deref()?, &schemes, true))
        .collect();
        if !wrong.is_empty() {
            return Err(status_code::invalid("the link cannot be used like this", wrong));
        }
        self.change(&operator, &cluster, ClusterChange::Link { pulsar, link, default }).await
    }

    async fn unlink_cluster(
        &self,
        request: Request<wire::UnlinkClusterRequest>,
    ) -> Result<Response<wire::Cluster>, Status> {
        let operator = principal(&request)?;
        let wire::UnlinkClusterRequest { cluster, pulsar_cluster } = request.into_inner();
        let cluster = named("cluster", &cluster)?;
        let pulsar =
            pulsar_cluster.parse().map_err(|error| status_code::invalid_name("pulsarCluster", &error))?;
        self.change(&operator, &cluster, ClusterChange::Unlink { pulsar }).await
    }

    async fn cordon_cluster(
        &self,
        request: Request<wire::CordonClusterRequest>,
    ) -> Result<Response<wire::Cluster>, Status> {
        let operator = principal(&request)?;
        let wire::CordonClusterRequest { cluster, cordoned } = request.into_inner();
        let cluster = named("cluster", &cluster)?;
        let change = if cordoned { ClusterChange::Cordon } else { ClusterChange::Uncordon };
        self.change(&operator, &cluster, change).await
    }

    async fn update_cluster(
        &self,
        request: Request<wire::UpdateClusterRequest>,
    ) -> Result<Response<wire::Cluster>, Status> {
        let operator = principal(&request)?;
        let wire::UpdateClusterRequest { cluster, labels, taints } = request.into_inner();
        let cluster = named("cluster", &cluster)?;
        let labels = convert::labels(&labels).map_err(status_code::unreadable)?;
        let taints = convert::cluster::taints(taints).map_err(status_code::unreadable)?;
        // One command: nobody ever sees the new labels with the old taints.
        self.change(&operator, &cluster, ClusterChange::Update { labels, taints }).await
    }

    async fn confirm_removals(
        &self,
        request: Request<wire::ConfirmRemovalsRequest>,
    ) -> Result<Response<wire::Cluster>, Status> {
        let operator = principal(&request)?;
        let wire::ConfirmRemovalsRequest { cluster, digest } = request.into_inner();
        let cluster = named("cluster", &cluster)?;
        let held = self.sessions.live(&cluster).and_then(|live| live.held);
        let Some(held) = held.filter(|held| held.digest.0.as_slice() == digest) else {
            return Err(status_code::failed(
                Reason::NotFound,
                format!(
                    "cluster {cluster} holds no removals with this digest; look at it again and confirm what it shows"
                ),
            ));
        };
        let change = ClusterChange::ConfirmDeletions { digest: held.digest };
        let shown = self.change(&operator, &cluster, change).await?;
        self.sessions.confirm(&cluster, held.digest);
        Ok(shown)
    }

    async fn revoke_cluster(
        &self,
        request: Request<wire::RevokeClusterRequest>,
    ) -> Result<Response<wire::Cluster>, Status> {
        let operator = principal(&request)?;
        let cluster = named("cluster", &request.into_inner().cluster)?;
        let serials = |state: &State| {
            let identity = state.cluster(&cluster)?.identity();
            Some(identity.serials().map(str::to_owned).collect::<Vec<_>>())
        };
        for serial in self.context.read(serials).await?.ok_or_else(|| unknown(&cluster))? {
            let change = ResourceChange::RevokeCertificate { serial };
            self.context.submit(&operator, Command::Resource(change)).await?;
        }
        self.sessions.close(&cluster);
        self.show(&cluster).await
    }

    async fn forget_cluster(
        &self,
        request: Request<wire::ForgetClusterRequest>,
    ) -> Result<Response<wire::ForgetClusterResponse>, Status> {
        let operator = principal(&request)?;
        let cluster = named("cluster", &request.into_inner().cluster)?;
        let count = |state: &State| state.desired(&cluster).map(|desired| desired.len());
        let assignments = self.context.read(count).await?.ok_or_else(|| unknown(&cluster))?;
        let command = Command::Cluster { name: cluster.clone(), change: ClusterChange::Forget };
        self.context.submit(&operator, command).await?;
        self.sessions.forget(&cluster);
        let assignments = u32::try_from(assignments).unwrap_or(u32::MAX);
        Ok(Response::new(wire::ForgetClusterResponse { assignments }))
    }
}

impl<S: Sessions> Clusters<S> {
    fn shown(&self, seen: &Seen) -> wire::Cluster {
        seen.shown(self.sessions.live(&seen.cluster.name))
    }

    async fn show(&self, name: &ClusterName) -> Result<Response<wire::Cluster>, Status> {
        let seen = self.context.read(|state| state.cluster(name).map(|view| Seen::new(state, view))).await?;
        seen.map(|seen| Response::new(self.shown(&seen))).ok_or_else(|| unknown(name))
    }

    async fn change(
        &self,
        operator: &PrincipalName,
        cluster: &ClusterName,
        change: ClusterChange,
    ) -> Result<Response<wire::Cluster>, Status> {
        self.context.submit(operator, Command::Cluster { name: cluster.clone(), change }).await?;
        self.show(cluster).await
    }
}

fn name(name: &str) -> Result<ClusterName, Status> {
    named("name", name)
}

fn named(field: &str, name: &str) -> Result<ClusterName, Status> {
    name.parse().map_err(|error| status_code::invalid_name(field, &error))
}

fn unknown(cluster: &ClusterName) -> Status {
    status_code::failed(Reason::NotFound, format!("there is no cluster {cluster}"))
}

/// The life of a join token, within its bounds.
fn life(ttl: prost_types::Duration) -> Result<std::time::Duration, Status> {
    let life = time::span(&ttl).filter(|life| TOKEN_LIFE.contains(life));
    life.ok_or_else(|| {
        let rule = "it must be between 1 minute and 24 hours";
        status_code::invalid_field("ttl", Reason::InvalidField, rule, &format!("{}s", ttl.seconds))
    })
}
