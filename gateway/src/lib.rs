//! The federation's gateway: it takes what people deploy, decides where it runs, and tells the agents.
//!
//! ```text
//! store { decide ▶ placement }
//! ```

mod clock;
pub mod api;
pub mod auth;
pub mod store;
pub mod placement;
pub mod cluster;
pub mod sync;
pub mod status;
