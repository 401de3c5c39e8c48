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
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

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
            // A pod that is still starting is no trouble of the API server's, and kube would have it in the log as one.
            let counts = asker.counts(&question).with_subscriber(NoSubscriber::default());
            let asked = tokio::time::timeout(asker.timeout, counts).await;
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
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use isthmus_model::component::ComponentKind;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::custom_resources::observe::pod::Run;
    use crate::custom_resources::place::Key;

    fn question(address: [u8; 4]) -> Question {
        let key = Key { kind: ComponentKind::Function, namespace: "n".into(), name: "a".into() };
        Question { key: Arc::new(key), index: 0, run: Run::default(), address: Some(address.into()) }
    }

    /// Any client: of the API server nothing is asked here.
    fn asker(timeout: Duration) -> Asker {
        let nobody = Client::new(
            tower::service_fn(async |_| Err::<http::Response<Body>, _>(std::io::Error::other("nobody"))),
            "default",
        );
        Asker::new(&nobody, Way::Direct, timeout)
    }

    #[tokio::test]
    async fn a_pod_is_asked_straight_and_one_that_says_nothing_costs_its_time() {
        // The port is fixed; each process has addresses of its own.
        let [.., high, low] = std::process::id().to_be_bytes();
        let [speaks, silent, absent] = [94, 95, 96].map(|number| [127, number, high, low]);
        let listener = TcpListener::bind((Ipv4Addr::from(speaks), METRICS_PORT)).await.unwrap();
        let _silent = TcpListener::bind((Ipv4Addr::from(silent), METRICS_PORT)).await.unwrap();
        let pod = async {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1024];
            let read = connection.read(&mut request).await.unwrap();
            let answer =
                "HTTP/1.1 200 OK\r\ncontent-length: 36\r\n\r\npulsar_function_received_total 7.0\n\n";
            connection.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        };
        let (answer, request) = tokio::join!(asker(Duration::from_secs(20)).ask(question(speaks)), pod);
        assert_eq!(answer.counts.unwrap().messages.received, 7);
        assert!(request.starts_with("GET /metrics HTTP/1.1\r\n"), "{request}");

        let late = asker(Duration::from_millis(100)).ask(question(silent)).await;
        assert_eq!(late.counts.unwrap_err(), "port 9094 of its pod gave no answer within 0.1 s");
        let refused = asker(Duration::from_secs(20)).ask(question(absent)).await.counts.unwrap_err();
        assert!(refused.contains("port 9094 of its pod cannot be asked"), "{refused}");
    }

    #[test]
    fn a_pod_is_asked_at_its_address_whatever_its_family() {
        assert_eq!(direct([10, 0, 0, 7].into()), "http://10.0.0.7:9094/metrics");
        assert_eq!(direct("fd00::7".parse().unwrap()), "http://[fd00::7]:9094/metrics");
    }
}
