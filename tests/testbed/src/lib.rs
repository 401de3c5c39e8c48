//! Real servers as values: they are provided, start, have an address, and stop.
//!
//! Isthmus has no home-made fake of Pulsar or etcd; what talks to one is shown against the real one. That is only bearable
//! when a real one is one line away, starts in seconds, and can never be left behind. This crate is that line, for the
//! suites, the benches and `cargo xtask demo`:
//!
//! ```text
//! provision  what a server is made of, in a cache shared by all checkouts and runs
//!    ▼
//! run        a directory of its own for each server, registered, so that a crash is swept up
//!    ▼
//! process    a process group under a guard that ends it when we end, however we end
//!    ▼
//! kubernetes · pulsar · etcd     servers; `ports` leases their ports, `wait` says when they serve
//!    ▼
//! traffic    messages in and out, by the official client: an independent witness
//! isthmus    our own programs, started as an operator would
//! ```
#![expect(
    clippy::disallowed_methods,
    reason = "the testbed is a harness: it looks up its cache in the environment and measures real time"
)]

pub mod cache;
pub mod provision;
pub mod progress;
pub mod tools;
pub mod run;
pub mod process;
pub mod ports;
pub mod wait;
pub mod server;
mod admin;
pub mod kubernetes;
pub mod pulsar;
pub mod etcd;
pub mod traffic;
pub mod cargo;
pub mod isthmus;
pub mod fs;

pub use cache::Cache;
pub use etcd::Etcd;
pub use provision::{ImageServer, KubernetesHome, NodeImages, ProgramImages, PulsarHome, PythonVenv};
pub use pulsar::{Pulsar, PulsarOptions};
pub use run::Run;
pub use tools::Missing;
pub use traffic::Traffic;
