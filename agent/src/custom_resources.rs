//! The cluster's share as custom resources of Function Mesh, where there is a Kubernetes.
//!
//! ```text
//! desired ▶ render (pure) ─┐
//! watch ▶ found ───────────┴▶ plan (pure) ▶ driver [client]: delete, create, replace ▶ what cannot be done: observe
//!                                             custom resources ▶ the operator's, as those of anybody
//! custom resources, pods, what instances count ▶ observe: what the gateway is told of what runs
//! ```
//!
//! What is true of each component is the custom resource that stands for it: its annotations say whose it is and which
//! generation, so that nothing has to be remembered beside it, and what a person does to it is seen and undone.

pub mod config;
#[expect(dead_code, reason = "what asks for it comes next")]
pub(crate) mod marks;
#[cfg_attr(not(test), expect(dead_code, reason = "what asks for it comes next"))]
mod place;
#[expect(dead_code, reason = "what asks for it comes next")]
mod plan;
#[expect(dead_code, reason = "the target, which has them run, comes next")]
pub mod observe;
#[expect(dead_code, reason = "the target, which has them run, comes next")]
pub mod logs;

pub use config::Config;
