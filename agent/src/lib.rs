//! The agent of one cluster: receives the cluster's share, makes it run, and says what it sees.
//!
//! ```text
//! gateway ⇄ link ▶ inbox (durable) ▶ target { host: guarded processes } ▶ report ▶ link ⇄ gateway
//! ```
//!
//! What runs here depends on the inbox's file and on nothing else: without a gateway the agent goes on, and when it ends or
//! is restarted its instances live on.

mod by_index;
mod last_error;
pub mod config;
pub mod link;
pub mod lease;
pub mod inbox;
pub mod target;
pub mod package;
pub mod sealing_key;
pub mod host;
pub mod custom_resources;
pub mod leader;
pub mod operator;
pub mod report;
mod compose;

pub use compose::{Error, start};
pub use config::Config;
