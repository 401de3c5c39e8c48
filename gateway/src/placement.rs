//! Where a component runs: pure, deterministic, and able to say why.
//!
//! ```text
//! demand, sites ▶ filter ▶ score ▶ spread ▶ divide ▶ decision (the store reserves what it says)
//! ```
//!
//! It knows nothing of the store: [`Sites`] is all it sees of the clusters, so a copy of it with one cluster changed answers
//! "what if".

pub mod demand;
pub mod site;
pub mod refusal;
mod filter;
mod score;
mod spread;
mod divide;
pub mod plan;
pub mod report;
#[cfg(test)]
mod tests;

pub use demand::Demand;
pub use plan::{Cache, Current, Decision, Share, plan};
pub use refusal::{Refusal, Refusals};
pub use report::{Report, explain};
pub use score::Score;
pub use site::{ClusterId, PulsarId, Site, Sites};
