//! Images: those that users get, built from the same Containerfiles, without an engine and without a registry.

mod buildah;
mod debian;
mod node;
mod program;

pub use node::NodeImages;
pub use program::{ProgramImages, Server};

/// The full name under which nodes know an image of ours.
fn reference(image: &str, tag: &str) -> String {
    format!("docker.io/isthmus/{image}:{tag}")
}
