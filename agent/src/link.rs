//! The way to the gateway: joined once, dialled for ever, one stream at a time.
//!
//! ```text
//! enrol (token ▶ certificate) ▶ dial ▶ stream { session (a value) ⇄ gateway } ▶ inbox
//! ```

pub mod address;
pub mod dial;
pub mod fingerprint;
pub mod identity;
pub mod enrol;
pub mod parts;
pub mod session;
pub mod stream;
pub mod fetch;

use std::sync::Arc;
use std::time::Duration;

use isthmus_daemon::admin::Condition;
use isthmus_daemon::backoff::{self, Backoff};
use isthmus_daemon::chain::Chain;
use isthmus_daemon::clock::Clock;
use isthmus_model::cluster::Declared;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::inbox;
use crate::lease::Lessor;
use crate::report::Reports;
use crate::target::Target;
use address::GatewayAddress;
use fetch::Lender;
use identity::Identity;
use session::End;

/// How the gateway is reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Connections.
    pub dial: dial::Config,
    /// Delay before a gateway is dialled again. Default 250 ms to 30 s.
    pub backoff: backoff::Policy,
    /// Observations are sent at most this often; what changes more often is told with its newest value. Default 100 ms.
    #[serde(with = "humantime_serde")]
    pub report_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dial: dial::Config::default(),
            backoff: backoff::Policy::default(),
            report_interval: Duration::from_millis(100),
        }
    }
}

/// What a link is made of.
#[derive(Debug)]
pub struct Link<T> {
    /// How the gateway is reached.
    pub config: Config,
    /// Gateways to dial in turn; at least one.
    pub gateways: Vec<GatewayAddress>,
    /// Who this agent is.
    pub identity: Arc<Identity>,
    /// Where what is received becomes durable.
    pub inbox: inbox::Handle,
    /// Where what is sent comes from.
    pub reports: Reports,
    /// Who hears of renewals of the lease.
    pub lessor: Lessor,
    /// What the cluster can do.
    pub declared: watch::Receiver<Declared>,
    /// Where logs are.
    pub target: Arc<T>,
    /// Who else uses the connection.
    pub lender: Lender,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
    /// Holds from the first established session on.
    pub ready: Condition,
}

/// What dialling again would not help against.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nobody to dial.
    #[error("no gateway is known: name at least one as gateways")]
    NoGateway,
    /// The inbox has ended.
    #[error("cannot hand over what the gateway sends")]
    Inbox(#[source] inbox::Gone),
    /// TLS cannot be set up.
    #[error("cannot set up TLS with this agent's identity")]
    Tls(#[source] identity::Error),
}

/// Why one attempt is over; the next follows.
#[derive(Debug, thiserror::Error)]
enum Attempt {
    #[error("cannot renew the certificate")]
    Renew(#[source] enrol::Error),
    #[error("no session")]
    Dial(#[source] dial::Error),
    #[error("the session is over")]
    Stream(#[source] stream::Error),
}

impl<T: Target> Link<T> {
    /// Keeps a session until `stop`.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Error> {
        let mut delays = self.config.backoff.start(backoff::seed());
        let mut next = Next { turn: 0, redirected: Vec::new() };
        let boot_id: [u8; 16] = rand::random();
        while !stop.is_cancelled() {
            let gateway = next.gateway(&self.gateways).ok_or(Error::NoGateway)?;
            let attempt = self.attempt(&gateway, &boot_id, &stop).await?;
            let Some((problem, established)) = attempt else { return Ok(()) };
            let delay = next.after(&problem, established, &mut delays);
            log(&gateway, &problem, delay);
            // Only waits.
            if stop.run_until_cancelled(tokio::time::sleep(delay)).await.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Dials and keeps one session. `None` means that it was told to stop.
    async fn attempt(
        &mut self,
        gateway: &GatewayAddress,
        boot_id: &[u8],
        stop: &CancellationToken,
    ) -> Result<Option<(Attempt, bool)>, Error> {
        let Self { config, identity, clock, .. } = &*self;
        let tls = identity.mutual_tls().map_err(Error::Tls)?;
        let connecting = async {
            enrol::renew_if_ended(config.dial, gateway, identity, &**clock).await.map_err(Attempt::Renew)?;
            dial::dial(config.dial, gateway, tls).await.map_err(Attempt::Dial)
        };
        // Nothing is lost with a connection that is not made yet.
        let channel = match stop.run_until_cancelled(connecting).await {
            None => return Ok(None),
            Some(Err(problem)) => return Ok(Some((problem, false))),
            Some(Ok(channel)) => channel,
        };
        let end = stream::run(self, channel, boot_id, stop).await;
        self.lender.lend(None);
        match end {
            stream::Ended { problem: None, .. } => Ok(None),
            stream::Ended { problem: Some(stream::Error::Inbox(gone)), .. } if !stop.is_cancelled() => {
                Err(Error::Inbox(gone))
            }
            stream::Ended { problem: Some(problem), established } => {
                metrics::gauge!("isthmus_agent_session").set(0.0);
                Ok(Some((Attempt::Stream(problem), established)))
            }
        }
    }
}

fn log(gateway: &GatewayAddress, problem: &Attempt, delay: Duration) {
    metrics::counter!("isthmus_agent_sessions_ended_total").increment(1);
    let why = Chain(problem).to_string();
    match problem {
        Attempt::Stream(stream::Error::End(End::Redirected { .. })) => {
            tracing::info!(%gateway, "gateway {gateway}: {why}");
        }
        Attempt::Stream(stream::Error::End(End::Regressed(_))) => {
            tracing::error!(%gateway, problem = why, "gateway {gateway} is refused, what runs here goes on: {why}");
        }
        _ => tracing::warn!(
            %gateway, problem = why,
            "gateway {gateway}: {why}; what runs here goes on, and the gateway is dialled again in {delay:?}"
        ),
    }
}

/// Whom to dial next, and when.
#[derive(Debug)]
struct Next {
    turn: usize,
    redirected: Vec<GatewayAddress>,
}

impl Next {
    fn gateway(&mut self, known: &[GatewayAddress]) -> Option<GatewayAddress> {
        if let Some(gateway) = self.redirected.pop() {
            return Some(gateway);
        }
        let gateway = known.get(self.turn.checked_rem(known.len())?).cloned();
        self.turn = self.turn.wrapping_add(1);
        gateway
    }

    fn after(&mut self, problem: &Attempt, established: bool, delays: &mut Backoff) -> Duration {
        let Attempt::Stream(stream::Error::End(end)) = problem else {
            if established {
                delays.reset();
            }
            return delays.next_delay();
        };
        match end {
            End::Redirected { retry_after, gateways } => {
                // A gateway that sends agents to an address that is none is not followed.
                self.redirected = gateways.iter().rev().filter_map(|text| text.parse().ok()).collect();
                delays.reset();
                *retry_after + delays.next_delay()
            }
            End::Silent(_) => {
                delays.reset();
                delays.next_delay()
            }
            // These would happen again at once.
            End::Regressed(_) | End::Diverged(_) | End::Parts(_) | End::Unexpected(_) => delays.next_delay(),
        }
    }
}
