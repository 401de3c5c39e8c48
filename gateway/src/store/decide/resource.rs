//! What is neither component nor cluster changes.

use isthmus_model::access::Scope;
use isthmus_model::reason::Reason;

use super::Verdict;
use crate::placement::PulsarId;
use crate::store::command::ResourceChange;
use crate::store::commit::Effect;
use crate::store::rejection::Rejection;
use crate::store::state::State;

pub(super) fn change(state: &State, change: &ResourceChange) -> Result<Verdict, Rejection> {
    let access = &state.access;
    let same = match change {
        ResourceChange::PutPulsarCluster(cluster) => match state.pulsar_cluster(&cluster.name) {
            None => {
                let id = PulsarId(state.next_pulsar);
                return Ok(Verdict::Effects(vec![Effect::PulsarClusterCreated { id }]));
            }
            Some(known) => known.as_ref() == cluster,
        },
        ResourceChange::DeletePulsarCluster(name) => {
            if state.pulsar_cluster(name).is_none() {
                return refuse(Reason::NotFound, format!("there is no PulsarCluster {name}"));
            }
            let linked: Vec<&str> = state
                .sites
                .all()
                .iter()
                .filter(|site| site.cluster.links.contains_key(name))
                .map(|site| site.cluster.name.as_str())
                .collect();
            if !linked.is_empty() {
                let linked = linked.join(", ");
                return refuse(
                    Reason::InUse,
                    format!(
                        "PulsarCluster {name} cannot be deleted: linked to it are {linked}; unlink them first"
                    ),
                );
            }
            false
        }
        ResourceChange::PutPackage(package) => state.package(&package.digest).is_some(),
        ResourceChange::DeletePackage(digest) => {
            if state.package(digest).is_none() {
                return refuse(Reason::NotFound, format!("there is no package sha256:{digest}"));
            }
            let users = state.packages.used(digest);
            if users > 0 {
                return refuse(
                    Reason::InUse,
                    format!(
                        "package sha256:{digest} cannot be deleted: {users} kept revisions of components need it"
                    ),
                );
            }
            false
        }
        ResourceChange::CreateJoinToken(token) => {
            if state.join_tokens.contains_key(&token.hash) {
                return refuse(
                    Reason::AlreadyExists,
                    "this join token exists already; draw another".to_owned(),
                );
            }
            false
        }
        ResourceChange::CreateApiToken(token) => {
            if access.api_tokens.contains_key(&token.id) || access.api_token_ids.contains_key(&token.hash) {
                let id = &token.id;
                return refuse(
                    Reason::AlreadyExists,
                    format!("an API token {id} exists already; take another id"),
                );
            }
            false
        }
        ResourceChange::RevokeApiToken { id } => match access.api_tokens.get(id) {
            None => return refuse(Reason::NotFound, format!("there is no API token {id}")),
            Some(token) => token.revoked_at.is_some(),
        },
        ResourceChange::RevokeCertificate { serial } => access.revoked.contains(serial),
        ResourceChange::PutBinding(binding) => access.bindings.contains(binding),
        ResourceChange::DeleteBinding(binding) => {
            if !access.bindings.contains(binding) {
                let (principal, role, scope) = (&binding.principal, binding.role, &binding.scope);
                return refuse(Reason::NotFound, format!("{principal} is not bound to {role} in {scope}"));
            }
            false
        }
        ResourceChange::PutQuota { scope: Scope::Federation, .. }
        | ResourceChange::DeleteQuota { scope: Scope::Federation } => {
            return refuse(
                Reason::InvalidField,
                "a quota belongs to a tenant or a namespace; the federation has none".to_owned(),
            );
        }
        ResourceChange::PutQuota { scope, quota } => state.quota(scope) == Some(*quota),
        ResourceChange::DeleteQuota { scope } => {
            if state.quota(scope).is_none() {
                return refuse(Reason::NotFound, format!("{scope} has no quota"));
            }
            false
        }
    };
    Ok(if same { Verdict::nothing(state) } else { Verdict::Effects(vec![Effect::ResourceChanged]) })
}

fn refuse(reason: Reason, message: String) -> Result<Verdict, Rejection> {
    Err(Rejection::new(reason, message))
}
