//! Isthmus against real servers. One binary, because every further one would link everything again.

mod host;
mod link;
mod flow;
mod join;
mod pulsar_admin;
mod sync;
