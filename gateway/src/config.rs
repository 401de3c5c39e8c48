//! The tree of the parts' configurations.

use std::net::SocketAddr;
use std::path::PathBuf;

use bytesize::ByteSize;
use isthmus_daemon::program::{Common, Settings};
use isthmus_daemon::{admin, config, listener, runtime, shutdown, telemetry};
use serde::{Deserialize, Serialize};

use crate::cluster::health;
use crate::store;
use crate::sync::session;
use crate::web;

/// What environment variables start with.
pub const ENV_PREFIX: &str = "ISTHMUS_GATEWAY";

/// Everything that can be said to a gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Name of the federation, the trust domain of its certificates. Set once, by `init`: certificates of another name are
    /// strangers. Default `isthmus`.
    pub federation: String,
    /// Directory of the log, the packages and the certificate authority. Default `/var/lib/isthmus-gateway`.
    pub data: PathBuf,
    /// The API's port.
    pub server: Server,
    /// The store.
    pub store: store::Config,
    /// How patient the gateway is with silent clusters.
    pub health: health::Config,
    /// How sessions with agents are held.
    pub sessions: session::Config,
    /// Packages.
    pub packages: Packages,
    /// Web pages that may call.
    pub web: web::Config,
    /// The threads that the gateway works with.
    pub runtime: runtime::Config,
    /// The log.
    pub log: telemetry::Config,
    /// The admin port: health, metrics and the log's filter.
    pub admin: admin::Config,
    /// The end.
    pub shutdown: shutdown::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            federation: "isthmus".into(),
            data: "/var/lib/isthmus-gateway".into(),
            server: Server::default(),
            store: store::Config::default(),
            health: health::Config::default(),
            sessions: session::Config::default(),
            packages: Packages::default(),
            web: web::Config::default(),
            runtime: runtime::Config::default(),
            log: telemetry::Config::default(),
            admin: admin::Config::default(),
            shutdown: shutdown::Config::default(),
        }
    }
}

/// The API's port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Server {
    /// Address and port. Default `127.0.0.1:7443`: a gateway is reached from elsewhere once somebody says so.
    pub listen: SocketAddr,
    /// Names and addresses in the gateway's certificate. Default `localhost`, `127.0.0.1` and `::1`.
    pub names: Vec<String>,
    /// Where agents reach the gateway, as `host:port`; goes into join tokens, and the first into the administrator's profile.
    /// Default: the address that it listens on.
    pub advertise: Vec<String>,
    /// Serve without TLS, which a loopback address alone may. Callers then show API tokens, and agents cannot join.
    /// Default false.
    pub plaintext: bool,
    /// What newcomers may cost.
    pub limits: listener::Limits,
    /// Largest message that is taken. Default 4 MiB: a manifest of 1 MiB and a batch of thousands fit.
    #[serde(with = "config::size")]
    pub message: ByteSize,
    /// Calls at the same time on one connection; further ones wait. Default 1,024.
    pub streams: u32,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7443)),
            names: ["localhost", "127.0.0.1", "::1"].map(Into::into).to_vec(),
            advertise: Vec::new(),
            plaintext: false,
            limits: listener::Limits::default(),
            message: ByteSize::mib(4),
            streams: 1024,
        }
    }
}

/// Packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Packages {
    /// Largest package. Default 1 GiB: a NAR with all of its dependencies has hundreds of MiB.
    #[serde(with = "config::size")]
    pub largest: ByteSize,
}

impl Default for Packages {
    fn default() -> Self {
        Self { largest: ByteSize::gib(1) }
    }
}

impl Config {
    /// The log and its snapshots.
    pub fn store_dir(&self) -> PathBuf {
        self.data.join("store")
    }

    /// The bytes of packages.
    pub fn packages_dir(&self) -> PathBuf {
        self.data.join("packages")
    }

    /// The root's certificate.
    pub fn root_certificate(&self) -> PathBuf {
        self.data.join("ca.crt")
    }

    /// The root's key.
    pub fn root_key(&self) -> PathBuf {
        self.data.join("ca.key")
    }
}

impl Settings for Config {
    fn common(&self) -> Common<'_> {
        Common { runtime: self.runtime, log: &self.log, admin: &self.admin, shutdown: self.shutdown }
    }

    fn check(&self) -> Result<(), config::Error> {
        if self.server.plaintext {
            listener::permitted(self.server.listen, &listener::Security::Plaintext)
                .map_err(|problem| config::Error::refused("server.listen", problem))?;
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if self.federation.is_empty() || self.federation.len() > 253 || !self.federation.chars().all(plain) {
            let problem = "a trust domain has lower-case letters, digits, - and ., at most 253";
            return Err(config::Error::refused("federation", problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_beyond_this_machine_is_refused_before_anything_is_bound() {
        let mut config = Config::default();
        config.server.plaintext = true;
        assert!(config.check().is_ok());
        config.server.listen = SocketAddr::from(([0, 0, 0, 0], 7443));
        let refused = config.check().unwrap_err().to_string();
        assert!(refused.contains("server.listen") && !refused.contains('\n'), "{refused}");
    }

    #[test]
    fn the_dumped_configuration_is_the_configuration() {
        let dumped = config::dump(&Config::default()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("gateway.yaml");
        std::fs::write(&file, dumped).unwrap();
        let source = config::Source { file: Some(file), env_prefix: ENV_PREFIX, env: [] };
        assert_eq!(config::load::<Config, _>(source).unwrap(), Config::default());
    }
}
