//! `delete`: by name or by file.

use std::collections::BTreeMap;

use isthmus_model::component::ComponentKind;
use isthmus_proto::access::v1::RevokeApiTokenRequest;
use isthmus_proto::cluster::v1::DeletePulsarClusterRequest;
use isthmus_proto::common::v1::{FullName, Metadata};
use isthmus_proto::component::v1::{Component, DeleteRequest, Dialect, Kind};
use isthmus_proto::package::v1::DeletePackageRequest;

use super::apply::{Done, Ready, Sending, finish};
use super::{Context, word};
use crate::args::{Delete, Resource};
use crate::client::{Bound, Client};
use crate::error::Error;
use crate::output::{self, Output};
use crate::wait::Goal;
use crate::{manifest, selection};

pub(super) async fn run(context: &Context<'_>, args: Delete) -> Result<Output, Error> {
    let Delete { what, files, dry_run, ignore_not_found, waiting } = args;
    let mut done = Done::default();
    let client = context.client().await?;
    let sending = Sending { context, client: &client, files: &files, dry_run, delete: true };
    match what.split_first() {
        None => {
            let dialect = Dialect::from(files.dialect);
            let ready = |text| Ready { text, dialect, sealed: BTreeMap::new() };
            let texts = manifest::read(&files)?.into_iter().map(ready);
            sending.send(texts.collect(), &mut done).await?;
        }
        Some((first, rest)) => {
            let (resource, names) = selection::typed(first, rest)?;
            if names.is_empty() {
                return Err(Error::Usage(format!("name what shall be deleted: delete {first} NAME")));
            }
            for name in names {
                let deleted = match resource.kinds() {
                    [] => other(&client, resource, &name, dry_run).await,
                    [kind] => component(&sending, *kind, &name, &mut done).await,
                    _ => Err(Error::Usage("say which kind: function, source or sink".to_owned())),
                };
                done.errors.extend(deleted.err());
            }
        }
    }
    if ignore_not_found {
        done.errors.retain(|error| !error.is_not_found());
    }
    finish(context, &client, done, Goal::Gone, (waiting.wait && !dry_run).then_some(waiting.timeout)).await
}

async fn component(
    sending: &Sending<'_>,
    kind: ComponentKind,
    name: &str,
    done: &mut Done,
) -> Result<(), Error> {
    let name = selection::full_name(&sending.context.scope()?, name);
    let doing = format!("deleting {} {}", word(kind), selection::shown(&name));
    let request =
        DeleteRequest { name: Some(name.clone()), dry_run: sending.dry_run, ..DeleteRequest::default() };
    let answer = sending.client.components(kind, Bound::Unary).delete(request).await;
    let mut change = sending.client.answer(&doing, answer)?;
    // What ran nowhere is gone at once, and nothing of it is left to be shown but its name.
    change.component.get_or_insert_with(|| named(kind, name));
    sending.changed(&doing, change, done)
}

fn named(kind: ComponentKind, FullName { tenant, namespace, name }: FullName) -> Component {
    let metadata = Metadata { tenant, namespace, name, ..Metadata::default() };
    Component { kind: Kind::from(kind).into(), metadata: Some(metadata), ..Component::default() }
}

/// What is not a component.
async fn other(client: &Client, resource: Resource, name: &str, dry_run: bool) -> Result<(), Error> {
    if dry_run {
        return Err(Error::Usage("--dry-run is for functions, sources and sinks".to_owned()));
    }
    let word = match resource {
        Resource::PulsarClusters => {
            let doing = format!("deleting Pulsar cluster {name}");
            let request = DeletePulsarClusterRequest { name: name.to_owned() };
            client
                .answer(&doing, client.pulsar_clusters(Bound::Unary).delete_pulsar_cluster(request).await)?;
            "pulsar-cluster"
        }
        Resource::Packages => {
            let doing = format!("deleting package {name}");
            let request = DeletePackageRequest { location: name.to_owned() };
            client.answer(&doing, client.packages(Bound::Unary).delete_package(request).await)?;
            "package"
        }
        Resource::Tokens => {
            let doing = format!("revoking token {name}");
            let request = RevokeApiTokenRequest { id: name.to_owned() };
            client.answer(&doing, client.access(Bound::Unary).revoke_api_token(request).await)?;
            "token"
        }
        Resource::Clusters => {
            return Err(Error::Usage("a cluster is given up by isthmus cluster forget NAME".to_owned()));
        }
        Resource::Bindings => {
            return Err(Error::Usage(
                "a binding has no name: isthmus binding delete PRINCIPAL ROLE [SCOPE]".to_owned(),
            ));
        }
        Resource::Functions | Resource::Sources | Resource::Sinks | Resource::All => return Ok(()),
    };
    output::write(format!("{word}/{name} deleted\n").as_bytes())
}
