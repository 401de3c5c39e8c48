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
pub mod engine;
mod shared;
pub mod subscription;

pub use command::{Command, Submission};
pub use commit::{Change, Commit, Effect, Outcome};
pub use handle::{Answer, Closed, Handle};
pub use rejection::Rejection;
pub use state::State;
pub use subscription::Subscription;
