//! Isthmus against real servers. One binary, because every further one would link everything again.

mod host;
mod pulsar_admin;
mod sync;
