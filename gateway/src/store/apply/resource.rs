//! What is neither component nor cluster.

use std::sync::Arc;

use isthmus_model::access::Scope;
use isthmus_model::reason::Reason;

use super::cluster::see;
use crate::placement::{ClusterId, PulsarId};
use crate::store::command::ResourceChange;
use crate::store::commit::Commit;
use crate::store::quota::Quota;
use crate::store::state::{Access, State};

pub(super) fn pulsar_created(state: &mut State, id: PulsarId, change: &ResourceChange) {
    let ResourceChange::PutPulsarCluster(cluster) = change else { return };
    state.next_pulsar = id.0 + 1;
    state.sites.put_pulsar(id, cluster.name.clone());
    state.pulsar.insert(cluster.name.clone(), (id, Arc::new(cluster.clone())));
}

pub(super) fn changed(state: &mut State, commit: &Commit, change: &ResourceChange) {
    match change {
        ResourceChange::PutPulsarCluster(cluster) => {
            if let Some((_, known)) = state.pulsar.get_mut(&cluster.name) {
                *known = Arc::new(cluster.clone());
            }
            let clusters: Vec<ClusterId> = state.clusters.keys().copied().collect();
            for id in clusters {
                see(state, id, commit.index);
            }
        }
        ResourceChange::DeletePulsarCluster(name) => {
            state.pulsar.remove(name);
            state.sites.remove_pulsar(name);
        }
        ResourceChange::PutPackage(package) => {
            state.packages.stored.insert(package.digest, package.clone());
        }
        ResourceChange::DeletePackage(digest) => {
            state.packages.stored.remove(digest);
        }
        ResourceChange::CreateJoinToken(token) => {
            // Those that ended some time ago are of no use to anybody; it is remembered for a while why they are refused.
            state
                .join_tokens
                .retain(|_, token| token.expires_at.0.saturating_add(REMEMBERED) > commit.time.0);
            state.join_tokens.insert(token.hash, token.clone());
        }
        ResourceChange::CreateApiToken(token) => access(state).put_api_token(token.clone()),
        ResourceChange::RevokeApiToken { id } => {
            if let Some(token) = access(state).api_tokens.get_mut(id) {
                token.revoked_at = Some(commit.time);
            }
        }
        ResourceChange::RevokeCertificate { serial } => {
            access(state).revoked.insert(serial.clone());
        }
        ResourceChange::PutBinding(binding) => {
            access(state).bindings.insert(binding.clone());
        }
        ResourceChange::DeleteBinding(binding) => {
            access(state).bindings.remove(binding);
        }
        ResourceChange::PutQuota { scope, quota } => set_quota(state, scope, Some(*quota)),
        ResourceChange::DeleteQuota { scope } => set_quota(state, scope, None),
    }
}

/// Who may come in, to be changed: those who ask have the one before until they ask again.
fn access(state: &mut State) -> &mut Access {
    Arc::make_mut(&mut state.access)
}

/// For how long an expired join token is remembered, in milliseconds: a week.
const REMEMBERED: u64 = 7 * 24 * 60 * 60 * 1000;

fn set_quota(state: &mut State, scope: &Scope, quota: Option<Quota>) {
    match scope {
        Scope::Federation => {}
        Scope::Tenant(tenant) => state.namespaces.set_tenant_quota(tenant, quota),
        Scope::Namespace(tenant, namespace) => state.namespaces.set_quota(tenant, namespace, quota),
    }
    state.waiting.wake(&[Reason::QuotaExceeded]);
}
