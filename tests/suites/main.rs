//! Isthmus against real servers. One binary, because every further one would link everything again.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is tests, helpers included: they may panic, spawn and measure real time"
)]

mod flow;
mod join;
mod bad_input;
mod cli;
mod shutdown;
mod crash;
mod instances;
mod connectors;
mod host;
mod link;
mod kubernetes;
mod operator;
mod nodes;
mod pulsar_admin;
mod secrets;
mod sync;
