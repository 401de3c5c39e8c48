//! What people write, turned into drafts of the model and back.
//!
//! ```text
//! text ▶ document ▶ shape ▶ one of the dialects ▶ Written { draft, its own violations, paths } ▶ admission
//!                            native · function_mesh · pulsar_config
//! Component ▶ native (what `get` prints) · function_details (what an instance is started with)
//! ```
//!
//! Everything here is pure. A dialect fills in its own defaults and keeps its own rules; what holds for every component is
//! the business of admission, which also asks [`Origin`] how a field is called in the text that it came from.
#![warn(missing_docs)]
#![expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the formats that people write"
)]

pub mod path;
pub mod document;
pub mod quantity;
mod shape;
mod written;
pub mod native;
mod amounts;
pub mod function_mesh;
mod pulsar_config;

pub mod function_details;
mod read;

pub use document::{Position, Problem};

pub use function_details::function_details;
pub use read::{Options, Read, UnknownFields, read, read_mesh, read_resource};
pub use written::{Dialect, Origin, Written};
