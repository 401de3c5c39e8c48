//! A real Kubernetes 1.34: its own programs, built from their modules.

mod machine;
mod certificates;
mod kubeconfig;
mod kubectl;
mod site;
mod control_plane;
mod host;
mod namespace;
mod node;
mod fault;
mod volume;
mod cluster;

use std::path::PathBuf;

use crate::{fs, ports, process, provision, server, wait::Expired};

pub use certificates::User;
pub use cluster::Cluster;
pub use control_plane::{Component, ControlPlane, Extent};
pub use fault::{Effect, Flow};
pub use host::{Bridge, Error as PlaceError, leftovers};
pub use kubeconfig::Kubeconfig;
pub use kubectl::{Client, Error as ClientError};
pub use machine::nodes_can_run;
pub use node::NodeComponent;

/// A cluster, or a part of it, could not be started, changed or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What it is made of could not be provided.
    #[error("cannot start Kubernetes")]
    Provision(#[source] provision::Error),
    /// No port was free.
    #[error("cannot start Kubernetes")]
    Ports(#[source] ports::Error),
    /// Its files could not be made.
    #[error("cannot start Kubernetes")]
    Files(#[source] fs::Error),
    /// Its certificates could not be made.
    #[error("cannot start Kubernetes")]
    Certificates(#[source] certificates::Error),
    /// Nobody could be made to look whether it is ready.
    #[error("cannot look whether Kubernetes is ready")]
    Probe(#[source] reqwest::Error),
    /// One of its servers did not start or stop.
    #[error(transparent)]
    Server(server::Error),
    /// The machine has no place for it.
    #[error("cannot start a Kubernetes cluster")]
    Place(#[source] host::Error),
    /// Its namespaces could not be made.
    #[error("cannot make the namespaces of a Kubernetes cluster")]
    Process(#[source] process::Error),
    /// Its namespaces could not be furnished.
    #[error("cannot furnish the namespaces of a Kubernetes cluster")]
    Host(#[source] host::CommandError),
    /// A part of it was not there in time.
    #[error("a Kubernetes cluster did not start")]
    Wait(#[source] Expired),
    /// Its API server refused what every cluster begins with.
    #[error("a Kubernetes cluster did not start")]
    Client(#[source] ClientError),
    /// An image could not be imported.
    #[error("cannot import the image {}: {said}", archive.display())]
    Image {
        /// The image.
        archive: PathBuf,
        /// containerd's word.
        said: String,
    },
    /// Packets could not be held back.
    #[error("cannot delay packets; what should said:\n{said}")]
    Delay {
        /// Its log.
        said: String,
    },
    /// A node's images could not be put in place.
    #[error("cannot give a node its images:\n{said}")]
    Images {
        /// What the copying said.
        said: String,
    },
}
