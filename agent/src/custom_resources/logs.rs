//! [client] Reading the log of an instance: what its pod's container writes, over the API server.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use isthmus_model::name::Uid;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, Client};
use tokio_util::compat::FuturesAsyncReadCompatExt;
use tokio_util::io::ReaderStream;

use super::observe::{Observer, names};
use crate::target::LogOptions;

/// A log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing of the component is in this cluster.
    #[error(
        "{uid} has no custom resource in this cluster; `isthmus describe` says where it runs and what is in the way"
    )]
    NoResource {
        /// Which component.
        uid: Uid,
    },
    /// There is no such pod.
    #[error(
        "there is no pod {pod} in namespace {namespace}: instance {instance} does not exist (yet); `isthmus describe` says how many there are and what is in the way"
    )]
    NoPod {
        /// Which instance.
        instance: u32,
        /// Its pod's Kubernetes namespace.
        namespace: String,
        /// Its pod.
        pod: String,
    },
    /// There is a pod and no log.
    #[error(
        "pod {pod} in namespace {namespace} has no log yet ({why}); `isthmus describe` says why it does not start"
    )]
    NotStarted {
        /// Its Kubernetes namespace.
        namespace: String,
        /// Which pod.
        pod: String,
        /// In the API server's words.
        why: String,
    },
    /// The agent may not read it.
    #[error(
        "the agent may not read logs in namespace {namespace}; give its account the right to get pods/log there ({why})"
    )]
    Forbidden {
        /// The Kubernetes namespace.
        namespace: String,
        /// In the API server's words.
        why: String,
    },
    /// The API server does not give it.
    #[error("cannot read the log of pod {pod} in namespace {namespace}")]
    Call {
        /// Its Kubernetes namespace.
        namespace: String,
        /// Which pod.
        pod: String,
        /// Why.
        source: kube::Error,
    },
    /// No answer came.
    #[error("the Kubernetes API gave no answer for the log of pod {pod} in namespace {namespace} within {} s; ask again", PATIENCE.as_secs())]
    Late {
        /// Its Kubernetes namespace.
        namespace: String,
        /// Which pod.
        pod: String,
    },
    /// It broke off.
    #[error("the log of pod {pod} in namespace {namespace} broke off; ask for it again")]
    Broken {
        /// Its Kubernetes namespace.
        namespace: String,
        /// Which pod.
        pod: String,
        /// Why.
        source: std::io::Error,
    },
}

/// The size of a piece; small enough that a slow reader costs little.
const PIECE: usize = 16 * 1024;

/// An API server that says nothing for so long will not answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Opens the log of one instance.
///
/// # Errors
/// There is none, or the API server does not give it.
pub(super) async fn open(
    client: &Client,
    observer: &Observer,
    uid: Uid,
    instance: u32,
    options: LogOptions,
) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + 'static, Error> {
    let key = observer.place(uid).ok_or(Error::NoResource { uid })?;
    let (namespace, pod) = (key.namespace.to_string(), names::pod(&key, instance));
    // Of a pod without a node the API server says that its log is empty.
    if let Some(why) = observer.unscheduled(&key, instance) {
        return Err(Error::NotStarted { namespace, pod, why });
    }
    let api: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let params = LogParams {
        container: Some(names::container(key.kind).to_owned()),
        follow: options.follow,
        tail_lines: options.tail.map(i64::from),
        ..LogParams::default()
    };
    let log = match tokio::time::timeout(PATIENCE, api.log_stream(&pod, &params)).await {
        Ok(Ok(log)) => log,
        Ok(Err(source)) => return Err(refused(namespace, pod, instance, source)),
        Err(_) => return Err(Error::Late { namespace, pod }),
    };
    let pieces = ReaderStream::with_capacity(log.compat(), PIECE);
    Ok(pieces.map_err(move |source| Error::Broken { namespace: namespace.clone(), pod: pod.clone(), source }))
}

/// What the API server's answer means here.
fn refused(namespace: String, pod: String, instance: u32, source: kube::Error) -> Error {
    match &source {
        kube::Error::Api(status) => match status.code {
            404 => Error::NoPod { instance, namespace, pod },
            400 => Error::NotStarted { namespace, pod, why: status.message.clone() },
            403 => Error::Forbidden { namespace, why: status.message.clone() },
            _ => Error::Call { namespace, pod, source },
        },
        _ => Error::Call { namespace, pod, source },
    }
}
