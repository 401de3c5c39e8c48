//! Images: those that users get, built from the same Containerfiles, without an engine and without a registry.

mod buildah;
mod debian;
mod node;
mod program;

pub use node::NodeImages;
pub use program::{ProgramImage, Server};

/// The version of Pulsar that is in the runners.
const PULSAR: &str = "4.0.8";

/// The full name under which nodes know an image of ours.
fn reference(image: &str, tag: &str) -> String {
    format!("docker.io/isthmus/{image}:{tag}")
}
