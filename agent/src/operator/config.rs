//! What can be set of the operator, with Function Mesh's own defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::backend;
use crate::leader;

/// How custom resources become workloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// File with the way to the API server; empty takes `KUBECONFIG`, else `~/.kube/config`, else the pod's own account. No default.
    pub kubeconfig: Option<PathBuf>,
    /// Kubernetes namespaces whose resources are reconciled; empty means all. Default empty.
    pub namespaces: Vec<String>,
    /// Resources that are worked on at once. Default 32: beyond that an API server only queues.
    pub concurrency: u16,
    /// How often a resource is looked at although nothing happened. Default 10 min: what no event tells of (a Secret that
    /// somebody deleted) is repaired after that at the latest.
    #[serde(with = "humantime_serde")]
    pub resync: Duration,
    /// What clusters add to pods, and where that is looked for.
    pub backend_configs: backend::Config,
    /// Several agents of this cluster, of which one at a time reconciles: the Lease that says which. Default none: this agent is
    /// the only one.
    pub leader: Option<leader::Config>,
    /// What pods are made of.
    pub pods: Pods,
}

/// What pods are held to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// As Function Mesh's own operator makes them, for images that need it and for taking over its pods as they are.
    #[default]
    Compatible,
    /// What Kubernetes calls restricted, and more: not as root, nothing written but to volumes, no token of the API server.
    Restricted,
}

/// What all pods have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pods {
    /// `compatible` or `restricted`. Default `compatible`: going to the other replaces all pods.
    pub profile: Profile,
    /// Images of runners and helpers.
    pub images: Images,
    /// `Always`, `IfNotPresent` or `Never`, where a resource says nothing. Default empty: what Kubernetes takes by the image's tag.
    pub image_pull_policy: String,
    /// Secrets to pull images with, beside those of the resource. Default none.
    pub image_pull_secrets: Vec<String>,
    /// Labels of all pods; the resource's own win. Default none.
    pub labels: BTreeMap<String, String>,
    /// Annotations of all pods; the resource's own win. Default none.
    pub annotations: BTreeMap<String, String>,
    /// Prefer a node of its own for each instance of a component. Default true.
    pub default_affinity: bool,
    /// Have Kubernetes refuse to run containers as root also in the profile `compatible`; in the other it always does. Default
    /// false, because images of others may name no user.
    pub run_as_non_root: bool,
    /// Where pods reach this agent's port of packages (`packages.listen`), as in `http://isthmus-agent-packages.isthmus.svc:9091`.
    /// It stands in their commands: pods are replaced when it changes. Default empty: what names a package by its digest is
    /// refused.
    pub packages_url: String,
    /// Fetch packages in a container that runs before the instance, so that the runner's image needs no tool for it. Default false.
    pub init_containers: bool,
}

/// Images by what they are for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Images {
    /// Java functions.
    pub java: String,
    /// Python functions.
    pub python: String,
    /// Go functions.
    pub go: String,
    /// Functions of the generic runtime, by language.
    pub generic: BTreeMap<String, String>,
    /// Connectors whose package is not fetched: the image has them.
    pub connectors: String,
    /// Fetches packages before the instance starts.
    pub downloader: String,
    /// Carries logs to the log topic.
    pub filebeat: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            namespaces: Vec::new(),
            concurrency: 32,
            resync: Duration::from_mins(10),
            backend_configs: backend::Config::default(),
            leader: None,
            pods: Pods::default(),
        }
    }
}

impl Pods {
    /// Whether more is asked of pods than the original does.
    pub(crate) fn restricted(&self) -> bool {
        self.profile == Profile::Restricted
    }
}

impl Default for Pods {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            images: Images::default(),
            image_pull_policy: String::new(),
            image_pull_secrets: Vec::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            default_affinity: true,
            run_as_non_root: false,
            packages_url: String::new(),
            init_containers: false,
        }
    }
}

impl Default for Images {
    fn default() -> Self {
        let generic = [
            ("nodejs", "streamnative/pulsar-functions-generic-nodejs-runner:0.1.0"),
            ("python", "streamnative/pulsar-functions-generic-python-runner:0.1.0"),
            ("executable", "streamnative/pulsar-functions-generic-base-runner:0.1.0"),
            ("wasm", "streamnative/pulsar-functions-generic-base-runner:0.1.0"),
        ];
        Self {
            java: "streamnative/pulsar-functions-java-runner:2.10.0.0-rc10".to_owned(),
            python: "streamnative/pulsar-functions-python-runner:2.10.0.0-rc10".to_owned(),
            go: "streamnative/pulsar-functions-go-runner:2.10.0.0-rc10".to_owned(),
            generic: generic.into_iter().map(|(language, image)| (language.into(), image.into())).collect(),
            connectors: "streamnative/pulsar-all:2.10.0.0-rc10".to_owned(),
            downloader: "streamnative/pulsarctl:2.10.2.3".to_owned(),
            filebeat: "streamnative/filebeat:v0.6.0".to_owned(),
        }
    }
}
