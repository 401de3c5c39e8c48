//! A federation with Kubernetes clusters: what the gateway is told to run becomes custom resources there, and stays so.

mod world;
mod changes;
mod lifecycle;
mod repair;
mod kills;
mod sealed;
pub(crate) mod proxy;
mod weather;
