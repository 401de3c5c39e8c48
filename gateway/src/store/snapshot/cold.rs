//! Of the snapshot: everything of which there is little, as JSON.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use isthmus_model::access::{Binding, Scope};
use isthmus_model::cluster::{Cluster, Health};
use isthmus_model::name::Digest;
use isthmus_model::order::{LogIndex, SetGeneration, UnixMillis};
use isthmus_model::pulsar_cluster::PulsarCluster;
use serde::{Deserialize, Serialize};

use super::Error;
use crate::placement::{ClusterId, PulsarId};
use crate::store::apply::see;
use crate::store::command::{ApiToken, Certificate, JoinToken, Package, SecretHash};
use crate::store::quota::Quota;
use crate::store::state::{ClusterState, DesiredSet, Identity, State};

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Cold {
    next_cluster: u32,
    next_pulsar: u32,
    pulsar: Vec<(u32, PulsarCluster)>,
    clusters: Vec<ColdCluster>,
    packages: Vec<Package>,
    join_tokens: Vec<JoinToken>,
    api_tokens: Vec<ApiToken>,
    bindings: Vec<Binding>,
    revoked: Vec<String>,
    quotas: Vec<(Scope, Quota)>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ColdCluster {
    id: u32,
    cluster: Cluster,
    health: Health,
    set_generation: SetGeneration,
    certificate: Certificate,
    #[serde(default)]
    older_certificates: Vec<Certificate>,
    renewal: SecretHash,
    #[serde(default)]
    confirmed: Option<Digest>,
    health_since: UnixMillis,
}

impl Cold {
    pub(super) fn capture(state: &State) -> Self {
        Self {
            next_cluster: state.next_cluster,
            next_pulsar: state.next_pulsar,
            pulsar: state
                .pulsar
                .values()
                .map(|(id, cluster)| (id.0, PulsarCluster::clone(cluster)))
                .collect(),
            clusters: state
                .clusters()
                .map(|view| ColdCluster {
                    id: view.id().0,
                    cluster: Cluster::clone(view.cluster()),
                    health: view.health(),
                    set_generation: view.set_generation(),
                    certificate: view.identity().certificate.clone(),
                    older_certificates: view.identity().older.clone(),
                    renewal: view.identity().renewal,
                    confirmed: view.confirmed_deletions(),
                    health_since: view.health_since(),
                })
                .collect(),
            packages: state.packages().cloned().collect(),
            join_tokens: state.join_tokens.values().cloned().collect(),
            api_tokens: state.api_tokens().cloned().collect(),
            bindings: state.bindings().cloned().collect(),
            revoked: state.access.revoked.iter().cloned().collect(),
            quotas: state.quotas().collect(),
        }
    }

    pub(super) fn to_json(&self) -> io::Result<Bytes> {
        Ok(serde_json::to_vec(self)?.into())
    }

    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(bytes)
            .map_err(|error| Error::Field { field: "part in JSON", what: error.to_string() })
    }

    pub(super) fn restore(self, state: &mut State) {
        state.next_cluster = self.next_cluster;
        state.next_pulsar = self.next_pulsar;
        for (id, cluster) in self.pulsar {
            state.sites.put_pulsar(PulsarId(id), cluster.name.clone());
            state.pulsar.insert(cluster.name.clone(), (PulsarId(id), Arc::new(cluster)));
        }
        for cold in self.clusters {
            let id = ClusterId(cold.id);
            let name = cold.cluster.name.clone();
            state.sites.put(id, Arc::new(cold.cluster), cold.health);
            let cluster = ClusterState {
                name,
                desired: DesiredSet::restored(cold.set_generation),
                seen: HashMap::new(),
                identity: Identity {
                    certificate: cold.certificate,
                    older: cold.older_certificates,
                    renewal: cold.renewal,
                },
                confirmed: cold.confirmed,
                health_since: cold.health_since,
            };
            state.clusters.insert(id, cluster);
            see(state, id, LogIndex(0));
        }
        let packages = self.packages.into_iter().map(|package| (package.digest, package));
        state.packages.stored = packages.collect();
        state.join_tokens = self.join_tokens.into_iter().map(|token| (token.hash, token)).collect();
        let access = Arc::make_mut(&mut state.access);
        self.api_tokens.into_iter().for_each(|token| access.put_api_token(token));
        access.bindings = self.bindings.into_iter().collect();
        access.revoked = self.revoked.into_iter().collect();
        for (scope, quota) in self.quotas {
            match scope {
                Scope::Federation => {}
                Scope::Tenant(tenant) => state.namespaces.set_tenant_quota(&tenant, Some(quota)),
                Scope::Namespace(tenant, namespace) => {
                    state.namespaces.set_quota(&tenant, &namespace, Some(quota));
                }
            }
        }
    }
}
