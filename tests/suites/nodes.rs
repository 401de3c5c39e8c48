//! Functions in real pods, and our servers beside them, as the charts install them; what a federation shows of pods. Where a machine
//! cannot have a node, the tests in here are the ones that are skipped.

mod world;
mod functions;
mod servers;
mod federation;
mod trouble;
mod sight;
