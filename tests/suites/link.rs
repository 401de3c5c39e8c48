//! The agent's link as a library, against a real gateway: how a certificate is renewed, and how an agent comes back that slept
//! through the end of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use isthmus_agent::inbox::{self, budget::Budget};
use isthmus_agent::lease;
use isthmus_agent::link::identity::{Credentials, path_in};
use isthmus_agent::link::{self, Link, enrol, fetch};
use isthmus_agent::report::Reports;
use isthmus_daemon::admin::Readiness;
use isthmus_daemon::clock::{Clock, SystemClock};
use isthmus_model::cluster::Declared;
use isthmus_tests::nothing::Nothing;
use isthmus_tests::{Federation, SOON, until};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const HOUR: Duration = Duration::from_hours(1);

/// The machine's clock, but the wall shows another time.
#[derive(Debug, Default)]
struct Shifted(Mutex<Duration>);

impl Clock for Shifted {
    fn now(&self) -> SystemTime {
        SystemClock.now() + *self.0.lock()
    }

    fn boot(&self) -> Duration {
        SystemClock.boot()
    }
}

/// A link and its inbox at work.
struct Agent {
    clock: Arc<Shifted>,
    stop: CancellationToken,
    link: JoinHandle<Result<(), link::Error>>,
    inbox: JoinHandle<Result<(), inbox::Error>>,
}

impl Agent {
    /// Joins with a new token if need be; `ahead` is how far the wall clock goes ahead.
    async fn start(federation: &Federation, directory: &Path, ahead: Duration) -> Result<Self> {
        let server = federation.connection().server().trim_start_matches("https://").to_owned();
        let gateways = vec![server.parse().context("the gateway's address")?];
        let token_file = directory.join("token");
        if !token_file.exists() {
            std::fs::write(&token_file, federation.token("east").await?)?;
        }
        let config = link::Config::default();
        let identity = enrol::enrol(enrol::Config {
            directory,
            gateways: &gateways,
            token_file: Some(&token_file),
            dial: config.dial,
        })
        .await?;
        let clock = Arc::new(Shifted(Mutex::new(ahead)));
        let reports = Reports::default();
        let (inbox, handle, _desired) =
            inbox::open(directory, Budget::default(), reports.clone(), clock.clone())?;
        let (lessor, _lease) = lease::lease();
        let (lender, _fetcher) = fetch::lender();
        let (_declare, declared) = watch::channel(Declared::default());
        let stop = CancellationToken::new();
        let link = Link {
            config,
            gateways,
            identity: Arc::new(identity),
            inbox: handle,
            reports,
            lessor,
            declared,
            target: Arc::new(Nothing),
            lender,
            clock: clock.clone(),
            ready: Readiness::new().require("session"),
        };
        let (link, inbox) = (tokio::spawn(link.run(stop.clone())), tokio::spawn(inbox.run(stop.clone())));
        Ok(Self { clock, stop, link, inbox })
    }

    async fn end(self) -> Result<()> {
        self.stop.cancel();
        self.link.await??;
        self.inbox.await??;
        Ok(())
    }
}

fn credentials(directory: &Path) -> Result<Credentials> {
    Ok(serde_json::from_slice(&std::fs::read(path_in(directory))?)?)
}

/// A federation whose sessions beat quickly: certificates are looked at with every beat.
async fn federation() -> Result<Federation> {
    Federation::builder().gateway_settings(serde_json::json!({"health": {"beat": "200ms"}})).start().await
}

#[tokio::test]
async fn a_certificate_is_renewed_over_the_live_stream_with_a_fresh_key_and_serves_the_next_connection()
-> Result<()> {
    let mut federation = federation().await?;
    let directory = tempfile::tempdir()?;
    let agent = Agent::start(&federation, directory.path(), Duration::ZERO).await?;
    federation.until_healthy("east").await?;
    let before = credentials(directory.path())?;
    *agent.clock.0.lock() = 17 * HOUR;
    let renewed = until("a renewed certificate", SOON, async || {
        let now = credentials(directory.path()).map_err(|error| format!("{error:#}"))?;
        if now.chain == before.chain { Err("the old one".to_owned()) } else { Ok(now) }
    })
    .await?;
    *agent.clock.0.lock() = Duration::ZERO;
    ensure!(renewed.key != before.key, "the key is the old one");
    ensure!((renewed.cluster, renewed.roots) == (before.cluster, before.roots));

    federation.kill_gateway().await?;
    federation.resume_gateway().await?;
    federation.until_healthy("east").await?;
    agent.end().await?;
    federation.end().await
}

#[tokio::test]
async fn an_agent_that_slept_through_the_end_of_its_certificate_comes_back_by_itself() -> Result<()> {
    let federation = federation().await?;
    let directory = tempfile::tempdir()?;
    Agent::start(&federation, directory.path(), Duration::ZERO).await?.end().await?;
    let before = credentials(directory.path())?;
    let agent = Agent::start(&federation, directory.path(), 25 * HOUR).await?;
    federation.until_healthy("east").await?;
    let after = credentials(directory.path())?;
    ensure!(after.key != before.key && after.renewal_credential != before.renewal_credential);
    agent.end().await?;
    federation.end().await
}
