//! How our programs talk to Pulsar.
//!
//! [`topic`] names what is talked about; [`admin`] asks a cluster's admin REST API about it.

#![warn(missing_docs)]

pub mod topic;
pub mod admin;
