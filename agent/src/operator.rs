//! The operator: custom resources of Function Mesh become workloads of Kubernetes, whoever wrote them.
//!
//! ```text
//! custom resource ▶ dereference [client] ▶ validate ▶ build ▶ apply [client] ▶ status [client]
//! ```
//!
//! Validate and build are pure: what would be applied can be printed without a cluster.

pub mod config;
mod owner;
mod child;
mod validate;
mod build;
pub mod render;

pub use config::Config;
