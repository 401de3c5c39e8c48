//! `get`: resources, one a line.

use isthmus_model::component::ComponentKind;
use isthmus_proto::access::v1::{ListApiTokensRequest, ListBindingsRequest};
use isthmus_proto::cluster::v1::{
    GetClusterRequest, GetPulsarClusterRequest, ListClustersRequest, ListPulsarClustersRequest,
};
use isthmus_proto::component::v1::{Component, GetRequest, ListRequest};
use isthmus_proto::package::v1::{GetPackageRequest, ListPackagesRequest, Package};

use super::watch::{self, Watched};
use super::{Context, now, word};
use crate::args::{Get, Resource};
use crate::client::{Bound, Client};
use crate::error::Error;
use crate::output::{self, Listing, Output};
use crate::{selection, view};

pub(super) async fn run(context: &Context<'_>, args: Get) -> Result<Output, Error> {
    let Get { resource, names, all_namespaces, only, watch } = args;
    let (resource, names) = selection::typed(&resource, &names)?;
    selection::check(&only, resource, &names)?;
    if watch {
        return watch::follow(context, Watched::new(resource, names, all_namespaces, only)?).await;
    }
    let client = context.client().await?;
    let kinds = resource.kinds();
    if kinds.is_empty() {
        let listing = other(&client, resource, &names, &only.selector).await?;
        return Ok(found(vec![listing]));
    }
    let mut listings = Vec::new();
    for &kind in kinds {
        let components = if names.is_empty() {
            let mut request = within(context, all_namespaces)?;
            request.label_selector.clone_from(&only.selector);
            request.cluster.clone_from(&only.cluster);
            list(&client, kind, request).await?
        } else {
            named(context, &client, kind, &names, kinds.len() > 1).await?
        };
        listings.push(view::component::listing(&components, now(), kinds.len() > 1, names.len() == 1));
    }
    if !names.is_empty() && listings.iter().all(|listing| listing.records.is_empty()) {
        return Err(Error::Usage(format!("there is no component called {}", names.join(", "))));
    }
    // Of one name only one of the kinds has something.
    if names.len() == 1 {
        listings.retain(|listing| !listing.records.is_empty());
    }
    Ok(found(listings))
}

/// Says so when there is nothing, and where it was looked.
fn found(listings: Vec<Listing>) -> Output {
    if listings.iter().all(|listing| listing.records.is_empty()) {
        output::say("nothing found");
    }
    Output::Listings(listings)
}

/// Where components are looked for.
pub(super) fn within(context: &Context<'_>, all_namespaces: bool) -> Result<ListRequest, Error> {
    let scope = context.scope()?;
    let (tenant, namespace) = match (all_namespaces, scope.tenant_was_typed) {
        (false, _) => (scope.tenant, scope.namespace),
        (true, true) => (scope.tenant, String::new()),
        (true, false) => (String::new(), String::new()),
    };
    Ok(ListRequest { tenant, namespace, ..ListRequest::default() })
}

/// All pages.
pub(super) async fn list(
    client: &Client,
    kind: ComponentKind,
    mut request: ListRequest,
) -> Result<Vec<Component>, Error> {
    let mut components = Vec::new();
    loop {
        let answer = client.components(kind, Bound::Unary).list(request.clone()).await;
        let page = client.answer(format!("listing {}", kind.plural()), answer)?;
        components.extend(page.components);
        if page.next_page_token.is_empty() {
            return Ok(components);
        }
        request.page_token = page.next_page_token;
    }
}

/// Those of these names. Where several kinds are asked, that one of them has no such name is no error.
async fn named(
    context: &Context<'_>,
    client: &Client,
    kind: ComponentKind,
    names: &[String],
    may_miss: bool,
) -> Result<Vec<Component>, Error> {
    let scope = context.scope()?;
    let mut components = Vec::new();
    for name in names {
        let name = selection::full_name(&scope, name);
        let doing = format!("getting {} {}", word(kind), selection::shown(&name));
        let answer = client.components(kind, Bound::Unary).get(GetRequest { name: Some(name) }).await;
        match client.answer(doing, answer) {
            Ok(component) => components.push(component),
            Err(error) if may_miss && error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(components)
}

/// What is not a component.
pub(super) async fn other(
    client: &Client,
    resource: Resource,
    names: &[String],
    selector: &str,
) -> Result<Listing, Error> {
    let single = names.len() == 1;
    let listing = match resource {
        Resource::Clusters if names.is_empty() => {
            let request = ListClustersRequest { label_selector: selector.to_owned() };
            let answer = client.clusters(Bound::Unary).list_clusters(request).await;
            view::cluster::listing(&client.answer("listing clusters", answer)?.clusters, now(), single)
        }
        Resource::Clusters => {
            let mut found = Vec::new();
            for name in names {
                let answer =
                    client.clusters(Bound::Unary).get_cluster(GetClusterRequest { name: name.clone() }).await;
                found.push(client.answer(format!("getting cluster {name}"), answer)?);
            }
            view::cluster::listing(&found, now(), single)
        }
        Resource::PulsarClusters if names.is_empty() => {
            let answer =
                client.pulsar_clusters(Bound::Unary).list_pulsar_clusters(ListPulsarClustersRequest {}).await;
            view::pulsar_cluster::listing(
                &client.answer("listing Pulsar clusters", answer)?.pulsar_clusters,
                single,
            )
        }
        Resource::PulsarClusters => {
            let mut found = Vec::new();
            for name in names {
                let request = GetPulsarClusterRequest { name: name.clone() };
                let answer = client.pulsar_clusters(Bound::Unary).get_pulsar_cluster(request).await;
                found.push(client.answer(format!("getting Pulsar cluster {name}"), answer)?);
            }
            view::pulsar_cluster::listing(&found, single)
        }
        Resource::Packages => view::package::listing(&packages(client, names).await?, now(), single),
        Resource::Tokens => {
            let answer = client.access(Bound::Unary).list_api_tokens(ListApiTokensRequest {}).await;
            let mut tokens = client.answer("listing tokens", answer)?.tokens;
            tokens.retain(|token| names.is_empty() || names.contains(&token.id));
            view::access::tokens(&tokens, now(), single)
        }
        Resource::Bindings => {
            let answer = client.access(Bound::Unary).list_bindings(ListBindingsRequest {}).await;
            let mut bindings = client.answer("listing bindings", answer)?.bindings;
            bindings.retain(|binding| names.is_empty() || names.contains(&binding.principal));
            view::access::bindings(&bindings)
        }
        Resource::Functions | Resource::Sources | Resource::Sinks | Resource::All => {
            return Err(Error::Usage("components are listed by their kind".to_owned()));
        }
    };
    Ok(listing)
}

async fn packages(client: &Client, names: &[String]) -> Result<Vec<Package>, Error> {
    let mut packages = Vec::new();
    for location in names {
        let request = GetPackageRequest { location: location.clone() };
        let answer = client.packages(Bound::Unary).get_package(request).await;
        packages.push(client.answer(format!("getting package {location}"), answer)?);
    }
    let mut request = ListPackagesRequest::default();
    while names.is_empty() {
        let answer = client.packages(Bound::Unary).list_packages(request.clone()).await;
        let page = client.answer("listing packages", answer)?;
        packages.extend(page.packages);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    Ok(packages)
}
