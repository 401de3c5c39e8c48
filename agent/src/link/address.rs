//! Where a gateway answers.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};

/// `host:port`; an IPv6 address stands in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GatewayAddress {
    host: String,
    port: u16,
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the address of a gateway: it must be host:port, such as gateway.example:6650 or [::1]:6650"
)]
pub struct Invalid(String);

impl GatewayAddress {
    /// The name that the gateway's certificate must have.
    pub fn server_name(&self) -> Result<ServerName<'static>, Invalid> {
        ServerName::try_from(self.host.clone()).map_err(|_| Invalid(self.to_string()))
    }

    /// For connecting: the host without brackets.
    pub fn host_and_port(&self) -> (&str, u16) {
        (&self.host, self.port)
    }
}

impl FromStr for GatewayAddress {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid(text.chars().take(128).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or_else(invalid)?,
            None if host.contains(':') => return Err(invalid()),
            None => host,
        };
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(invalid)?;
        let address = Self { host: host.to_owned(), port };
        address.server_name().map_err(|_| invalid())?;
        Ok(address)
    }
}

impl TryFrom<String> for GatewayAddress {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl fmt::Display for GatewayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl From<GatewayAddress> for String {
    fn from(address: GatewayAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_and_addresses_of_both_kinds_read_back() {
        for text in ["gateway.example:6650", "127.0.0.1:1", "[::1]:65535"] {
            assert_eq!(text.parse::<GatewayAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_refused() {
        for text in
            ["", "gateway", "gateway:", "gateway:0", "gateway:65536", "::1:80", "[::1:80", "a b:80", ":80"]
        {
            assert!(text.parse::<GatewayAddress>().is_err(), "{text}");
        }
    }
}
