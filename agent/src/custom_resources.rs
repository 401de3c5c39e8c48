//! The cluster's share as custom resources of Function Mesh, where there is a Kubernetes.
//!
//! ```text
//! desired ▶ render (pure) ─┐
//! watch ▶ found ───────────┴▶ plan (pure) ▶ driver [client]: delete, create, replace ▶ what cannot be done: observe
//!                                             custom resources ▶ the operator's, as those of anybody
//! custom resources, pods, what instances count ▶ observe: what the gateway is told of what runs
//! ```
//!
//! What is true of each component is the custom resource that stands for it: its annotations say whose it is and which
//! generation, so that nothing has to be remembered beside it, and what a person does to it is seen and undone.

use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use isthmus_daemon::clock::Clock;
use isthmus_model::cluster::Declared;
use isthmus_model::name::{ClusterName, Uid};
use isthmus_model::resources;
use isthmus_sealing::PrivateKey;
use kube::Client;
use tokio_util::sync::CancellationToken;

pub mod config;
pub(crate) mod marks;
mod place;
mod connection;
mod render;
mod sealed;
mod plan;
mod seen;
mod proof;
mod effect;
mod troubles;
mod watch;
mod driver;
pub(crate) mod position;
pub mod observe;
pub mod logs;

pub use config::Config;

use crate::lease::Lease;
use crate::target::{DesiredHandle, LogOptions, Observe, Packages, Target};
use driver::{Driver, Parts};
use marks::Share;
use observe::{Observer, Way};
use position::Position;

/// The runtimes that pods have images for.
const RUNTIMES: [&str; 4] = ["java", "python", "go", "generic"];

/// A Kubernetes cluster as a place to run.
pub struct CustomResources {
    client: Client,
    share: Share,
    config: Arc<Config>,
    key: Arc<PrivateKey>,
    clock: Arc<dyn Clock>,
    observer: Observer,
    way: Way,
}

impl std::fmt::Debug for CustomResources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomResources").field("share", &self.share).finish_non_exhaustive()
    }
}

impl CustomResources {
    /// The share of `cluster` in the federation of this trust domain, where `client` calls the API server and instances are
    /// asked what they count by `way`.
    pub fn new(
        client: Client,
        way: Way,
        federation: String,
        cluster: ClusterName,
        config: Config,
        key: PrivateKey,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let share = Share { federation, cluster };
        let observer = Observer::new(share.clone(), config.figures.clone(), clock.clone());
        Self { client, share, config: Arc::new(config), key: Arc::new(key), clock, observer, way }
    }
}

impl CustomResources {
    /// What keeps how far the share has come.
    pub(crate) fn position(&self) -> Position {
        Position::new(self.client.clone(), self.share.clone(), self.config.namespace.clone())
    }
}

impl Target for CustomResources {
    type Error = std::convert::Infallible;
    type LogError = logs::Error;

    async fn declare(&self) -> Declared {
        let config::Capacity { cpu_millis, memory, instances } = self.config.capacity;
        let or_any = |given: u64| if given == 0 { u64::MAX } else { given };
        Declared {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: RUNTIMES.map(str::to_owned).to_vec(),
            capacity: resources::Capacity {
                cpu_millis: or_any(cpu_millis),
                memory_bytes: or_any(memory.as_u64()),
                instances: or_any(instances),
            },
            sealing_key: Some(self.key.public()),
        }
    }

    async fn run<O: Observe, P: Packages>(
        self: Arc<Self>,
        desired: DesiredHandle,
        observe: O,
        _packages: P,
        _lease: Lease,
        stop: CancellationToken,
    ) -> Result<(), Self::Error> {
        let parts = Parts {
            client: self.client.clone(),
            share: self.share.clone(),
            config: self.config.clone(),
            clock: self.clock.clone(),
            key: self.key.clone(),
            observe: observe.clone(),
        };
        let (observer, namespaces) = (self.observer.clone(), self.config.namespaces());
        tokio::join!(
            Driver::new(parts).run(desired, stop.clone()),
            observer.run(self.client.clone(), namespaces, self.way, observe, stop),
        );
        Ok(())
    }

    async fn logs(
        &self,
        uid: Uid,
        instance: u32,
        options: LogOptions,
    ) -> Result<impl Stream<Item = Result<Bytes, logs::Error>> + Send + 'static, logs::Error> {
        logs::open(&self.client, &self.observer, uid, instance, options).await
    }
}
