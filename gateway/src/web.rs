//! Browsers: which pages of other origins may call the gateway by gRPC-Web, and what they may see of its answers.
//!
//! A browser asks before it lets a page call another origin, and asks without credentials. So this stands in front of
//! everything else, and answers such a question itself. Nobody is let in by it: each call still shows an API token.

use std::fmt;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method};
use serde::{Deserialize, Serialize};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Web pages that may call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Origins of these pages, such as `https://portal.example.com`. Default none: pages that the gateway does not serve
    /// itself cannot call it.
    pub origins: Vec<Origin>,
}

/// Where a page comes from, as a browser writes it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// A text that no browser ever sends as an origin, so that it would never match.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an origin: write http or https, ://, the host in lower case, and the port unless it is the scheme's own"
)]
pub struct NotAnOrigin(String);

impl TryFrom<String> for Origin {
    type Error = NotAnOrigin;

    fn try_from(text: String) -> Result<Self, NotAnOrigin> {
        if is_origin(&text) { Ok(Self(text)) } else { Err(NotAnOrigin(text)) }
    }
}

impl From<Origin> for String {
    fn from(Origin(text): Origin) -> Self {
        text
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_origin(text: &str) -> bool {
    let (authority, own_port) = match text.split_once("://") {
        Some(("https", authority)) => (authority, ":443"),
        Some(("http", authority)) => (authority, ":80"),
        _ => return false,
    };
    let of_a_host = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_');
    let is_host = |host: &str| {
        let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match address {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(of_a_host),
        }
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().ok()),
        _ => (authority, Some(0)),
    };
    is_host(host) && port.is_some() && !authority.ends_with(own_port)
}

/// How long a browser remembers the answer; the most that all of them accept.
const REMEMBERED: Duration = Duration::from_hours(2);

/// What answers browsers; nothing where no origin may call.
pub(crate) fn cors(config: &Config) -> Option<CorsLayer> {
    let origins = config.origins.iter().filter_map(|origin| HeaderValue::from_str(&origin.0).ok());
    let named =
        |names: &[&'static str]| names.iter().copied().map(HeaderName::from_static).collect::<Vec<_>>();
    let mut asked = named(&["grpc-timeout", "x-grpc-web", "x-user-agent"]);
    asked.extend([AUTHORIZATION, CONTENT_TYPE]);
    (!config.origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::POST])
            .allow_headers(asked)
            // A refusal is told in headers alone.
            .expose_headers(named(&["grpc-message", "grpc-status", "grpc-status-details-bin"]))
            .max_age(REMEMBERED)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_would_never_send_is_no_origin() {
        for good in [
            "https://portal.example.com",
            "http://localhost:5173",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "https://[::1]",
        ] {
            assert!(Origin::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in [
            "*",
            "null",
            "portal.example.com",
            "https://",
            "https://portal.example.com/",
            "https://portal.example.com/app",
            "https://Portal.example.com",
            "https://portal.example.com:443",
            "http://portal.example.com:80",
            "https://portal.example.com:port",
            "https://*.example.com",
            "https://ann@portal.example.com",
            "ftp://portal.example.com",
            "https://[::x]",
        ] {
            let refused = Origin::try_from(bad.to_owned()).unwrap_err().to_string();
            assert!(refused.contains(bad), "{refused}");
        }
    }
}
