//! The log as audit trail: who did what, when, to what. Specs and secrets are not in it; a revision names its spec.

use isthmus_model::name::PrincipalName;
use isthmus_model::order::{Epoch, LogIndex, UnixMillis};
use serde::Serialize;

use super::command::{ClusterChange, Command, ResourceChange, WriteMode};
use super::commit::{Change, Commit};

/// One line of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The commit.
    pub log_index: LogIndex,
    /// The leader that decided it.
    pub epoch: Epoch,
    /// When.
    pub time: UnixMillis,
    /// Who.
    pub principal: PrincipalName,
    /// What was done, one word.
    pub action: &'static str,
    /// To what: kind and name.
    pub target: String,
    /// What changed, where it can be said in a line; empty where the target says it all.
    pub detail: String,
}

impl Commit {
    /// Its line in the audit trail.
    pub fn audit(&self) -> Entry {
        let (action, target, detail) = match &self.command {
            Command::Write(write) => {
                let action = match write.mode {
                    WriteMode::Create => "create",
                    WriteMode::Update(_) => "update",
                    WriteMode::Apply(_) => "apply",
                };
                let detail = match self.outcome().change {
                    Change::Created { uid } => format!("created, uid {uid}"),
                    Change::Updated { revision, .. } => format!("revision {revision}"),
                    _ => String::new(),
                };
                (action, format!("{} {}", write.kind, write.name), detail)
            }
            Command::Delete(delete) => ("delete", format!("{} {}", delete.kind, delete.name), String::new()),
            Command::Stopped { cluster, stopped } => {
                ("stopped", format!("Cluster {cluster}"), format!("{} assignments", stopped.len()))
            }
            Command::Replan { uids, .. } => {
                ("replan", "Components".to_owned(), format!("{} looked at", uids.len()))
            }
            Command::Cluster { name, change } => {
                let (action, detail) = cluster(change);
                (action, format!("Cluster {name}"), detail)
            }
            Command::Resource(change) => resource(change),
        };
        let Self { index, epoch, time, principal, .. } = self;
        Entry {
            log_index: *index,
            epoch: *epoch,
            time: *time,
            principal: principal.clone(),
            action,
            target,
            detail,
        }
    }
}

fn cluster(change: &ClusterChange) -> (&'static str, String) {
    match change {
        ClusterChange::Join { certificate, .. } => ("join", format!("certificate {}", certificate.serial)),
        ClusterChange::Renew { certificate, .. } => ("renew", format!("certificate {}", certificate.serial)),
        ClusterChange::Declare(declared) => ("declare", json(declared)),
        ClusterChange::Health(health) => ("health", format!("{health:?}")),
        ClusterChange::Update { labels, taints } => ("update", json(&(labels, taints))),
        ClusterChange::Cordon => ("cordon", String::new()),
        ClusterChange::Uncordon => ("uncordon", String::new()),
        ClusterChange::Link { pulsar, .. } => ("link", format!("to {pulsar}")),
        ClusterChange::Unlink { pulsar } => ("unlink", format!("from {pulsar}")),
        ClusterChange::ConfirmDeletions { digest } => ("confirm-deletions", digest.to_string()),
        ClusterChange::Forget => ("forget", String::new()),
    }
}

fn resource(change: &ResourceChange) -> (&'static str, String, String) {
    match change {
        ResourceChange::PutPulsarCluster(cluster) => {
            ("put", format!("PulsarCluster {}", cluster.name), cluster.service_url.clone())
        }
        ResourceChange::DeletePulsarCluster(name) => {
            ("delete", format!("PulsarCluster {name}"), String::new())
        }
        ResourceChange::PutPackage(package) => {
            ("put", format!("Package sha256:{}", package.digest), package.name.clone())
        }
        ResourceChange::DeletePackage(digest) => {
            ("delete", format!("Package sha256:{digest}"), String::new())
        }
        ResourceChange::CreateJoinToken(token) => {
            ("create", "JoinToken".to_owned(), format!("for cluster {}", token.cluster))
        }
        ResourceChange::CreateApiToken(token) => {
            ("create", format!("ApiToken {}", token.id), format!("for {}", token.principal))
        }
        ResourceChange::RevokeApiToken { id } => ("revoke", format!("ApiToken {id}"), String::new()),
        ResourceChange::RevokeCertificate { serial } => {
            ("revoke", format!("Certificate {serial}"), String::new())
        }
        ResourceChange::PutBinding(binding) => {
            ("put", format!("Binding {}", binding.principal), json(binding))
        }
        ResourceChange::DeleteBinding(binding) => {
            ("delete", format!("Binding {}", binding.principal), json(binding))
        }
        ResourceChange::PutQuota { scope, quota } => ("put", format!("Quota {scope}"), json(quota)),
        ResourceChange::DeleteQuota { scope } => ("delete", format!("Quota {scope}"), String::new()),
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::store::command::SecretHash;
    use crate::store::tests::fixture::*;

    #[test]
    fn the_trail_says_who_did_what_and_shows_neither_specs_nor_secrets() {
        let mut store = Store::with_clusters(&["a"], 9);
        store.must(function("f").spec("password: 1234").create());
        store.must(function("f").spec("password: 5678").apply());
        store.must(delete("f"));
        store.stop_all();
        let trail: Vec<_> = store.log.iter().map(super::Commit::audit).collect();
        let text = serde_json::to_string(&trail).unwrap();
        assert!(!text.contains("password") && !text.contains(&SecretHash::of(b"renewal").0.to_string()));
        let lines: Vec<String> = trail
            .iter()
            .map(|entry| {
                let (index, who) = (entry.log_index, &entry.principal);
                format!("{index} {who} {} {}: {}", entry.action, entry.target, entry.detail)
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
