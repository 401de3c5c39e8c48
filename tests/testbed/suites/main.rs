//! The testbed against the servers that it provides, and against its own sudden end.

mod provision;
mod processes;
mod etcd;
mod pulsar;
mod kubernetes;
mod charts;
mod nodes;
