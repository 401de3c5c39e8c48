//! Functions in real pods, and our servers beside them, as the charts install them. Where a machine cannot have a node, the tests
//! in here are the ones that are skipped.

mod world;
mod functions;
mod servers;
