//! Where one instance of a component lives.
//!
//! [`guard`] stands between an agent and a program on the agent's host: it starts the program, keeps its output,
//! ends it when told to or when its lease is over, and writes down how it ended.

#![warn(missing_docs)]

pub mod guard;
