//! A proxy before an API server that makes weather: it answers by itself, or says nothing, for as long as it is told to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use futures::StreamExt as _;
use isthmus_agent::operator;
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Larger than any object.
const MOST: usize = 16 << 20;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// The API server answers.
    Fair,
    /// The proxy answers with this status.
    Answers(u16),
    /// No answer comes while it lasts. Of two calls one is carried out all the same.
    Silent,
}

struct Sky {
    upstream: Upstream,
    weather: Mutex<(Weather, CancellationToken)>,
    /// Calls that were not answered by the API server.
    spoilt: AtomicUsize,
}

/// Calls the API server as the account whose file it was made of.
type Upstream = Box<dyn Fn(http::Request<Vec<u8>>) -> Answer + Send + Sync>;
type Answer = futures::future::BoxFuture<'static, Result<Response<Body>, String>>;

pub(crate) struct Proxy {
    sky: Arc<Sky>,
    kubeconfig: PathBuf,
    _directory: tempfile::TempDir,
    serves: JoinHandle<()>,
}

impl Proxy {
    /// For callers that shall be taken for whom `account` says.
    pub(crate) async fn start(account: &Path) -> Result<Self> {
        let config =
            operator::Config { kubeconfig: Some(account.to_path_buf()), ..operator::Config::default() };
        let client = operator::client(&config).await?;
        let upstream: Upstream = Box::new(move |request| {
            let client = client.clone();
            Box::pin(async move {
                let (parts, body) = request.into_parts();
                let answer = client.send(http::Request::from_parts(parts, body.into())).await;
                Ok(answer.map_err(|error| error.to_string())?.map(Body::new))
            })
        });
        let weather = Mutex::new((Weather::Fair, CancellationToken::new()));
        let sky = Arc::new(Sky { upstream, weather, spoilt: AtomicUsize::new(0) });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let directory = tempfile::tempdir()?;
        let kubeconfig = directory.path().join("kubeconfig");
        let file = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": format!("http://{}", listener.local_addr()?)}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        });
        std::fs::write(&kubeconfig, file.to_string())?;
        let router = Router::new().fallback(pass).with_state(sky.clone());
        let serves = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { sky, kubeconfig, _directory: directory, serves })
    }

    /// The way to it.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// From now on. Watches that go on break.
    pub(crate) fn set(&self, weather: Weather) {
        let mut now = self.sky.weather.lock();
        now.1.cancel();
        *now = (weather, CancellationToken::new());
    }

    /// Calls that were not answered by the API server so far.
    pub(crate) fn spoilt(&self) -> usize {
        self.sky.spoilt.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serves.abort();
    }
}

async fn pass(State(sky): State<Arc<Sky>>, request: Request) -> Response<Body> {
    let (weather, changes) = sky.weather.lock().clone();
    let nth = match weather {
        Weather::Fair => 0,
        Weather::Answers(_) | Weather::Silent => sky.spoilt.fetch_add(1, Ordering::Relaxed),
    };
    match weather {
        Weather::Answers(code) => answer(code, "the weather of a test"),
        Weather::Silent => {
            if nth % 2 == 1 {
                forward(&sky, request).await;
            }
            changes.cancelled().await;
            answer(504, "the weather of a test")
        }
        Weather::Fair => {
            let passed = forward(&sky, request).await;
            passed
                .map(|body| Body::from_stream(body.into_data_stream().take_until(changes.cancelled_owned())))
        }
    }
}

async fn forward(sky: &Sky, request: Request) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(http::header::HOST);
    let Ok(bytes) = to_bytes(body, MOST).await else { return answer(400, "the call broke off") };
    match (sky.upstream)(http::Request::from_parts(parts, bytes.to_vec())).await {
        Ok(answer) => answer,
        Err(why) => answer(502, &why),
    }
}

fn answer(code: u16, message: &str) -> Response<Body> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": "Test", "code": code,
    });
    let mut answer = Response::new(Body::from(status.to_string()));
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY);
    answer
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    answer
}
