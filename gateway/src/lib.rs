//! The federation's gateway: it takes what people deploy, decides where it runs, and tells the agents.
//!
//! ```text
//! store { decide ▶ placement }
//! ```

pub mod store;
pub mod placement;
