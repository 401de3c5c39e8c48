//! FunctionMesh: components that belong together, as custom resources of their own.
//!
//! ```text
//! FunctionMesh ▶ dereference [client] ▶ validate ▶ plan ▶ apply [client] ▶ status [client]
//!                     ▲                   ▲
//!    watch of meshes ─┘                   └ watch of members (a few words each)
//! ```
//!
//! A member becomes a Function, Source or Sink that the mesh owns; what it becomes in turn is the other controllers' business.
//! Members are written only where they differ, and one that cannot be written keeps none of the others from it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::SelectAll;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use isthmus_model::component::ComponentKind;
use kube::Client;
use kube::runtime::WatchStreamExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, watcher};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

mod dereference;
mod validate;
mod members;
mod plan;
mod apply;
mod status;

use super::api::Api;
use super::child::{CustomKind, custom_resource};
use super::config::Config;
use super::controller::{self, Reconciles, Request};
use super::fresh::Fresh;
use super::reconcile::{Error, MISSING};
use super::retry::Retries;

pub(super) use dereference::Owner;
pub(super) use plan::{resource, resource_name};
pub(super) use validate::LISTS;

use dereference::dereference;
use members::{Members, Watched};
use plan::plan;
use validate::validate;

/// On a member: the name of its mesh. The watch of members asks for it.
const MESH: &str = "isthmus.io/mesh";

/// How long news of members are gathered before their mesh is looked at: many come at once, and each look reads the whole mesh.
const GATHER: Duration = Duration::from_millis(500);

/// News that are gathered at most.
const GATHERED: usize = 4096;

/// What the passes of the controller share.
pub(super) struct Context {
    api: Api,
    config: Config,
    fresh: Fresh,
    members: Members,
    retries: Retries,
}

impl Context {
    pub(super) fn new(api: Api, config: Config) -> Self {
        Self {
            api,
            config,
            fresh: Fresh::default(),
            members: Members::default(),
            retries: Retries::default(),
        }
    }
}

impl Reconciles for Context {
    fn kind(&self) -> CustomKind {
        CustomKind::FunctionMesh
    }

    fn concurrency(&self) -> u16 {
        self.config.concurrency
    }

    fn retries(&self) -> &Retries {
        &self.retries
    }

    fn fresh(&self) -> &Fresh {
        &self.fresh
    }

    fn pass<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, Result<Action, Error>> {
        pass(self, namespace, name).boxed()
    }
}

/// Reconciles meshes of one namespace or of all until `stop`.
pub(super) async fn run(client: Client, context: Context, scope: Option<String>, stop: CancellationToken) {
    let context = Arc::new(context);
    let mut queue = SelectAll::new();
    for kind in ComponentKind::ALL {
        queue.push(members(&client, &context, kind, scope.as_deref()).boxed());
    }
    controller::drive(&client, context, scope.as_deref(), queue, stop).await;
}

/// The members of one kind: whose mesh should look at them.
fn members(
    client: &Client,
    context: &Arc<Context>,
    kind: ComponentKind,
    scope: Option<&str>,
) -> impl Stream<Item = Request> + use<> {
    let context = context.clone();
    let config = watcher::Config::default().labels(MESH);
    let events =
        watcher(controller::api::<Watched>(client, scope, &custom_resource(kind)), config).default_backoff();
    let touched = events.map_ok(move |event| context.members.on(kind, event));
    let gathered = tokio_stream::StreamExt::chunks_timeout(touched, GATHERED, GATHER);
    gathered.flat_map(|news| {
        let mut meshes = BTreeSet::new();
        let mut requests = Vec::new();
        for one in news {
            match one {
                Ok(mesh) => meshes.extend(mesh),
                Err(error) => requests.push(Err(error)),
            }
        }
        let reference = |(namespace, name): (String, String)| {
            ObjectRef::new_with(&name, CustomKind::FunctionMesh).within(&namespace)
        };
        requests.extend(meshes.into_iter().map(|mesh| Ok(reference(mesh).into())));
        futures::stream::iter(requests)
    })
}

async fn pass(context: &Context, namespace: &str, name: &str) -> Result<Action, Error> {
    let Context { api, config, fresh, members, .. } = context;
    let found = dereference(api, fresh, namespace, name).await.map_err(Error::Dereference)?;
    let Some(mesh) = found else { return Ok(Action::await_change()) };
    let validated = validate(Value::Object(mesh.resource.clone()));
    let plan = plan(&mesh.owner, &validated, &members.of(&mesh.owner), &status::named(&mesh.resource));
    let applied = apply::apply(api, members, &mesh, plan).await.map_err(Error::Apply)?;
    let status = status::status(&mesh, &validated, &applied, &members.of(&mesh.owner));
    if status::write(api, &mesh, &status).await.map_err(Error::Status)? {
        metrics::counter!("isthmus_operator_status_writes_total").increment(1);
    }
    Ok(Action::requeue(if applied.is_hindered() { MISSING } else { config.resync }))
}
