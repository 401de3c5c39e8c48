//! The agent of one cluster: receives the cluster's share, makes it run, and says what it sees.

pub mod target;
pub mod package;
pub mod host;
