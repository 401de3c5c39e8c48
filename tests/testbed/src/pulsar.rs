//! A real Pulsar: its own standalone server, one or several side by side.
//!
//! A server is ready in about ten seconds and takes 350 MB. Its functions worker is off unless it is asked for, because Isthmus
//! runs the functions itself. Ports and data outlive a crash of the server, so it can be killed and started again as the same
//! cluster.

mod standalone;
mod security;
mod replication;

use std::{net::Ipv4Addr, path::Path};

use tokio::net::TcpStream;

use crate::{
    admin,
    cache::Cache,
    fs,
    kubernetes::{Bridge, PlaceError},
    ports::{self, Port},
    provision::{self, PulsarHome},
    run::Run,
    server::{self, Server},
};
pub use security::Security;
use standalone::Ports;

/// A Pulsar server could not be started, changed or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What it is made of could not be provided.
    #[error("cannot start Pulsar")]
    Provision(#[source] provision::Error),
    /// No port was free.
    #[error("cannot start Pulsar")]
    Ports(#[source] ports::Error),
    /// The bridge of the Kubernetes clusters could not be made.
    #[error("cannot start Pulsar where Kubernetes clusters reach it")]
    Bridge(#[source] PlaceError),
    /// Its directory could not be made.
    #[error("cannot start Pulsar")]
    Files(#[source] fs::Error),
    /// It did not start or stop.
    #[error(transparent)]
    Server(server::Error),
    /// Its certificate could not be made.
    #[error("cannot make the certificate of Pulsar")]
    Certificate(#[source] rcgen::Error),
    /// Its token could not be made.
    #[error("cannot make a token with Pulsar's own program")]
    Tokens(#[source] std::io::Error),
    /// It refused what its admin API was asked for.
    #[error("cannot {attempted}")]
    Admin {
        /// Completes the sentence.
        attempted: String,
        /// The server's word.
        source: admin::Error,
    },
}

/// From where a server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// From the host alone.
    #[default]
    Host,
    /// From the host and from the pods of Kubernetes clusters, at one address.
    Clusters,
}

/// What a server shall be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulsarOptions {
    /// Pulsar's own name of the cluster.
    pub cluster: String,
    /// Whether functions can keep state (the table service). Package management is off then.
    pub state_store: bool,
    /// Whether Pulsar's own functions worker runs in the broker.
    pub functions_worker: bool,
    /// Whether it has TLS ports and takes nobody without a token.
    pub secured: bool,
    /// From where it is reached.
    pub reach: Reach,
}

impl PulsarOptions {
    /// A plain server of this name.
    pub fn named(cluster: impl Into<String>) -> Self {
        Self {
            cluster: cluster.into(),
            state_store: false,
            functions_worker: false,
            secured: false,
            reach: Reach::Host,
        }
    }

    /// With the table service.
    #[must_use]
    pub fn with_state_store(self) -> Self {
        Self { state_store: true, ..self }
    }

    /// With TLS beside its plain ports, and tokens on all of them.
    #[must_use]
    pub fn secured(self) -> Self {
        Self { secured: true, ..self }
    }

    /// With Pulsar's own functions worker.
    #[must_use]
    pub fn with_functions_worker(self) -> Self {
        Self { functions_worker: true, ..self }
    }

    /// At an address that pods of Kubernetes clusters reach, as does the host.
    #[must_use]
    pub fn reachable_from_clusters(self) -> Self {
        Self { reach: Reach::Clusters, ..self }
    }

    fn address(&self) -> Ipv4Addr {
        match self.reach {
            Reach::Host => Ipv4Addr::LOCALHOST,
            Reach::Clusters => Bridge::address(),
        }
    }
}

/// A running server; dropping it kills it and removes its data.
#[derive(Debug)]
pub struct Pulsar {
    options: PulsarOptions,
    home: PulsarHome,
    /// Declared before what it uses, so that it is dropped first.
    server: Server,
    run: Run,
    ports: Ports,
    security: Option<Security>,
    /// Holds the address, where it is the bridge's.
    _bridge: Option<Bridge>,
}

impl Pulsar {
    /// Provides, starts and waits until the server takes messages.
    pub async fn start(cache: &Cache, options: PulsarOptions) -> Result<Self, Error> {
        let home = cache.pulsar().await.map_err(Error::Provision)?;
        let run = Run::create(cache, "pulsar").map_err(Error::Files)?;
        let ports = Ports::lease(cache).map_err(Error::Ports)?;
        let bridge =
            (options.reach == Reach::Clusters).then(Bridge::hold).transpose().map_err(Error::Bridge)?;
        let security = options.secured.then(|| Security::make(&home, run.dir())).transpose()?;
        standalone::configure(&home, &options, &ports, security.as_ref(), run.dir()).map_err(Error::Files)?;
        let program = standalone::program(&home, &options, &ports, run.dir());
        let server =
            Server::new(format!("the Pulsar cluster {}", options.cluster), program, run.dir().join("log"));
        let mut pulsar = Self { options, home, server, run, ports, security, _bridge: bridge };
        pulsar.resume().await?;
        Ok(pulsar)
    }

    /// Starts several side by side that know one another as replication peers: any tenant made by
    /// [`Pulsar::create_replicated_namespace`] is replicated between all of them.
    pub async fn start_replicated(cache: &Cache, all: Vec<PulsarOptions>) -> Result<Vec<Self>, Error> {
        let mut servers = Vec::with_capacity(all.len());
        for options in all {
            // One after the other: two that start at once on two cores take as long, and log across each other.
            servers.push(Self::start(cache, options).await?);
        }
        replication::introduce(&servers).await?;
        Ok(servers)
    }

    /// Makes a namespace, and its tenant, on all of `servers`, replicated between them.
    pub async fn create_replicated_namespace(
        servers: &[Self],
        tenant: &str,
        namespace: &str,
    ) -> Result<(), Error> {
        replication::create_namespace(servers, tenant, namespace).await
    }

    /// Pulsar's own name of the cluster.
    pub fn cluster(&self) -> &str {
        &self.options.cluster
    }

    /// Where clients connect, `pulsar://…`, or `pulsar+ssl://…` where it is secured.
    pub fn service_url(&self) -> String {
        match &self.security {
            Some(_) => format!("pulsar+ssl://{}:{}", self.options.address(), self.ports.broker_tls),
            None => format!("pulsar://{}:{}", self.options.address(), self.ports.broker),
        }
    }

    /// Where the admin API is, `http://…`, or `https://…` where it is secured.
    pub fn admin_url(&self) -> String {
        match &self.security {
            Some(_) => format!("https://{}:{}", self.options.address(), self.ports.web_tls),
            None => format!("http://{}:{}", self.options.address(), self.ports.web),
        }
    }

    /// What clients need, if this server is secured.
    pub fn security(&self) -> Option<&Security> {
        self.security.as_ref()
    }

    /// Where functions keep state, `bk://…`, if this server was asked for it.
    pub fn state_storage_url(&self) -> Option<String> {
        let address = self.options.address();
        self.options.state_store.then(|| format!("bk://{address}:{}", self.ports.stream_storage))
    }

    /// The distribution that it runs from.
    pub fn home(&self) -> &PulsarHome {
        &self.home
    }

    /// Where its output goes; it lives as long as the server.
    pub fn log(&self) -> &Path {
        self.server.log()
    }

    /// Its directory: configuration, data and log.
    pub fn dir(&self) -> &Path {
        self.run.dir()
    }

    /// Makes a subscription at the begin of a topic (and the topic), so that nothing sent from now on is trimmed before it is
    /// read. Unlike a consumer, it does not fix the topic's schema. That it exists already is fine.
    pub async fn create_subscription(&self, topic: &str, subscription: &str) -> Result<(), Error> {
        let path = topic.replacen("://", "/", 1);
        let url = format!("{}/admin/v2/{path}/subscription/{subscription}", self.admin_url());
        match admin::send(reqwest::Method::PUT, &url, &serde_json::json!("earliest")).await {
            Err(error) if error.status() != Some(reqwest::StatusCode::CONFLICT) => {
                Err(Error::Admin { attempted: format!("subscribe {subscription} to {topic}"), source: error })
            }
            _ => Ok(()),
        }
    }

    /// Makes a topic of several partitions.
    pub async fn create_partitioned_topic(&self, topic: &str, partitions: u32) -> Result<(), Error> {
        let path = topic.replacen("://", "/", 1);
        let url = format!("{}/admin/v2/{path}/partitions", self.admin_url());
        match admin::send(reqwest::Method::PUT, &url, &serde_json::json!(partitions)).await {
            Ok(_) => Ok(()),
            Err(source) => {
                Err(Error::Admin { attempted: format!("make {topic} with {partitions} partitions"), source })
            }
        }
    }

    /// Kills the server without warning; ports and data stay.
    pub async fn crash(&mut self) -> Result<(), Error> {
        self.server.crash().await.map_err(Error::Server)
    }

    /// Starts it again on the same ports and data, if it does not run.
    ///
    /// A bookie that was killed stands in the metadata until its session is over, up to 30 s, and one that comes back sooner
    /// ends itself: it is started again then, as a supervisor would.
    pub async fn resume(&mut self) -> Result<(), Error> {
        const STARTS: usize = 4;
        let Self { options, server, run, ports, security, .. } = self;
        let token = security.as_ref().map(Security::token);
        let checks = checks(options, ports);
        let mut start = 1;
        loop {
            let ready = async || {
                ready(
                    &checks,
                    token,
                    options.state_store.then_some((options.address(), &ports.stream_storage)),
                )
                .await
            };
            match server.resume(run, ready).await {
                Err(server::Error::Ended { .. }) if start < STARTS => start += 1,
                other => return other.map_err(Error::Server),
            }
        }
    }

    /// Stops it in good order and removes its data.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.server.stop().await.map(drop).map_err(Error::Server)
    }
}

/// What answers once the server is ready. The broker's own check sends itself a message.
fn checks(options: &PulsarOptions, ports: &Ports) -> Vec<String> {
    let mut paths = vec!["brokers/health"];
    if options.functions_worker {
        paths.push("worker/cluster/leader");
    }
    paths
        .into_iter()
        .map(|path| format!("http://{}:{}/admin/v2/{path}", options.address(), ports.web))
        .collect()
}

async fn ready(
    checks: &[String],
    token: Option<&str>,
    state_store: Option<(Ipv4Addr, &Port)>,
) -> Result<(), String> {
    for url in checks {
        admin::get_as(url, token).await.map_err(|error| error.to_string())?;
    }
    if let Some((address, port)) = state_store {
        let connected = TcpStream::connect((address, port.number())).await;
        connected.map_err(|error| format!("the state store does not listen: {error}"))?;
    }
    Ok(())
}
