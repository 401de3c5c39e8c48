//! gRPC in.
pub mod status_code;
