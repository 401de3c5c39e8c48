//! The composition root: builds the parts in the order in which data passes them, and starts what lasts.

mod measure;
mod renew;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use isthmus_daemon::admin::Readiness;
use isthmus_daemon::clock::Clock;
use isthmus_daemon::listener::{Incoming, Listener, Security};
use isthmus_daemon::program::{self, BoxError};
use isthmus_daemon::tasks::{OnFailure, OnShutdown, Stage, Tasks};
use isthmus_daemon::tls::{self, Alpn, Clients, Trust};
use parking_lot::Mutex;
use tonic::service::Routes;
use tonic::transport::Server;
use tower::util::option_layer;

use crate::api::context::Context;
use crate::api::direct::DirectLayer;
use crate::api::{self, Api};
use crate::auth::identify::Gate;
use crate::auth::layer::AuthLayer;
use crate::cluster::authority::{self, Authority};
use crate::cluster::health::Monitor;
use crate::cluster::join::Desk;
use crate::config::Config;
use crate::packages::{self, Packages};
use crate::status::Observed;
use crate::store::sqlite::SqliteEngine;
use crate::store::{self, State, engine};
use crate::sync::registry::Registry;
use crate::sync::stream::Sessions;
use crate::web;
use measure::MeasureLayer;

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no federation here.
    #[error("there is no federation in {0}: make one with `isthmus-gateway init`")]
    NoFederation(String),
    /// The store's files cannot be used.
    #[error("cannot open the store")]
    Engine(#[source] engine::Error),
    /// The store cannot be loaded.
    #[error("cannot open the store")]
    Store(#[source] store::OpenError),
    /// The certificate authority cannot be used.
    #[error("cannot use the certificate authority")]
    Authority(#[source] authority::Error),
    /// TLS cannot be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] tls::Error),
    /// The packages' directory cannot be used.
    #[error("cannot open the directory of packages")]
    Packages(#[source] packages::Error),
    /// The descriptions of the services cannot be read.
    #[error("cannot describe the services")]
    Reflection(#[source] tonic_reflection::server::Error),
}

/// Builds a gateway and starts it.
pub async fn start(config: Config, server: program::Server) -> Result<(), BoxError> {
    let program::Server { tasks, readiness, clock, .. } = server;
    compose(config, tasks, readiness, clock).await.map(|_address| ())
}

/// Builds the parts, starts them, and says where they serve.
async fn compose(
    config: Config,
    tasks: Tasks,
    readiness: Readiness,
    clock: Arc<dyn Clock>,
) -> Result<SocketAddr, BoxError> {
    let serving = readiness.require("the API");
    if !config.root_key().exists() {
        return Err(Error::NoFederation(config.data.display().to_string()).into());
    }
    let authority = Authority::load(&config.federation, &config.root_certificate(), &config.root_key())
        .map_err(Error::Authority)?;
    let authority = Arc::new(authority);

    // The port before the store: a second gateway by mistake is told of the port, and touches no data.
    let (security, identity) = security(&config, &authority, clock.now())?;
    let listener =
        Listener::bind("api", config.server.listen, config.server.limits.clone(), security).await?;
    let address = listener.local_address();

    let engine = SqliteEngine::open(&config.store_dir()).map_err(Error::Engine)?;
    let (store, writer) = store::open(engine, clock.clone(), config.store).map_err(Error::Store)?;
    let last_commits = OnShutdown::Drain { deadline: Duration::from_secs(10) };
    tasks.spawn("store", OnFailure::EndProcess, Stage::Flush, last_commits, |stop| writer.run(stop));

    let packages = Packages::open(&config.packages_dir(), config.packages.largest.as_u64())
        .await
        .map_err(Error::Packages)?;
    let advertised = if config.server.advertise.is_empty() {
        vec![address.to_string()]
    } else {
        config.server.advertise.clone()
    };
    let desk = Desk::new(authority.clone(), store.clone(), clock.clone(), &advertised);
    let registry = Arc::new(Registry::default());
    let observed = Arc::new(Observed::default());
    let known = |state: &State| {
        let health = |view: store::state::ClusterView<'_>| (view.cluster().name.clone(), view.health());
        state.clusters().map(health).collect::<Vec<_>>()
    };
    let monitor = Monitor::new(config.health, clock.boot(), store.peek(known).0);
    let sessions = Sessions {
        store: store.clone(),
        registry,
        observed,
        desk,
        monitor: Arc::new(Mutex::new(monitor)),
        config: config.sessions,
        health: config.health,
        clock: clock.clone(),
        tasks: tasks.clone(),
    };
    tasks.spawn("health", OnFailure::EndProcess, Stage::Drain, OnShutdown::Abort, {
        let sessions = sessions.clone();
        |stop| sessions.watch_health(stop)
    });
    // Agents that were connected have come back by then, or are known to be away.
    let patience = config.health.suspect_after;
    tasks.spawn("recovery", OnFailure::LogOnly, Stage::Accept, OnShutdown::Abort, {
        let store = store.clone();
        move |_| async move {
            tokio::time::sleep(patience).await;
            store.lift_barrier().await
        }
    });
    if let Some(identity) = identity {
        let renewal =
            renew::Renewal { authority, identity, names: config.server.names.clone(), clock: clock.clone() };
        tasks.spawn("certificate", OnFailure::EndProcess, Stage::Accept, OnShutdown::Abort, |stop| {
            renewal.run(stop)
        });
    }

    let gate = Gate::new(store.clone(), clock.clone(), config.federation.as_str());
    let health = api::health::reporter().await;
    let ready = readiness.follow();
    tasks.spawn("health answers", OnFailure::LogOnly, Stage::Drain, OnShutdown::Abort, {
        let health = health.clone();
        |stop| api::health::follow(health, ready, stop)
    });
    let api = Api {
        context: Context::new(store, clock, tasks.stop_token(Stage::Drain)),
        sessions,
        packages,
        federation: config.federation.clone(),
        health,
    };
    let incoming = listener.accept(&tasks);
    let last_calls = OnShutdown::Drain { deadline: config.shutdown.deadline };
    let services = api.services(config.server.message)?;
    let served = serve(&config, AuthLayer(gate), services, incoming);
    tasks.spawn("api", OnFailure::EndProcess, Stage::Drain, last_calls, |_| served);
    serving.holds();
    Ok(address)
}

type LiveIdentity = Option<Arc<tls::Identity>>;

fn security(
    config: &Config,
    authority: &Authority,
    now: std::time::SystemTime,
) -> Result<(Security, LiveIdentity), Error> {
    if config.server.plaintext {
        return Ok((Security::Plaintext, None));
    }
    let keyed = authority.server(&config.server.names, now).map_err(Error::Authority)?;
    let key = keyed.key().map_err(Error::Authority)?;
    let identity = tls::Identity::new(keyed.issued.chain, key).map_err(Error::Tls)?;
    let trust = Trust::new(vec![authority.root().clone()]).map_err(Error::Tls)?;
    let config = tls::server_config(identity.clone(), Clients::MayShow(trust), Alpn::Http2AndHttp1)
        .map_err(Error::Tls)?;
    Ok((Security::Tls(config), Some(identity)))
}

/// Serves until nothing comes in any more and the last call is answered.
fn serve(
    config: &Config,
    auth: AuthLayer,
    (components, others): (DirectLayer, Routes),
    incoming: Incoming,
) -> impl Future<Output = Result<(), tonic::transport::Error>> + Send + use<> {
    // Windows are what an idle connection may make us hold; they fit the largest message and no more.
    let window = u32::try_from(config.server.message.as_u64()).unwrap_or(u32::MAX);
    Server::builder()
        .accept_http1(true)
        .max_concurrent_streams(config.server.streams)
        .initial_stream_window_size(window.min(1 << 20))
        .initial_connection_window_size(window)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        // Outermost first: whatever answers, a browser gets it in the form that it understands, and lets its page see it.
        .layer(option_layer(web::cors(&config.web)))
        .layer(tonic_web::GrpcWebLayer::new())
        .layer(MeasureLayer::default())
        .layer(auth)
        .layer(components)
        .add_routes(others)
        .serve_with_incoming_shutdown(incoming, std::future::pending())
}

#[cfg(test)]
mod tests;
