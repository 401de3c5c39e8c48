//! `cluster …`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _};

use isthmus_proto::cluster::v1::{
    Cluster as WireCluster, ConfirmRemovalsRequest, CordonClusterRequest, CreateJoinTokenRequest,
    ForgetClusterRequest, GetClusterRequest, Link, LinkClusterRequest, RevokeClusterRequest,
    Taint as WireTaint, UnlinkClusterRequest, UpdateClusterRequest,
};
use isthmus_proto::convert::time;
use serde_json::json;
use tonic::{Response, Status};

use super::{Context, get, now};
use crate::args::{Cluster, Pair, Resource, Taint};
use crate::client::{Bound, Client};
use crate::error::Error;
use crate::output::{self, Output};
use crate::view;

pub(super) async fn run(context: &Context<'_>, args: Cluster) -> Result<Output, Error> {
    if let Cluster::Forget { name, yes: false } = &args {
        confirm(name)?;
    }
    let client = context.client().await?;
    match args {
        Cluster::JoinToken { name, labels, ttl } => join_token(&client, name, labels, ttl).await,
        Cluster::List { selector } => {
            Ok(Output::Listings(vec![get::other(&client, Resource::Clusters, &[], &selector).await?]))
        }
        Cluster::Link { name, pulsar_cluster, service_url, admin_url, default } => {
            let (doing, said) =
                (format!("linking {name} to {pulsar_cluster}"), format!("{name} linked to {pulsar_cluster}"));
            let link = Link { pulsar_cluster, service_url, admin_url };
            let request = LinkClusterRequest { cluster: name, link: Some(link), default };
            changed(&client, doing, said, client.clusters(Bound::Unary).link_cluster(request).await)
        }
        Cluster::Unlink { name, pulsar_cluster } => {
            let (doing, said) = (
                format!("unlinking {name} from {pulsar_cluster}"),
                format!("{name} unlinked from {pulsar_cluster}"),
            );
            let request = UnlinkClusterRequest { cluster: name, pulsar_cluster };
            changed(&client, doing, said, client.clusters(Bound::Unary).unlink_cluster(request).await)
        }
        Cluster::Cordon { name } => cordon(&client, name, true).await,
        Cluster::Uncordon { name } => cordon(&client, name, false).await,
        Cluster::Update { name, labels, remove_labels, taints, remove_taints } => {
            let before = cluster(&client, &name).await?;
            let labels = merged_labels(before.labels, labels, &remove_labels);
            let taints = merged_taints(before.taints, taints, &remove_taints);
            let request = UpdateClusterRequest { cluster: name.clone(), labels, taints };
            let answer = client.clusters(Bound::Unary).update_cluster(request).await;
            changed(&client, format!("updating cluster {name}"), format!("{name} updated"), answer)
        }
        Cluster::ConfirmRemovals { name } => {
            let before = cluster(&client, &name).await?;
            if before.held_removals == 0 {
                return Ok(Output::said(format!("{name} holds no removals"), json!({"confirmed": 0})));
            }
            let said = format!("{} removals of {name} confirmed", before.held_removals);
            // The digest names exactly the removals that were held when they were looked at.
            let request = ConfirmRemovalsRequest { cluster: name.clone(), digest: before.held_digest };
            let answer = client.clusters(Bound::Unary).confirm_removals(request).await;
            changed(&client, format!("confirming removals of {name}"), said, answer)
        }
        Cluster::Revoke { name } => {
            let answer = client
                .clusters(Bound::Unary)
                .revoke_cluster(RevokeClusterRequest { cluster: name.clone() })
                .await;
            let said = format!("certificates of {name} revoked; its agent must join again");
            changed(&client, format!("revoking cluster {name}"), said, answer)
        }
        Cluster::Forget { name, .. } => {
            let request = ForgetClusterRequest { cluster: name.clone() };
            let answer = client.clusters(Bound::Unary).forget_cluster(request).await;
            let assignments = client.answer(format!("forgetting cluster {name}"), answer)?.assignments;
            let text = format!("{name} forgotten; it had {assignments} assignments");
            Ok(Output::said(text, json!({"cluster": name, "assignments": assignments})))
        }
    }
}

/// What cannot be undone is asked for, unless nobody can answer.
fn confirm(name: &str) -> Result<(), Error> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::Usage(format!("forgetting {name} cannot be undone; say --yes")));
    }
    output::say(&format!(
        "What {name} has will be placed elsewhere, although it may still run there. Type {name}:"
    ));
    let mut typed = String::new();
    let read = std::io::stdin().lock().read_line(&mut typed);
    read.map_err(|error| Error::here("standard input cannot be read", error))?;
    if typed.trim() == name { Ok(()) } else { Err(Error::Usage("nothing was done".to_owned())) }
}

async fn join_token(
    client: &Client,
    name: String,
    labels: Vec<Pair>,
    ttl: Option<std::time::Duration>,
) -> Result<Output, Error> {
    let doing = format!("making a join token for {name}");
    let labels = labels.into_iter().map(|Pair(key, value)| (key, value)).collect();
    let request = CreateJoinTokenRequest { cluster: name.clone(), labels, ttl: ttl.map(time::duration) };
    let answer = client.answer(doing, client.clusters(Bound::Unary).create_join_token(request).await)?;
    let expires = view::moment(answer.expire_time.as_ref());
    if let Some(at) = expires.as_str() {
        output::say(&format!(
            "one agent may join as {name} with this token until {at}; it is not shown again"
        ));
    }
    // Only the token goes to standard output, so that it can be piped to where it is needed.
    let value = json!({"cluster": name, "token": answer.token, "expiresAt": expires});
    Ok(Output::said(answer.token, value))
}

async fn cordon(client: &Client, name: String, cordoned: bool) -> Result<Output, Error> {
    let word = if cordoned { "cordon" } else { "uncordon" };
    let (doing, said) = (format!("{word}ing cluster {name}"), format!("{name} {word}ed"));
    let answer =
        client.clusters(Bound::Unary).cordon_cluster(CordonClusterRequest { cluster: name, cordoned }).await;
    changed(client, doing, said, answer)
}

fn changed(
    client: &Client,
    doing: String,
    said: String,
    answer: Result<Response<WireCluster>, Status>,
) -> Result<Output, Error> {
    let cluster = client.answer(doing, answer)?;
    Ok(Output::said(said, view::cluster::record(&cluster, now()).value))
}

async fn cluster(client: &Client, name: &str) -> Result<WireCluster, Error> {
    let answer = client.clusters(Bound::Unary).get_cluster(GetClusterRequest { name: name.to_owned() }).await;
    client.answer(format!("getting cluster {name}"), answer)
}

fn merged_labels(
    mut labels: BTreeMap<String, String>,
    set: Vec<Pair>,
    remove: &[String],
) -> BTreeMap<String, String> {
    labels.retain(|key, _| !remove.contains(key));
    labels.extend(set.into_iter().map(|Pair(key, value)| (key, value)));
    labels
}

/// A taint is told apart by key and effect, as in Kubernetes.
fn merged_taints(mut taints: Vec<WireTaint>, set: Vec<Taint>, remove: &[String]) -> Vec<WireTaint> {
    taints.retain(|taint| !remove.contains(&taint.key));
    for Taint { key, value, effect } in set {
        let effect = isthmus_proto::component::v1::TaintEffect::from(effect).into();
        taints.retain(|taint| (&taint.key, taint.effect) != (&key, effect));
        taints.push(WireTaint { key, value, effect });
    }
    taints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_taints_that_are_not_mentioned_stay() {
        let labels = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
        let merged = merged_labels(labels, vec!["c=3".parse().unwrap()], &["a".to_owned()]);
        assert_eq!(view::cluster::labels(&merged), "b=2,c=3");
        let before = vec![WireTaint { key: "k".into(), value: "old".into(), effect: 1 }];
        let merged =
            merged_taints(before, vec!["k=new:NoPlace".parse().unwrap(), "k:Evict".parse().unwrap()], &[]);
        let shown: Vec<_> = merged.iter().map(|t| (t.value.as_str(), t.effect)).collect();
        assert_eq!(shown, [("new", 1), ("", 3)]);
    }
}
