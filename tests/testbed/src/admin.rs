//! As much of an HTTP client as starting a server takes: is it there, and here is some JSON.
//!
//! Deliberately not Isthmus' own Pulsar client, which is among what the testbed is there to test.

use std::{sync::OnceLock, time::Duration};

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

/// A request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer.
    #[error("{method} {url} got no answer")]
    NoAnswer {
        /// The method.
        method: Method,
        /// What was asked.
        url: String,
        /// The client's word.
        source: reqwest::Error,
    },
    /// An answer that means no.
    #[error("{method} {url} answered {status}: {body}")]
    Refused {
        /// The method.
        method: Method,
        /// What was asked.
        url: String,
        /// The answer.
        status: StatusCode,
        /// The server's word.
        body: String,
    },
}

impl Error {
    /// The answer's status, where there was one.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::NoAnswer { .. } => None,
        }
    }
}

/// Asks, and answers the body of a good answer.
pub(crate) async fn get(url: &str) -> Result<String, Error> {
    get_as(url, None).await
}

/// The same, as the holder of a token.
pub(crate) async fn get_as(url: &str, token: Option<&str>) -> Result<String, Error> {
    request(Method::GET, url, token, None).await
}

/// Sends JSON.
pub(crate) async fn send(method: Method, url: &str, body: &Value) -> Result<String, Error> {
    request(method, url, None, Some(body)).await
}

async fn request(
    method: Method,
    url: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Result<String, Error> {
    let no_answer = |source| Error::NoAnswer { method: method.clone(), url: url.to_owned(), source };
    let mut request = client().request(method.clone(), url).timeout(Duration::from_secs(30));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let response = request.send().await.map_err(no_answer)?;
    let status = response.status();
    let body = response.text().await.map_err(no_answer)?;
    if status.is_success() {
        Ok(body)
    } else {
        Err(Error::Refused { method, url: url.to_owned(), status, body })
    }
}

fn client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        // The client wants a provider even for plain HTTP; an error means that the program has chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A connection kept for later would belong to a runtime that may be gone by then.
        Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap_or_default()
    })
}
