//! How a cluster is reached.

use std::fmt;
use std::time::Duration;

use reqwest::Url;

/// How a cluster's admin REST API is reached.
#[derive(Debug, Clone)]
pub struct Config {
    /// `http://host:8080` or `https://host:8443`; a path before `/admin` is kept.
    pub url: String,
    /// Sent as a bearer token.
    pub token: Option<Token>,
    /// PEM: the roots that the server's certificate must lead to. Without it, those of the machine.
    pub trust: Option<Vec<u8>>,
    /// Take any certificate for the server's: only where whoever is asked for says so.
    pub allow_insecure: bool,
    /// How long a request may take, redirects included.
    pub timeout: Duration,
    /// How large an answer may be, in bytes.
    pub max_response: usize,
}

impl Config {
    /// Without token; 10 s, and 16 MiB: the statistics of a topic with thousands of consumers.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            token: None,
            trust: None,
            allow_insecure: false,
            timeout: Duration::from_secs(10),
            max_response: 16 * 1024 * 1024,
        }
    }
}

/// A token, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes the token into custody; blanks and line breaks around it, as files have them, are left out.
    pub fn new(token: &str) -> Self {
        Self(token.trim().to_owned())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// Why a cluster cannot be reached as configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not a URL, or not one of a web server.
    #[error("{url:?} is not the URL of an admin service: {problem}")]
    Url {
        /// What was configured, without user and password.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// A token with characters that no header can carry.
    #[error("the token for {url} has characters that cannot be sent")]
    Token {
        /// The cluster.
        url: String,
    },
    /// The roots of trust cannot be read.
    #[error("the roots of trust for {url} cannot be used")]
    Trust {
        /// The cluster.
        url: String,
        /// What is wrong.
        source: reqwest::Error,
    },
    /// The client cannot be built.
    #[error("cannot prepare requests to {url}")]
    Client {
        /// The cluster.
        url: String,
        /// What is wrong.
        source: reqwest::Error,
    },
}

/// The URL below which the API is.
pub(super) fn base(url: &str) -> Result<Url, ConfigError> {
    let refuse =
        |url: &str, problem: &str| ConfigError::Url { url: url.to_owned(), problem: problem.to_owned() };
    let parsed = Url::parse(url.trim()).map_err(|error| refuse(url, &error.to_string()))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(refuse(
            parsed.host_str().unwrap_or_default(),
            "user and password do not belong in it, use a token",
        ));
    }
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(refuse(url, "it begins with neither http:// nor https://"));
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(refuse(url, "it ends with a query or a fragment"));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_cannot_be_is_refused_without_showing_a_password() {
        for (url, problem) in [
            ("localhost:8080", "neither http"),
            ("pulsar://localhost:6650", "neither http"),
            ("http://", "empty host"),
            ("http://localhost/?x=1", "query"),
            ("http://me:hunter2@localhost", "use a token"),
        ] {
            let refused = base(url).unwrap_err().to_string();
            assert!(refused.contains(problem) && !refused.contains("hunter2"), "{url}: {refused}");
        }
        base(" http://localhost:8080/\n").unwrap();
    }

    #[test]
    fn a_token_is_not_shown() {
        let config = Config { token: Some(Token::new("hunter2\n")), ..Config::new("http://localhost") };
        let shown = format!("{config:?}");
        assert!(!shown.contains("hunter2") && shown.contains("<redacted>"), "{shown}");
        assert_eq!(config.token.unwrap().expose(), "hunter2");
    }
}
