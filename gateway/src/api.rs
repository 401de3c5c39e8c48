//! gRPC in: convert, call the next step, convert back.

pub mod context;
mod labels;
mod latest;
mod prepare;
mod show;
mod explain;
mod difference;
pub mod resource;
mod watch;
mod logs;
pub mod kinds;
pub mod batch;
pub mod manifest;
pub mod sealing;

pub mod clusters;
pub mod pulsar_clusters;
pub mod packages;
pub mod access;
pub mod gateway;
pub mod health;
pub mod direct;
mod routes;

pub use routes::Api;
