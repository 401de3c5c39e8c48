//! The composition root: builds the parts, connects them in the order of the data, and spawns their tasks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use isthmus_daemon::backoff;
use isthmus_daemon::chain::Chain;
use isthmus_daemon::program::{BoxError, Server};
use isthmus_daemon::tasks::{OnFailure, OnShutdown, Stage};
use isthmus_model::cluster::Declared;
use kube::Client;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config};
use crate::custom_resources::CustomResources;
use crate::custom_resources::position::{Position, Reached};
use crate::host::LocalTarget;
use crate::host::attached::AdminApi;
use crate::inbox;
use crate::inbox::budget::Budget;
use crate::leader;
use crate::lease;
use crate::link::address::GatewayAddress;
use crate::link::identity::Identity;
use crate::link::{self, Link, enrol, fetch};
use crate::operator::{self, Operator};
use crate::package::serve::PackageServer;
use crate::package::{self, Cache};
use crate::report::Reports;
use crate::sealing_key;
use crate::target::Target;

/// Why the agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory.
    #[error("cannot use the data directory {}", path.display())]
    Data {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What the cluster shall run.
    #[error("cannot read what this cluster shall run")]
    Inbox(#[source] inbox::file::Error),
    /// The key for secrets.
    #[error("cannot open secrets")]
    SealingKey(#[source] sealing_key::Error),
    /// Custom resources say whose they are.
    #[error(
        "the agent's certificate does not say which federation it is of, so that custom resources could not be told from those of others; join anew with another token"
    )]
    NoFederation,
    /// A task that was cut off.
    #[error("cannot start")]
    Cut(#[source] tokio::task::JoinError),
}

/// How long tasks may take to end. A write of the inbox is the longest.
const DRAIN: OnShutdown = OnShutdown::Drain { deadline: Duration::from_secs(10) };
/// How often the target is asked what it can do: an interpreter that was installed meanwhile counts from then on.
const DECLARE: Duration = Duration::from_mins(1);

/// Builds the agent and spawns its tasks; returns once it runs. Where no gateway can be reached and the agent has never
/// joined, it waits for one.
pub async fn start(config: Config, server: Server) -> Result<(), BoxError> {
    let Config { data, gateways, join_token_file, link, delete_budget, packages, target, .. } = config;
    let Server { tasks, readiness, clock, .. } = &server;
    let config::Target { host, kubernetes, custom_resources } = target;
    // First, because it needs no gateway: what is in the cluster is kept as it shall be however long the others take.
    let kubernetes = match kubernetes {
        Some(kubernetes) => {
            let runs = readiness.require("operator");
            let client = operator::client(&kubernetes).await?;
            let way = custom_resources.figures.way(kubernetes.kubeconfig.as_deref());
            let lease = kubernetes.leader.clone();
            let operator = Operator::new(client.clone(), kubernetes);
            match lease {
                Some(lease) => operate_when_elected(operator, client.clone(), lease, &server),
                None => tasks
                    .spawn("operator", OnFailure::EndProcess, Stage::Drain, DRAIN, |stop| operator.run(stop)),
            }
            runs.holds();
            Some((client, way))
        }
        None => None,
    };
    if gateways.is_empty() {
        return Ok(());
    }
    let joined = readiness.require("join");
    make_private(&data).map_err(|source| Error::Data { path: data.clone(), source })?;
    let enrolment = enrol::Config {
        directory: &data,
        gateways: &gateways,
        token_file: join_token_file.as_deref(),
        dial: link.dial,
    };
    let identity = Arc::new(enrolled(enrolment, link.backoff).await?);
    joined.holds();

    let share = Share { data, gateways, link, delete_budget, packages, identity };
    let key = sealing_key::load_or_make(&share.data).map_err(Error::SealingKey)?;
    tracing::info!(key.id = %key.public().id(), "secrets for this cluster are sealed to key {}", key.public().id());
    if let Some((client, way)) = kubernetes {
        let federation = share.identity.federation().ok_or(Error::NoFederation)?;
        let cluster = share.identity.cluster();
        let target =
            CustomResources::new(client, way, federation, cluster, custom_resources, key, clock.clone());
        let position = target.position();
        return share.run_on(Arc::new(target), Some(position), &server).await;
    }
    // First, because it tells best that another agent has the directory.
    let attachments = AdminApi::new(host.poll.timeout);
    let target = LocalTarget::open(&share.data, host, key, clock.clone(), attachments).await?;
    share.run_on(Arc::new(target), None, &server).await
}

/// Has the operator work once this agent holds the Lease. One that waits for it has its work, and is as ready as it can be; one
/// that loses it ends, and waits when it is started again.
fn operate_when_elected(operator: Operator, client: Client, lease: leader::Config, server: &Server) {
    let Server { tasks, clock, .. } = server;
    let (spawner, clock) = (tasks.clone(), clock.clone());
    tasks.spawn("election", OnFailure::LogOnly, Stage::Accept, OnShutdown::Abort, |_| async move {
        let elected = leader::elect(client, lease, clock).await;
        let operator = operator.under(elected.tenure());
        // Given up when the operator has ended, and not before.
        spawner.spawn("leader", OnFailure::EndProcess, Stage::Flush, DRAIN, |stop| elected.keep(stop));
        spawner.spawn("operator", OnFailure::EndProcess, Stage::Drain, DRAIN, |stop| operator.run(stop));
    });
}

/// What the share is received and kept with, wherever it runs.
struct Share {
    data: PathBuf,
    gateways: Vec<GatewayAddress>,
    link: link::Config,
    delete_budget: Budget,
    packages: package::Config,
    identity: Arc<Identity>,
}

impl Share {
    /// `position` keeps how far the share has come where it is not known from the data directory alone.
    async fn run_on<T: Target>(
        self,
        target: Arc<T>,
        position: Option<Position>,
        server: &Server,
    ) -> Result<(), BoxError> {
        let Self { data, gateways, link, delete_budget, packages, identity } = self;
        let Server { tasks, readiness, clock, .. } = server;
        let (session, runs) = (readiness.require("gateway session"), readiness.require("target"));
        let reports = Reports::default();
        let (mut inbox, inbox_handle, desired) = {
            let (data, reports, clock) = (data.clone(), reports.clone(), clock.clone());
            tokio::task::spawn_blocking(move || inbox::open(&data, delete_budget, reports, clock))
                .await
                .map_err(Error::Cut)?
                .map_err(Error::Inbox)?
        };
        if let Some(position) = position {
            // Of a file that is not new the cluster knows no more than it does.
            if !inbox.is_settled() {
                let Reached { epoch, log_index } = position.reached().await;
                inbox.has_followed(epoch, log_index);
            }
            let (inbox, desired) = (inbox_handle.clone(), desired.clone());
            tasks.spawn("position", OnFailure::EndProcess, Stage::Drain, OnShutdown::Abort, |stop| {
                position.keep(inbox, desired, stop)
            });
        }
        let (lessor, lease) = lease::lease();
        let (lender, fetcher) = fetch::lender();
        let listen = packages.listen;
        let packages = Cache::open(data.join("packages"), &packages, fetcher)
            .map_err(|source| Error::Data { path: data.join("packages"), source })?;
        if let Some(address) = listen {
            let server = PackageServer::bind(address, desired.clone(), packages.clone()).await?;
            let spawner = tasks.clone();
            tasks.spawn("packages", OnFailure::EndProcess, Stage::Drain, OnShutdown::Abort, |stop| {
                server.serve(spawner, stop)
            });
        }
        let (declare, declared) = watch::channel(target.declare().await);

        tasks.spawn("inbox", OnFailure::EndProcess, Stage::Flush, DRAIN, |stop| inbox.run(stop));
        let link = Link {
            config: link,
            gateways,
            identity,
            inbox: inbox_handle,
            reports: reports.clone(),
            lessor,
            declared,
            target: target.clone(),
            lender,
            clock: clock.clone(),
            ready: session,
        };
        tasks.spawn("link", OnFailure::EndProcess, Stage::Drain, DRAIN, |stop| link.run(stop));
        let declaring = target.clone();
        tasks.spawn("declare", OnFailure::EndProcess, Stage::Drain, OnShutdown::Abort, |stop| {
            keep_declared(declaring, declare, stop)
        });
        tasks.spawn("target", OnFailure::EndProcess, Stage::Drain, DRAIN, |stop| {
            target.run(desired, reports, packages, lease, stop)
        });
        runs.holds();
        Ok(())
    }
}

/// Identity and secrets lie in it.
fn make_private(directory: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Joins, however long the gateway is away; what a person must mend ends the start.
async fn enrolled(config: enrol::Config<'_>, retry: backoff::Policy) -> Result<Identity, enrol::Error> {
    let mut delays = retry.start(backoff::seed());
    loop {
        let problem = match enrol::enrol(config.clone()).await {
            Ok(identity) => return Ok(identity),
            Err(problem @ (enrol::Error::Dial { .. } | enrol::Error::Late { .. })) => problem,
            Err(enrol::Error::Refused { what, status }) if status.code() == tonic::Code::Unavailable => {
                enrol::Error::Refused { what, status }
            }
            Err(problem) => return Err(problem),
        };
        let delay = delays.next_delay();
        tracing::warn!("not joined yet, and tried again in {delay:?}: {}", Chain(&problem));
        tokio::time::sleep(delay).await;
    }
}

async fn keep_declared<T: Target>(
    target: Arc<T>,
    declared: watch::Sender<Declared>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(DECLARE);
    // Only waits.
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let now = target.declare().await;
        declared.send_if_modified(|known| {
            *known != now && {
                *known = now;
                true
            }
        });
    }
}
