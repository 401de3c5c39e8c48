//! Isthmus against real servers. One binary, because every further one would link everything again.

mod host;
mod link;
mod pulsar_admin;
mod sync;
