//! What is promised: durable when acknowledged, one order, no lost update.
//!
//! ```text
//! submit ▶ queue ▶ decide { placement } ▶ apply ▶ append (one sync for all that queued up) ▶ publish ▶ answer
//! ```

pub mod command;
pub mod quota;
pub mod commit;
pub mod rejection;
pub mod handle;
mod record;
pub mod state;
pub mod decide;
pub mod preview;
pub mod audit;
mod apply;
pub mod engine;
pub mod sqlite;
pub mod simulated;
#[cfg(test)]
mod conformance;
mod snapshot;
mod recover;
mod shared;
pub mod writer;
pub mod subscription;
#[cfg(test)]
mod tests;

pub use command::{Command, Submission};
pub use commit::{Change, Commit, Effect, Outcome};
pub use handle::{Answer, Closed, Handle};
pub use preview::Preview;
pub use rejection::Rejection;
pub use state::State;
pub use subscription::Subscription;
pub use writer::{Config, Failure, OpenError, Writer, open};
