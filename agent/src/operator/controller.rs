//! The driver: what happens in the cluster becomes passes over resources, many at once, never two over the same.
//!
//! ```text
//! watch of resources (metadata kept) ─┐
//! watches of children (by label) ─────┴▶ queue ▶ reconcile ▶ again later
//! ```
//!
//! Queue, scheduling and retries of broken watches are kube's. What is kept of each resource and child is a few numbers and
//! names; the resource itself only until the next pass over it.

use std::borrow::Cow;
use std::future::ready;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, SelectAll};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use isthmus_daemon::chain::Chain;
use isthmus_dialects::function_mesh::definition;
use isthmus_model::component::Object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{DynamicResourceScope, Resource};
use kube::runtime::WatchStreamExt;
use kube::runtime::controller::{self, Action, ReconcileRequest, applier};
use kube::runtime::reflector::{ObjectRef, store::Writer};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;

use super::child::{ChildKind, CustomKind, custom_resource};
use super::children::Watched;
use super::fresh::{Arrival, Fresh};
use super::reconcile::{Context, Error, guarded};
use super::retry::Retries;

/// A custom resource, of which only the metadata is kept here.
///
/// kube keeps several references to each resource, and in each of them what tells its kind: here one byte, where its own
/// dynamic types have five texts.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    metadata: ObjectMeta,
}

impl Resource for Seen {
    type DynamicType = CustomKind;
    type Scope = DynamicResourceScope;

    fn kind(kind: &CustomKind) -> Cow<'_, str> {
        kind.as_str().into()
    }

    fn group(_: &CustomKind) -> Cow<'_, str> {
        definition::GROUP.into()
    }

    fn version(_: &CustomKind) -> Cow<'_, str> {
        definition::VERSION.into()
    }

    fn plural(kind: &CustomKind) -> Cow<'_, str> {
        kind.plural().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

pub(super) type Request = Result<ReconcileRequest<Seen>, watcher::Error>;

/// What is driven: the passes over one kind of custom resources.
pub(super) trait Reconciles: Send + Sync + 'static {
    fn kind(&self) -> CustomKind;

    /// Resources that are worked on at once.
    fn concurrency(&self) -> u16;

    fn retries(&self) -> &Retries;

    /// Resources that came and were not worked on yet.
    fn fresh(&self) -> &Fresh;

    /// One pass over the resource of this namespace and name.
    fn pass<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, Result<Action, Error>>;
}

/// Reconciles the context's kind of components, in one namespace or in all, until `stop`.
pub(super) async fn run(
    client: Client,
    context: Context,
    scope: Option<String>,
    watched: Vec<ChildKind>,
    stop: CancellationToken,
) {
    let context = Arc::new(context);
    let mut queue = SelectAll::new();
    for child in watched {
        queue.push(children(&client, &context, child, scope.as_deref()).boxed());
    }
    drive(&client, context, scope.as_deref(), queue, stop).await;
}

/// Has passes made over resources of the context's kind when they change or `queue` asks for them, until `stop`; passes that
/// have begun come to their end.
pub(super) async fn drive<C: Reconciles>(
    client: &Client,
    context: Arc<C>,
    scope: Option<&str>,
    mut queue: SelectAll<BoxStream<'static, Request>>,
    stop: CancellationToken,
) {
    let kind = context.kind();
    let (troubles, arrivals) = (context.clone(), context.clone());
    let writer = Writer::<Seen>::new(kind);
    let store = writer.as_reader();
    queue.push(resources(client, arrivals, scope, writer).boxed());
    let config = controller::Config::default().concurrency(context.concurrency());
    let passes = applier(
        move |seen: Arc<Seen>, context: Arc<C>| {
            let (namespace, name) = place(&seen.metadata);
            async move {
                let pass = context.pass(&namespace, &name);
                guarded(context.retries(), &namespace, &name, pass).await
            }
            .boxed()
        },
        move |seen: Arc<Seen>, error, context: Arc<C>| {
            let (namespace, name) = place(&seen.metadata);
            let problem = Chain(error).to_string();
            let delay = context.retries().after(&(namespace.clone(), name.clone()), error);
            tracing::warn!(
                kind = kind.as_str(),
                namespace,
                name,
                problem,
                "{kind} {namespace}/{name} is tried again in {delay:?}: {problem}"
            );
            Action::requeue(delay)
        },
        context,
        store,
        queue.take_until(stop.cancelled_owned()),
        config,
    );
    let mut passes = std::pin::pin!(passes);
    while let Some(passed) = passes.next().await {
        match passed {
            Err(controller::Error::QueueError(error)) => {
                let problem = Chain(&error).to_string();
                tracing::warn!(problem, "a watch of the Kubernetes API broke and starts again: {problem}");
            }
            // What comes under its name later is another resource.
            Err(controller::Error::ObjectNotFound(gone)) => {
                troubles.retries().forget(&(gone.namespace.unwrap_or_default(), gone.name));
            }
            // Failures of passes have been told where they were decided upon.
            Ok(_) | Err(_) => {}
        }
    }
}

/// The resources themselves: who changed, and what kube keeps of each.
fn resources<C: Reconciles>(
    client: &Client,
    context: Arc<C>,
    scope: Option<&str>,
    mut writer: Writer<Seen>,
) -> impl Stream<Item = Request> + use<C> {
    let (kind, reader) = (context.kind(), writer.as_reader());
    let events = watcher(api::<Arrival>(client, scope, &custom_resource(kind)), watcher::Config::default());
    events.default_backoff().try_filter_map(move |event| {
        let (event, whole) = parted(event);
        let touched = match &event {
            Event::Apply(seen) | Event::InitApply(seen) => {
                let (reference, key) = (ObjectRef::from_obj_with(seen, kind), place(&seen.metadata));
                let before = reader.get(&reference);
                let differs = before.is_none_or(|before| differs(&before.metadata, &seen.metadata));
                match whole {
                    Some(whole) if differs => context.fresh().put(key, whole),
                    Some(whole) => context.fresh().renew(&key, whole),
                    None => {}
                }
                differs.then_some(reference)
            }
            Event::Delete(seen) => {
                context.fresh().forget(&place(&seen.metadata));
                Some(ObjectRef::from_obj_with(seen, kind))
            }
            Event::Init | Event::InitDone => None,
        };
        writer.apply_watcher_event(&event);
        ready(Ok(touched.map(ReconcileRequest::from)))
    })
}

/// What is kept of a resource, and all of it where there is something new.
fn parted(event: Event<Arrival>) -> (Event<Seen>, Option<Object>) {
    let seen = |mut metadata: ObjectMeta| {
        trim(&mut metadata);
        Seen { metadata }
    };
    match event {
        Event::Apply(Arrival { metadata, whole }) => (Event::Apply(seen(metadata)), Some(whole)),
        Event::InitApply(Arrival { metadata, whole }) => (Event::InitApply(seen(metadata)), Some(whole)),
        Event::Delete(Arrival { metadata, .. }) => (Event::Delete(seen(metadata)), None),
        Event::Init => (Event::Init, None),
        Event::InitDone => (Event::InitDone, None),
    }
}

/// The children of one kind, in one namespace or in all: whose they are, if it should look at them.
fn children(
    client: &Client,
    context: &Arc<Context>,
    child: ChildKind,
    scope: Option<&str>,
) -> impl Stream<Item = Request> + use<> {
    let (context, kind) = (context.clone(), context.kind);
    let selector = format!("{}/component={}", definition::GROUP, kind.as_str().to_ascii_lowercase());
    let config = watcher::Config::default().labels(&selector);
    let events = watcher(api::<Watched>(client, scope, &child.resource()), config).default_backoff();
    let touched = events.map_ok(move |event| {
        let owners = context.children.on(child, event).into_iter();
        let owners = owners.map(move |(namespace, name)| {
            Ok(ObjectRef::new_with(&name, kind.into()).within(&namespace).into())
        });
        futures::stream::iter(owners)
    });
    touched.try_flatten()
}

pub(super) fn api<K>(client: &Client, namespace: Option<&str>, dynamic: &K::DynamicType) -> Api<K>
where
    K: Resource<Scope = DynamicResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, dynamic),
        None => Api::all_with(client.clone(), dynamic),
    }
}

/// Keeps what is compared.
fn trim(metadata: &mut ObjectMeta) {
    let mut annotations = metadata.annotations.take().unwrap_or_default();
    annotations.retain(|key, _| key.starts_with(definition::GROUP));
    *metadata = ObjectMeta {
        name: metadata.name.take(),
        namespace: metadata.namespace.take(),
        uid: metadata.uid.take(),
        generation: metadata.generation,
        resource_version: metadata.resource_version.take(),
        deletion_timestamp: metadata.deletion_timestamp.take(),
        annotations: (!annotations.is_empty()).then_some(annotations),
        ..ObjectMeta::default()
    };
}

/// Whether more than the status changed.
fn differs(before: &ObjectMeta, now: &ObjectMeta) -> bool {
    before.uid != now.uid
        || before.generation != now.generation
        || before.annotations != now.annotations
        || before.deletion_timestamp.is_some() != now.deletion_timestamp.is_some()
}

fn place(metadata: &ObjectMeta) -> (String, String) {
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}
