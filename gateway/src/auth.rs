//! Who calls, and may they: one path for every call, before any handler.
//!
//! ```text
//! connection, headers ▶ identify (who) ▶ permit (may they call this at all) ▶ handler: permit again, where the request says
//! ```
//!
//! Nothing is remembered of a caller but the certificate that the connection showed: bindings, tokens and revocations are
//! looked up at every call, and again while a stream lives.

pub mod identify;
pub mod permit;
pub mod layer;

pub use identify::{Caller, Gate, Identity};
pub use layer::{AuthLayer, caller, principal};
pub use permit::{Denied, Need, Reach};
