//! The harness of the suites: the whole federation as a value, against real servers.
//!
//! ```text
//! world       the cache, our programs, one Pulsar: provided once for all tests of a binary
//!    ▼
//! federation  a gateway and its agents, TLS and authorisation on; killed, stopped, started again; nothing left behind
//!    ▼
//! client      the gateway's services, as whoever calls
//! fixture     what the tests deploy
//! refusal     what a refused call says
//! nothing     a target that runs nothing
//! definitions of the custom resources, for clusters without the charts
//! ```

pub mod world;
pub mod federation;
pub mod client;
pub mod fixture;
pub mod refusal;
pub mod nothing;
pub mod definitions;

pub use client::{Client, Connection};
pub use federation::Federation;
pub use isthmus_testbed::wait::until;
pub use world::World;

/// How long a level may take that needs no new process of Pulsar's: two busy cores are slow, and a test that waits for
/// something that never comes fails all the same.
pub const SOON: std::time::Duration = std::time::Duration::from_mins(2);

/// How long instances may take to start, several at a time.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_mins(5);
