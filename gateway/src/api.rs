//! gRPC in: convert, call the next step, convert back.

pub mod status_code;
pub mod context;
mod labels;
mod latest;
pub mod clusters;
pub mod pulsar_clusters;
pub mod packages;
pub mod access;
mod routes;

pub use routes::Api;
