//! The nouns of the federation and the rules between them, in the order a deployment meets them.
//!
//! ```text
//! name ▶ order ▶ component (written) ▶ policy ▶ cluster ▶ assignment (desired) ▶ observation (seen) ▶ condition
//! ```
//!
//! Nothing here does I/O, reads a clock or draws a random number: time and chance arrive as arguments. So every program
//! and every test shares exactly these types.
#![warn(missing_docs)]
#![expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the formats that people write"
)]

pub mod name;
pub mod order;
pub mod reason;
pub mod component;
pub mod resources;
pub mod package;
pub mod policy;
pub mod sealed;
pub mod cluster;
pub mod pulsar_cluster;
pub mod assignment;
pub mod set_digest;
pub mod observation;
pub mod access;
pub mod join_token;
pub mod profile;
