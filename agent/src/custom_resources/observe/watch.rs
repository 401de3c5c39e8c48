//! [client] The watches: custom resources of ours and pods of components, by their labels.
//!
//! kube lists anew what broke, and waits between attempts. Nothing is cached here: each event is read once and dropped.

use std::sync::Arc;

use futures::stream::{BoxStream, SelectAll};
use futures::{StreamExt, future::ready};
use isthmus_daemon::chain::Chain;
use isthmus_model::component::ComponentKind;
use k8s_openapi::api::core::v1::Pod;
use kube::core::ApiResource;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client};

use super::names::KIND_LABEL;
use super::{pod, resource};
use crate::custom_resources::marks::{ASSIGNED, LABEL};
use crate::operator::custom_resource;

/// What a watch says.
pub(super) enum Event {
    Resource { kind: ComponentKind, namespace: Arc<str>, event: Box<watcher::Event<resource::Watched>> },
    Pod { namespace: Arc<str>, event: Box<watcher::Event<pod::Watched>> },
}

/// Objects listed at a time. They are whole until they have been read: a page of pods can be a megabyte.
const PAGE: u32 = 100;

/// What happens in these namespaces, for ever.
pub(super) fn events(
    client: &Client,
    namespaces: &[String],
    kinds: &[ComponentKind],
) -> SelectAll<BoxStream<'static, Event>> {
    let mut events: SelectAll<BoxStream<'static, Event>> = SelectAll::new();
    for namespace in namespaces {
        let namespace: Arc<str> = namespace.as_str().into();
        for kind in kinds.iter().copied() {
            let api = Api::namespaced_with(client.clone(), &namespace, &custom_resource(kind));
            let namespace = namespace.clone();
            let of =
                move |event| Event::Resource { kind, namespace: namespace.clone(), event: Box::new(event) };
            events.push(watch(api, &format!("{LABEL}={ASSIGNED}")).map(of).boxed());
        }
        let api = Api::namespaced_with(client.clone(), &namespace, &ApiResource::erase::<Pod>(&()));
        let of = move |event| Event::Pod { namespace: namespace.clone(), event: Box::new(event) };
        events.push(watch(api, KIND_LABEL).map(of).boxed());
    }
    events
}

fn watch<K>(api: Api<K>, selector: &str) -> BoxStream<'static, watcher::Event<K>>
where
    K: kube::Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let config = watcher::Config::default().labels(selector).page_size(PAGE);
    let events = watcher(api, config).default_backoff();
    let events = events.filter_map(|event| {
        ready(match event {
            Ok(event) => Some(event),
            Err(error) => {
                let problem = Chain(&error).to_string();
                tracing::warn!(
                    problem,
                    "a watch of the share in Kubernetes broke and starts again: {problem}"
                );
                None
            }
        })
    });
    events.boxed()
}
