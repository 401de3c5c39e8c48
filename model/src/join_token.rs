//! The join token: what an operator hands to the machine of a new cluster so that its agent may join, once.
//!
//! Its public part tells the agent whom to trust before it says anything: the SHA-256 of the gateway's root certificate.
//! The secret part proves the agent to the gateway, which keeps only its hash, with the cluster's name, labels and expiry;
//! so a token whose public part was altered deceives the agent at most about an address, and never the gateway.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::name::{ClusterName, Digest};
use crate::order::UnixMillis;

/// What every token starts with: the kind of secret (for scanners of leaked ones) and the format's version.
const PREFIX: &str = "isthmus-join-1.";

/// A token longer than this is not one of ours.
const LONGEST: usize = 8192;

/// A join token, complete. [`Display`](fmt::Display) shows it whole, `Debug` without its secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinToken {
    /// The cluster that joins by it.
    pub cluster: ClusterName,
    /// When it ends.
    pub expires: UnixMillis,
    /// SHA-256 of the DER of the root that the gateway's certificate leads to.
    pub ca_fingerprint: Digest,
    /// Where gateways answer, as `host:port`, for an agent that was told no address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<String>,
    /// What proves the agent to the gateway.
    #[serde(with = "secret")]
    secret: [u8; 32],
}

impl JoinToken {
    /// A token with a secret that the caller drew at random.
    pub fn new(
        cluster: ClusterName,
        expires: UnixMillis,
        ca_fingerprint: Digest,
        gateways: Vec<String>,
        secret: [u8; 32],
    ) -> Self {
        Self { cluster, expires, ca_fingerprint, gateways, secret }
    }

    /// SHA-256 of the secret: all that the gateway keeps of it.
    pub fn secret_hash(&self) -> Digest {
        Digest(Sha256::digest(self.secret).into())
    }
}

/// Why a text is not a join token. The text itself is never shown: it may be another secret, pasted by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is something else, or of another version.
    #[error("this is not a join token: it must start with {PREFIX}")]
    Prefix,
    /// It was cut or altered.
    #[error("the join token is damaged: copy it again, whole")]
    Damaged,
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_vec(self).map_err(|_| fmt::Error)?;
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(json))
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, expires, ca_fingerprint, gateways, secret: _ } = self;
        f.debug_struct("JoinToken")
            .field("cluster", cluster)
            .field("expires", expires)
            .field("ca_fingerprint", ca_fingerprint)
            .field("gateways", gateways)
            .finish_non_exhaustive()
    }
}

impl FromStr for JoinToken {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let body = text.strip_prefix(PREFIX).ok_or(Invalid::Prefix)?;
        if text.len() > LONGEST {
            return Err(Invalid::Damaged);
        }
        let json = URL_SAFE_NO_PAD.decode(body).map_err(|_| Invalid::Damaged)?;
        serde_json::from_slice(&json).map_err(|_| Invalid::Damaged)
    }
}

mod secret {
    //! The secret within the token's JSON.

    use base64::Engine as _;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use super::URL_SAFE_NO_PAD;

    pub(super) fn serialize<S: Serializer>(secret: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(secret))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| D::Error::custom("not base64url"))?;
        bytes.try_into().map_err(|_| D::Error::custom("not 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> JoinToken {
        JoinToken::new(
            ClusterName::new("east").unwrap(),
            UnixMillis(1_700_000_000_000),
            Digest([7; 32]),
            vec!["gateway.example:6650".into()],
            [42; 32],
        )
    }

    #[test]
    fn a_token_reads_back_from_its_text_even_with_a_line_break_at_its_end() {
        let text = token().to_string();
        assert!(text.starts_with("isthmus-join-1."), "{text}");
        assert_eq!(format!("{text}\n").parse(), Ok(token()));
    }

    #[test]
    fn debug_output_does_not_show_the_secret() {
        let shown = format!("{:?}", token());
        assert!(shown.contains("east") && !shown.contains("42"), "{shown}");
    }

    #[test]
    fn a_text_that_was_cut_or_is_something_else_is_refused_with_a_remedy() {
        let text = token().to_string();
        assert_eq!("hunter2".parse::<JoinToken>(), Err(Invalid::Prefix));
        for length in PREFIX.len()..text.len() {
            assert_eq!(text[..length].parse::<JoinToken>(), Err(Invalid::Damaged), "cut at {length}");
        }
    }

    #[test]
    fn the_gateway_keeps_a_hash_that_depends_on_the_secret_alone() {
        let mut other = token();
        other.cluster = ClusterName::new("west").unwrap();
        assert_eq!(other.secret_hash(), token().secret_hash());
        other.secret = [43; 32];
        assert_ne!(other.secret_hash(), token().secret_hash());
    }
}
