//! One request and its answer, bounded in time and size.

use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, Response, StatusCode, Url};
use serde::de::DeserializeOwned;

use super::error::reason;
use super::path::Path;
use super::{Config, ConfigError, Error, config};

/// How often a request is sent on before we stop believing it: owner, and new owner if it just moved, and some more.
const MOST_REDIRECTS: usize = 5;

/// Sends requests to one cluster.
#[derive(Clone)]
pub(super) struct Requests {
    client: Client,
    base: Url,
    timeout: Duration,
    max_response: usize,
}

/// Without the client, whose headers hold the token.
impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Requests {
    pub(super) fn new(config: &Config) -> Result<Self, ConfigError> {
        let base = config::base(&config.url)?;
        let url = || base.to_string();
        let mut headers = HeaderMap::new();
        if let Some(token) = &config.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                .map_err(|_unsendable| ConfigError::Token { url: url() })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        // Without a provider the client cannot be built; that all our programs use ring is decided, so an error here
        // means that it is there already.
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .default_headers(headers)
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(config.timeout)
            .user_agent(concat!("isthmus/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = &config.trust {
            let roots = Certificate::from_pem_bundle(pem)
                .map_err(|source| ConfigError::Trust { url: url(), source })?;
            client = client.tls_certs_only(roots);
        }
        let client = client
            .danger_accept_invalid_certs(config.allow_insecure)
            .build()
            .map_err(|source| ConfigError::Client { url: url(), source })?;
        Ok(Self { client, base, timeout: config.timeout, max_response: config.max_response })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &Path) -> Result<T, Error> {
        let url = path.below(&self.base);
        let body = self.send(Method::GET, url.clone()).await?;
        serde_json::from_slice(&body).map_err(|source| Error::Body {
            method: Method::GET,
            url: url.into(),
            source,
        })
    }

    pub(super) async fn get_text(&self, path: &Path) -> Result<String, Error> {
        let body = self.send(Method::GET, path.below(&self.base)).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    pub(super) async fn delete(&self, path: &Path) -> Result<(), Error> {
        self.send(Method::DELETE, path.below(&self.base)).await.map(drop)
    }

    /// The body of a successful answer.
    async fn send(&self, method: Method, url: Url) -> Result<Vec<u8>, Error> {
        let first = url.to_string();
        match tokio::time::timeout(self.timeout, self.follow(&method, url)).await {
            Ok(result) => result,
            Err(_elapsed) => Err(Error::Timeout { method, url: first, timeout: self.timeout }),
        }
    }

    async fn follow(&self, method: &Method, mut url: Url) -> Result<Vec<u8>, Error> {
        for _ in 0..=MOST_REDIRECTS {
            let call = Call { method, url: &url };
            let answer = self.client.request(method.clone(), url.clone()).send().await;
            let answer = answer.map_err(|source| call.broken(source))?;
            match answer.status() {
                status if status.is_success() => return self.body(&call, answer).await,
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT | StatusCode::FOUND => {
                    url = call.next(&answer)?;
                }
                status => {
                    let reason = reason(&self.body(&call, answer).await?);
                    return Err(Error::Status { method: method.clone(), url: url.into(), status, reason });
                }
            }
        }
        let call = Call { method, url: &url };
        Err(call.lost(url.as_str(), "it was sent on too often"))
    }

    async fn body(&self, call: &Call<'_>, mut answer: Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|source| call.broken(source))? {
            if body.len().saturating_add(chunk.len()) > self.max_response {
                let (method, url) = (call.method.clone(), call.url.to_string());
                return Err(Error::TooLarge { method, url, limit: self.max_response });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// What was asked, for errors.
struct Call<'a> {
    method: &'a Method,
    url: &'a Url,
}

impl Call<'_> {
    fn broken(&self, source: reqwest::Error) -> Error {
        Error::Send { method: self.method.clone(), url: self.url.to_string(), source: source.without_url() }
    }

    fn lost(&self, location: &str, problem: &'static str) -> Error {
        let (method, url) = (self.method.clone(), self.url.to_string());
        Error::Redirect { method, url, location: location.to_owned(), problem }
    }

    /// Where the owner is. The token goes along, so an encrypted conversation stays one.
    fn next(&self, answer: &Response) -> Result<Url, Error> {
        let location = answer.headers().get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let location = location.ok_or_else(|| self.lost("", "no location was given"))?;
        let next = self.url.join(&location).map_err(|_| self.lost(&location, "that is not a URL"))?;
        if next.scheme() != self.url.scheme() {
            return Err(self.lost(&location, "that is another protocol"));
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests;
