//! The text of a join token: what an operator carries from the gateway to a new cluster's agent.
//!
//! It tells the agent whom to trust (the fingerprint of the federation's root, before any connection is made) and the gateway
//! what it once promised. The gateway keeps only the SHA-256 of the whole text, so that a token that was altered anywhere is
//! one that it never made.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use isthmus_model::name::{ClusterName, Digest};
use isthmus_model::order::UnixMillis;
use serde::{Deserialize, Serialize};

/// What every token starts with, so that secret scanners and people recognise it.
const PREFIX: &str = "isthmus-join-";

/// Longest text that is looked at.
const MAX_BYTES: usize = 2048;

/// Lets one agent join as one cluster, once. `Debug` does not show the secret; `Display` is the secret text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// Name of the federation: the trust domain.
    #[serde(rename = "f")]
    pub federation: String,
    /// The cluster that joins by it.
    #[serde(rename = "c")]
    pub cluster: ClusterName,
    /// SHA-256 of the federation's root certificate (DER): the last certificate that the gateway shows in the handshake.
    #[serde(rename = "r")]
    pub root: Digest,
    /// When it ends.
    #[serde(rename = "e")]
    pub expires_at: UnixMillis,
    /// 32 random bytes, in hexadecimal digits.
    #[serde(rename = "s")]
    pub secret: String,
}

/// A text that is no join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a join token; it must be the whole text, starting with {PREFIX}, as it was printed")]
pub struct Malformed;

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_vec(self).map_err(|_| fmt::Error)?;
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(json))
    }
}

impl FromStr for JoinToken {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let text = text.trim();
        let encoded = text.strip_prefix(PREFIX).filter(|_| text.len() <= MAX_BYTES).ok_or(Malformed)?;
        let json = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Malformed)?;
        serde_json::from_slice(&json).map_err(|_| Malformed)
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken")
            .field("federation", &self.federation)
            .field("cluster", &self.cluster)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> JoinToken {
        JoinToken {
            federation: "example".into(),
            cluster: ClusterName::new("east").unwrap(),
            root: Digest([7; 32]),
            expires_at: UnixMillis(1),
            secret: "5eC4e7".into(),
        }
    }

    #[test]
    fn a_token_reads_back_from_its_text_and_hides_its_secret_from_logs() {
        let text = token().to_string();
        assert_eq!(format!(" {text}\n").parse(), Ok(token()));
        assert!(!format!("{:?}", token()).contains("5eC4e7"));
    }

    #[test]
    fn anything_else_is_refused() {
        let text = token().to_string();
        for bad in [
            "",
            "isthmus-join-",
            "isthmus-join-%%",
            &text[1..],
            &text[..text.len() - 9],
            &format!("{text}{}", "A".repeat(3000)),
        ] {
            assert_eq!(bad.parse::<JoinToken>(), Err(Malformed), "{bad}");
        }
    }
}
