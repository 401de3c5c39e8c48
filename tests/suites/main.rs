//! Isthmus against real servers. One binary, because every further one would link everything again.

mod pulsar_admin;
