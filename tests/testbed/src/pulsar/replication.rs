//! Servers that replicate to one another: each must know every other one's addresses, and a tenant must be allowed on all.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Error, Pulsar};
use crate::admin;

/// Tells each server the addresses of all others.
pub(super) async fn introduce(servers: &[Pulsar]) -> Result<(), Error> {
    for server in servers {
        for peer in servers.iter().filter(|peer| peer.cluster() != server.cluster()) {
            let record = json!({ "serviceUrl": peer.admin_url(), "brokerServiceUrl": peer.service_url() });
            create(server, &format!("clusters/{}", peer.cluster()), &record).await?;
        }
    }
    Ok(())
}

/// A namespace whose every topic is replicated between the servers.
pub(super) async fn create_namespace(servers: &[Pulsar], tenant: &str, namespace: &str) -> Result<(), Error> {
    let clusters: Vec<&str> = servers.iter().map(Pulsar::cluster).collect();
    for server in servers {
        let allowed = json!({ "adminRoles": [], "allowedClusters": clusters });
        create(server, &format!("tenants/{tenant}"), &allowed).await?;
        let replicated = json!({ "replication_clusters": clusters });
        create(server, &format!("namespaces/{tenant}/{namespace}"), &replicated).await?;
    }
    Ok(())
}

/// Creates by PUT; that it exists already is fine, so that the steps can be repeated.
async fn create(server: &Pulsar, path: &str, body: &Value) -> Result<(), Error> {
    match admin::send(Method::PUT, &format!("{}/admin/v2/{path}", server.admin_url()), body).await {
        Err(error) if error.status() != Some(StatusCode::CONFLICT) => {
            Err(Error::Admin { attempted: format!("create {path} on {}", server.cluster()), source: error })
        }
        _ => Ok(()),
    }
}
