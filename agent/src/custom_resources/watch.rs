//! [client] What changes in the cluster: one watch for each namespace and kind, of what has our label.

use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt};
use isthmus_daemon::chain::Chain;
use isthmus_model::component::ComponentKind;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::DynamicObject;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};

use super::marks::LABEL;
use super::seen::Listing;
use crate::operator::KINDS;
use crate::operator::child::custom_resource;

/// What a watch says.
#[derive(Debug)]
pub(super) enum Watched {
    Resource(ComponentKind, Box<str>, Event<DynamicObject>),
    Connection(Box<str>, Event<ConfigMap>),
}

/// All watches, and what each of them lists first.
pub(super) fn watch(
    client: &Client,
    namespaces: &[Box<str>],
) -> (SelectAll<BoxStream<'static, Watched>>, Vec<Listing>) {
    let mut all: SelectAll<BoxStream<'static, Watched>> = SelectAll::new();
    let mut listings = Vec::new();
    let config = || watcher::Config::default().labels(LABEL);
    for namespace in namespaces {
        for kind in KINDS {
            let api = Api::namespaced_with(client.clone(), namespace, &custom_resource(kind));
            let within = namespace.clone();
            let events = told(watcher(api, config()), kind.plural(), namespace);
            all.push(events.map(move |event| Watched::Resource(kind, within.clone(), event)).boxed());
            listings.push(Listing { kind: Some(kind), namespace: namespace.clone() });
        }
        let within = namespace.clone();
        let events =
            told(watcher(Api::namespaced(client.clone(), namespace), config()), "configmaps", namespace);
        all.push(events.map(move |event| Watched::Connection(within.clone(), event)).boxed());
        listings.push(Listing { kind: None, namespace: namespace.clone() });
    }
    (all, listings)
}

/// The events, with what breaks the watch in the log; it starts again by itself.
fn told<K: kube::Resource + Clone + Send + 'static>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
    what: &'static str,
    namespace: &str,
) -> impl Stream<Item = Event<K>> + Send + 'static {
    let namespace = namespace.to_owned();
    events.default_backoff().filter_map(move |event| {
        let event = match event {
            Ok(event) => Some(event),
            Err(error) => {
                let problem = Chain(&error).to_string();
                tracing::warn!(
                    problem,
                    namespace,
                    "the watch of {what} in namespace {namespace} broke and starts again: {problem}"
                );
                None
            }
        };
        std::future::ready(event)
    })
}
