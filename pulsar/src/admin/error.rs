//! What can go wrong with a request, and what it says about the cluster.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Deserialize;

/// Why a request has no result. The text names method and URL; it never shows a token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that no URL can carry; nothing was sent.
    #[error("cannot ask about {name:?}: {problem}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The server was not reached, or the connection broke.
    #[error("{method} {url} was not answered")]
    Send {
        /// What was asked.
        method: Method,
        /// Whom.
        url: String,
        /// What happened.
        source: reqwest::Error,
    },
    /// The server did not answer in time.
    #[error("{method} {url} was not answered within {timeout:?}")]
    Timeout {
        /// What was asked.
        method: Method,
        /// Whom.
        url: String,
        /// How long was waited.
        timeout: Duration,
    },
    /// The server refused.
    #[error("{method} {url} was answered with {status}: {reason}")]
    Status {
        /// What was asked.
        method: Method,
        /// Whom.
        url: String,
        /// The HTTP status.
        status: StatusCode,
        /// The server's words.
        reason: String,
    },
    /// The answer is larger than what was allowed.
    #[error("the answer to {method} {url} is larger than {limit} bytes")]
    TooLarge {
        /// What was asked.
        method: Method,
        /// Whom.
        url: String,
        /// What was allowed.
        limit: usize,
    },
    /// The answer is not what this API answers.
    #[error("the answer to {method} {url} is not understood")]
    Body {
        /// What was asked.
        method: Method,
        /// Whom.
        url: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The server sent us on to a place where we do not go.
    #[error("{method} {url} was sent on to {location:?}: {problem}")]
    Redirect {
        /// What was asked.
        method: Method,
        /// Whom.
        url: String,
        /// Where to.
        location: String,
        /// Why not.
        problem: &'static str,
    },
}

impl Error {
    /// The HTTP status, if the server refused.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether what was asked about does not exist.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(StatusCode::NOT_FOUND)
    }

    /// Whether the same request may succeed later: the server was not reached, was busy or was not ready.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Send { .. } | Self::Timeout { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Name { .. } | Self::TooLarge { .. } | Self::Body { .. } | Self::Redirect { .. } => false,
        }
    }
}

/// The server's words: Pulsar's `{"reason": …}`, or the beginning of whatever it sent.
pub(super) fn reason(body: &[u8]) -> String {
    /// More is a web page, not a reason.
    const LONGEST: usize = 300;
    #[derive(Deserialize)]
    struct Refusal {
        reason: String,
    }
    let text = match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => refusal.reason,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default()),
        None if words.is_empty() => "no reason was given".into(),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_server_s_own_and_short() {
        assert_eq!(reason(br#"{"reason":"Topic in not found"}"#), "Topic in not found");
        assert_eq!(reason(b"<html>\n  <b>503</b>\n"), "<html> <b>503</b>");
        assert_eq!(reason(b" \n"), "no reason was given");
        assert_eq!(reason("ü".repeat(1000).as_bytes()).chars().count(), 301);
        assert_eq!(reason(b"\xff"), "\u{fffd}");
    }
}
