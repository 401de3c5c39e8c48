//! [client] What a step does, as a future that shares nothing with the loop and ends with an event.
//!
//! A panic in one is trouble with what it was about, and with nothing else.

use std::any::Any;
use std::collections::BTreeSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use isthmus_daemon::chain::Chain;
use isthmus_model::assignment::Assignment;
use isthmus_model::component::Object;
use isthmus_model::name::{Digest, Uid};
use isthmus_model::order::Generation;
use isthmus_model::reason::Reason;
use isthmus_sealing::PrivateKey;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::DynamicObject;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::connection::Connection;
use super::marks::{MANAGER, Share};
use super::place::Key;
use super::plan::{ConnectionKey, Run};
use super::proof::{Search, left};
use super::render::Rendered;
use super::sealed;
use crate::operator::api::{self, Api, Place};
use crate::operator::apply::{DEFAULTS, identified};
use crate::operator::child::custom_resource;

/// What a step is about; of each one step is carried out at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Resource(Key),
    Connection(ConnectionKey),
    /// The Secret of the component with this resource.
    Secret(Key),
    /// That nothing is left, of all that are asked for at the time.
    Proof,
}

/// How a step ended.
#[derive(Debug)]
pub(super) enum Event {
    /// The resource is what it shall be.
    Wrote(Run, Box<DynamicObject>),
    /// There is one where none was known of.
    Found(Key, Box<DynamicObject>),
    /// The deletion of this object was taken.
    Deleted(Key, Box<str>),
    /// The ConfigMap as it is.
    Connection(ConnectionKey, Box<ConfigMap>),
    /// It is gone.
    Disconnected(ConnectionKey),
    /// The Secret of the component with this resource is right.
    Kept(Key, Uid, Kept),
    /// What is left of the components that were asked for.
    Left(Vec<Gone>, BTreeSet<Key>),
    /// It did not come to its end.
    Failed(Subject, Error),
}

/// What a Secret was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// The identity of the custom resource that it goes with.
    pub(super) object: Box<str>,
    /// Of what travelled sealed.
    pub(super) digest: Digest,
}

/// A component whose resource is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gone {
    pub(super) uid: Uid,
    pub(super) generation: Generation,
    /// Where it was seen, if it was.
    pub(super) place: Option<Key>,
}

/// Why.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Api(api::Error),
    #[error("the API server answered with what is not {0}")]
    Answer(&'static str),
    #[error("{1}")]
    Secret(Reason, String),
    #[error("a step panicked: {0}")]
    Panicked(String),
}

/// A version that no object has: who expects it creates, and changes nothing that exists.
const NONE: &str = "1";

pub(super) type Effect = BoxFuture<'static, Event>;

/// The resource where none was seen. A watch shows only what has the label, so that there may be one all the same.
pub(super) fn create(api: Api, rendered: Rendered) -> Effect {
    let subject = Subject::Resource(rendered.run.key.clone());
    guarded(subject, async move {
        let Rendered { run, mut body, .. } = rendered;
        let place = run.key.place();
        if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
            metadata.insert("resourceVersion".to_owned(), NONE.into());
        }
        let refused = match api.apply(&place, &body, MANAGER, false).await {
            Ok(live) => return Ok(Event::Wrote(run, Box::new(typed(live, "a custom resource")?))),
            Err(error) if error.is_conflict() => error,
            Err(error) => return Err(Error::Api(error)),
        };
        match api.get(&place).await.map_err(Error::Api)? {
            Some(found) => Ok(Event::Found(run.key, Box::new(typed(found, "a custom resource")?))),
            // It went meanwhile.
            None => Err(Error::Api(refused)),
        }
    })
}

/// The resource over the one that was seen, if it is that one still.
pub(super) fn replace(api: Api, rendered: Rendered, object: Box<str>, version: Box<str>) -> Effect {
    let subject = Subject::Resource(rendered.run.key.clone());
    guarded(subject, async move {
        let Rendered { run, mut body, scaled, .. } = rendered;
        let place = run.key.place();
        let version = if scaled { leave_replicas(&api, &place, &object, version).await? } else { version };
        expect(&mut body, &object, &version);
        let live = api.apply(&place, &body, MANAGER, true).await.map_err(Error::Api)?;
        Ok(Event::Wrote(run, Box::new(typed(live, "a custom resource")?)))
    })
}

/// The number of instances that we set stays when an autoscaler takes it over: what nobody says any more would be gone. Gives
/// the version since.
async fn leave_replicas(
    api: &Api,
    place: &Place,
    object: &str,
    version: Box<str>,
) -> Result<Box<str>, Error> {
    let Some(live) = api.get(place).await.map_err(Error::Api)? else { return Ok(version) };
    let live: DynamicObject = typed(live, "a custom resource")?;
    let ours = live.metadata.managed_fields.iter().flatten().any(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        entry.manager.as_deref() == Some(MANAGER)
            && fields.is_some_and(|fields| fields.pointer("/f:spec/f:replicas").is_some())
    });
    let replicas = live.data.pointer("/spec/replicas").cloned();
    let Some(replicas) = replicas.filter(|_| ours && live.metadata.uid.as_deref() == Some(object)) else {
        return Ok(version);
    };
    let mut body = identified(place, object);
    body.insert("spec".to_owned(), json!({ "replicas": replicas }));
    expect(&mut body, object, &version);
    let live = api.apply(place, &body, DEFAULTS, false).await.map_err(Error::Api)?;
    let live: DynamicObject = typed(live, "a custom resource")?;
    Ok(live.metadata.resource_version.map_or(version, Into::into))
}

pub(super) fn delete(api: Api, key: Key, object: Box<str>) -> Effect {
    guarded(Subject::Resource(key.clone()), async move {
        api.delete_after_children(&key.place(), &object).await.map_err(Error::Api)?;
        Ok(Event::Deleted(key, object))
    })
}

/// The ConfigMap, over the one that was seen.
pub(super) fn connect(
    api: Api,
    share: &Share,
    connection: &Connection,
    over: Option<(Box<str>, Box<str>)>,
) -> Effect {
    let (key, mut body) = (connection.key.clone(), connection.body(share));
    guarded(Subject::Connection(key.clone()), async move {
        let place = key.place();
        let force = over.is_some();
        match &over {
            Some((object, version)) => expect(&mut body, object, version),
            None => {
                if let Some(found) = api.get(&place).await.map_err(Error::Api)? {
                    return Ok(Event::Connection(key, Box::new(typed(found, "a ConfigMap")?)));
                }
            }
        }
        let live = api.apply(&place, &body, MANAGER, force).await.map_err(Error::Api)?;
        Ok(Event::Connection(key, Box::new(typed(live, "a ConfigMap")?)))
    })
}

pub(super) fn disconnect(api: Api, key: ConnectionKey, object: Box<str>) -> Effect {
    guarded(Subject::Connection(key.clone()), async move {
        api.delete(&key.place(), &object).await.map_err(Error::Api)?;
        Ok(Event::Disconnected(key))
    })
}

/// The Secret of a component whose resource stands.
pub(super) fn keep_secret(
    (api, share, private, assignment): (Api, Share, Arc<PrivateKey>, Arc<Assignment>),
    key: Key,
    kept: Kept,
) -> Effect {
    guarded(Subject::Secret(key.clone()), async move {
        let resource = custom_resource(key.kind);
        let owner = OwnerReference {
            api_version: resource.api_version,
            kind: resource.kind,
            name: key.name.to_string(),
            uid: kept.object.to_string(),
            ..OwnerReference::default()
        };
        let written = sealed::keep(&api, &share, &private, &assignment, &key.namespace, owner).await;
        match written {
            Ok(_) => Ok(Event::Kept(key, assignment.uid, kept)),
            Err(sealed::Error::Api(error)) => Err(Error::Api(error)),
            Err(error @ sealed::Error::Open(_)) => {
                Err(Error::Secret(Reason::SecretUnreadable, Chain(&error).to_string()))
            }
            Err(error @ sealed::Error::Foreign(_)) => {
                Err(Error::Secret(Reason::ForeignObject, error.to_string()))
            }
        }
    })
}

pub(super) fn prove(api: Api, gone: Vec<Gone>, search: Search) -> Effect {
    guarded(Subject::Proof, async move {
        let left = left(&api, &search).await.map_err(Error::Api)?;
        Ok(Event::Left(gone, left))
    })
}

impl Key {
    /// Where it stands.
    fn place(&self) -> Place {
        Place {
            resource: custom_resource(self.kind),
            namespace: self.namespace.to_string(),
            name: self.name.to_string(),
        }
    }
}

/// Has the API server refuse the body unless the object is the one that was seen, and as it was seen.
fn expect(body: &mut Object, object: &str, version: &str) {
    if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
        metadata.insert("uid".to_owned(), object.into());
        metadata.insert("resourceVersion".to_owned(), version.into());
    }
}

fn typed<T: DeserializeOwned>(object: Object, what: &'static str) -> Result<T, Error> {
    serde_json::from_value(Value::Object(object)).map_err(|_| Error::Answer(what))
}

fn guarded(subject: Subject, effect: impl Future<Output = Result<Event, Error>> + Send + 'static) -> Effect {
    let guarded = async move {
        match AssertUnwindSafe(effect).catch_unwind().await {
            Ok(Ok(event)) => event,
            Ok(Err(error)) => Event::Failed(subject, error),
            Err(panic) => Event::Failed(subject, Error::Panicked(words(&*panic))),
        }
    };
    guarded.boxed()
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it said nothing".to_owned())
}
