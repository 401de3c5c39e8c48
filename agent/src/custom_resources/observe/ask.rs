//! [client] Asking an instance what it counts: straight to its pod, or through the API server.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use futures::{AsyncBufReadExt, AsyncReadExt};
use http::Request;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use isthmus_daemon::chain::Chain;
use kube::Client;
use kube::client::Body;

use super::config::Way;
use super::counts::Counts;
use super::known::{Answer, Question};
use super::names::{self, METRICS_PORT};

/// An instance's metrics are a few dozen kilobytes; what is longer is cut off here.
const LONGEST: u64 = 4 << 20;

/// Asks instances. Clones share what they have.
#[derive(Clone)]
pub(super) struct Asker {
    client: Client,
    way: Way,
    timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("its pod has no address")]
    NoAddress,
    #[error("cannot name what is asked for")]
    Request(#[source] http::Error),
    #[error("port {METRICS_PORT} of its pod cannot be asked")]
    Ask(#[source] kube::Error),
    #[error("port {METRICS_PORT} of its pod stopped in the middle of its answer")]
    Read(#[source] std::io::Error),
    #[error("port {METRICS_PORT} of its pod gave no answer within {} s", .0.as_secs_f32())]
    Late(Duration),
}

impl Asker {
    /// `client` is that of the API server.
    pub(super) fn new(client: &Client, way: Way, timeout: Duration) -> Self {
        let client = match way {
            Way::Proxy => client.clone(),
            // The same client over connections to whoever a request names; kept ones would cost each pod and this agent more
            // than a new one every few seconds.
            Way::Direct => {
                let direct = legacy::Client::builder(TokioExecutor::new())
                    .pool_max_idle_per_host(0)
                    .build_http::<Body>();
                Client::new(direct, "default")
            }
        };
        Self { client, way, timeout }
    }

    /// Asks once.
    pub(super) fn ask(&self, question: Question) -> impl Future<Output = Answer> + Send + 'static {
        let asker = self.clone();
        async move {
            let asked = tokio::time::timeout(asker.timeout, asker.counts(&question)).await;
            let counts = asked.unwrap_or(Err(Error::Late(asker.timeout)));
            Answer { question, counts: counts.map_err(|error| Chain(&error).to_string()) }
        }
    }

    async fn counts(&self, question: &Question) -> Result<Counts, Error> {
        let Question { key, index, address, .. } = question;
        let uri = match self.way {
            Way::Direct => direct(address.ok_or(Error::NoAddress)?),
            Way::Proxy => format!(
                "/api/v1/namespaces/{}/pods/{}:{METRICS_PORT}/proxy/metrics",
                key.namespace,
                names::pod(key, *index)
            ),
        };
        let request = Request::get(uri).body(Vec::new()).map_err(Error::Request)?;
        let text = self.client.request_stream(request).await.map_err(Error::Ask)?;
        let mut text = pin!(text.take(LONGEST));
        let (mut counts, mut line) = (Counts::default(), Vec::new());
        // Not as text: what somebody's metrics are called is their own business.
        while text.read_until(b'\n', &mut line).await.map_err(Error::Read)? > 0 {
            counts.read(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
        Ok(counts)
    }
}

fn direct(address: IpAddr) -> String {
    format!("http://{}/metrics", SocketAddr::new(address, METRICS_PORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_asked_at_its_address_whatever_its_family() {
        assert_eq!(direct([10, 0, 0, 7].into()), "http://10.0.0.7:9094/metrics");
        assert_eq!(direct("fd00::7".parse().unwrap()), "http://[fd00::7]:9094/metrics");
    }
}
