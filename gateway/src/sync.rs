//! Telling agents what to run, and hearing what they see.
//!
//! ```text
//! store: desired sets ▶ session (a value) ▶ stream ▶ agent
//! registry: who is connected      status ◀ session ◀ stream ◀ agent
//! ```

pub mod session;
mod view;
pub mod registry;
pub mod stream;
pub mod service;
