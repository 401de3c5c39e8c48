//! What can be set of how pods are looked at.

use std::path::Path;
use std::time::Duration;

use kube::Config as ClientConfig;
use serde::{Deserialize, Serialize};

/// How instances are asked what they count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The way to the instances' metrics port. Default `Direct` in a pod whose account is the way to the API server, else `Proxy`.
    pub way: Option<Way>,
    /// Between two questions to an instance that has not answered yet. Default 500 ms.
    #[serde(with = "humantime_serde")]
    pub starting: Duration,
    /// Between two questions to one that has. Default 5 s.
    #[serde(with = "humantime_serde")]
    pub ready: Duration,
    /// For one answer. Default 2 s.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Questions asked at the same time. Default 16.
    pub concurrency: usize,
}

/// The way to the instances' metrics port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// To the pods' own addresses: for an agent in the cluster's network.
    Direct,
    /// Through the API server (`pods/proxy`): for an agent outside.
    Proxy,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            way: None,
            starting: Duration::from_millis(500),
            ready: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            concurrency: 16,
        }
    }
}

impl Config {
    /// The way that is taken where this file is the way to the API server.
    pub(crate) fn way(&self, kubeconfig: Option<&Path>) -> Way {
        let inside = || kubeconfig.is_none() && ClientConfig::incluster().is_ok();
        self.way.unwrap_or_else(|| if inside() { Way::Direct } else { Way::Proxy })
    }
}
