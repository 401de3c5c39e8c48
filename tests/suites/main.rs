//! Isthmus against real servers. One binary, because every further one would link everything again.

mod flow;
mod join;
mod cli;
mod shutdown;
mod crash;
mod instances;
mod connectors;
mod host;
mod link;
mod pulsar_admin;
mod sync;
