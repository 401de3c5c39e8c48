//! Wire ⇄ model: the only code that knows both.
//!
//! ```text
//! wire ▶ problems (all that is wrong, with paths) ▶ names ▶ spec · sealed · placement ▶ component ▶ assignment · observation
//! ```
//!
//! Towards the wire is [`From`] and cannot fail. From the wire is [`TryFrom`] with [`Invalid`], which names everything that
//! is wrong at once; a component that a caller wrote becomes a draft with [`component::draft`]. Every conversion takes its
//! message apart field by field, so that a new field is a compile error here until it is carried.

mod problems;
mod names;
pub mod component;
mod spec;
pub mod sealed;
pub mod placement;
pub mod assignment;
pub mod observation;
pub mod cluster;
pub mod access;
pub mod time;

pub use names::labels;
pub use problems::Invalid;
