//! The operator: custom resources of Function Mesh become workloads of Kubernetes, whoever wrote them.
//!
//! ```text
//! custom resource ▶ dereference [client] ▶ validate ▶ build ▶ apply [client] ▶ status [client]
//!                        ▲                                        │
//!        controller: watches, queue, one pass at a time ◀─ children (a few numbers each)
//!        └▶ fresh: what has just come
//! ```
//!
//! A FunctionMesh becomes custom resources first, by the same stages.
//!
//! Validate and build are pure: what would be applied can be printed without a cluster. The operator knows no gateway: it goes
//! on while there is none.

use std::collections::BTreeSet;
use std::time::Duration;

use isthmus_daemon::backoff::{self, Policy};
use isthmus_daemon::chain::Chain;
use isthmus_model::component::ComponentKind;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config as ClientConfig};
use tokio_util::sync::CancellationToken;

pub mod config;
mod owner;
pub(crate) mod child;
pub(crate) mod api;
mod fresh;
mod dereference;
pub mod backend;
mod validate;
mod build;
pub(crate) mod difference;
mod children;
pub(crate) mod apply;
mod status;
mod reconcile;
mod retry;
mod controller;
mod mesh;
pub mod render;

pub use config::Config;
pub use reconcile::Between;

pub(crate) use child::custom_resource;

use crate::leader::Tenure;
use child::ChildKind;
use children::Children;
use dereference::References;
use fresh::Fresh;
use reconcile::Context;
use retry::Retries;

/// The kinds that are reconciled.
pub(crate) const KINDS: [ComponentKind; 1] = [ComponentKind::Function];

/// A connection on which nothing came for so long is dead: on a watch the API server says something each minute, or a little later.
const SILENCE: Duration = Duration::from_secs(90);

/// The operator, before it runs.
pub struct Operator {
    client: Client,
    config: Config,
    between: Option<Between>,
    tenure: Tenure,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator").field("config", &self.config).finish_non_exhaustive()
    }
}

/// There is no way to the cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file with the way to the API server.
    #[error("cannot read the kubeconfig {}", path.display())]
    Kubeconfig {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        source: kube::config::KubeconfigError,
    },
    /// There is no way to an API server.
    #[error(
        "found no way to a Kubernetes API server; set target.kubernetes.kubeconfig, or run in a pod with a service account"
    )]
    NoWay(#[source] kube::config::InferConfigError),
    /// What is known of the API server is not usable.
    #[error("cannot make a client for the Kubernetes API")]
    Client(#[source] kube::Error),
}

/// Finds the way to the API server; whether that answers shows later, and it may come later.
///
/// # Errors
/// There is no kubeconfig and no service account, or one that cannot be used.
pub async fn client(config: &Config) -> Result<Client, Error> {
    let mut found = match &config.kubeconfig {
        Some(path) => {
            let failed = |source| Error::Kubeconfig { path: path.clone(), source };
            let file = Kubeconfig::read_from(path).map_err(failed)?;
            let options = KubeConfigOptions::default();
            ClientConfig::from_custom_kubeconfig(file, &options).await.map_err(failed)?
        }
        None => ClientConfig::infer().await.map_err(Error::NoWay)?,
    };
    // Calls are tried again by whoever makes them, who knows whether they still matter.
    found.default_retry = false;
    found.read_timeout = Some(SILENCE);
    Client::try_from(found).map_err(Error::Client)
}

impl Operator {
    /// An operator for the cluster whose API server `client` calls.
    pub fn new(client: Client, config: Config) -> Self {
        Self { client, config, between: None, tenure: Tenure::unbounded() }
    }

    /// Has `between` called in each pass, between reading a resource and validating it, with namespace and name.
    #[must_use]
    pub fn with(self, between: Between) -> Self {
        Self { between: Some(between), ..self }
    }

    /// Has it write only while `tenure` lasts.
    #[must_use]
    pub fn under(self, tenure: Tenure) -> Self {
        Self { tenure, ..self }
    }

    /// Reconciles until `stop`. What runs in the cluster goes on without it.
    pub async fn run(self, stop: CancellationToken) {
        let Self { client, config, between, tenure } = self;
        let watched = watched(&client, &stop).await;
        // Each once, however often it is named: two controllers of one resource would undo each other's work.
        let namespaces: BTreeSet<&String> = config.namespaces.iter().collect();
        let scopes: Vec<Option<String>> = if namespaces.is_empty() {
            vec![None]
        } else {
            namespaces.into_iter().cloned().map(Some).collect()
        };
        let api = api::Api::new(client.clone(), tenure);
        let controllers = KINDS.into_iter().flat_map(|kind| scopes.iter().map(move |scope| (kind, scope)));
        let controllers = controllers.map(|(kind, scope)| {
            let context = Context {
                kind,
                api: api.clone(),
                config: config.clone(),
                fresh: Fresh::default(),
                children: Children::default(),
                references: References::default(),
                retries: Retries::default(),
                between: between.clone(),
            };
            controller::run(client.clone(), context, scope.clone(), watched.clone(), stop.clone())
        });
        let meshes = scopes.iter().map(|scope| {
            let context = mesh::Context::new(api.clone(), config.clone());
            mesh::run(client.clone(), context, scope.clone(), stop.clone())
        });
        futures::join!(futures::future::join_all(controllers), futures::future::join_all(meshes));
    }
}

/// The kinds of children that this API server has. Vertical autoscalers come with an add-on: without it a watch of them would
/// fail for ever. Asked until it answers, for nothing can be reconciled before that.
async fn watched(client: &Client, stop: &CancellationToken) -> Vec<ChildKind> {
    let vertical = ChildKind::VerticalPodAutoscaler;
    let version = vertical.resource().api_version;
    let mut delays = Policy::default().start(backoff::seed());
    let ask = async {
        loop {
            match client.list_api_group_resources(&version).await {
                Ok(_) => return true,
                Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => return false,
                Err(error) => {
                    let (problem, delay) = (Chain(&error).to_string(), delays.next_delay());
                    tracing::warn!(problem, "the Kubernetes API is asked again in {delay:?}: {problem}");
                    tokio::time::sleep(delay).await;
                }
            }
        }
    };
    let has = stop.run_until_cancelled(ask).await.unwrap_or(false);
    ChildKind::WATCHED.into_iter().filter(|kind| *kind != vertical || has).collect()
}
