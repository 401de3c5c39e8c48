//! Where a component runs: pure, deterministic, and able to say why.

pub mod demand;
pub mod site;
pub mod refusal;

pub use demand::Demand;
pub use refusal::{Refusal, Refusals};
pub use site::{ClusterId, PulsarId, Site, Sites};
