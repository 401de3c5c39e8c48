//! The federation's gateway: it takes what people deploy, decides where it runs, and tells the agents.
//!
//! ```text
//! config ▶ server { api ▶ auth ▶ store { decide ▶ placement } ▶ sync ▶ agents ▶ sync ▶ status ▶ api }
//! ```

mod clock;
pub mod web;
pub mod config;
pub mod init;
pub mod server;
pub mod api;
pub mod auth;
pub mod store;
pub mod placement;
pub mod cluster;
pub mod packages;
pub mod sync;
pub mod status;
pub mod status_code;
