//! The store as a whole: what it decides, what it keeps, and what survives a crash.

pub(crate) mod fixture;
mod components;
mod clusters;
mod sealed;
mod random;
mod writer;
mod crash;
