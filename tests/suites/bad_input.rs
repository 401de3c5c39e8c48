//! Wrong manifests and calls against a real gateway, over mTLS, with authorisation on.
//!
//! Each input says beforehand how it must be refused: the gRPC code, the reason, and every field at fault with its value. And a
//! refused call has changed nothing: the newest commit is the one from before.
//!
//! ```text
//! tests/golden/bad/NNN-name.*   a manifest with its header          ▶ file ▶ manifests ┐
//! components, batches, …        calls that are no manifests, a table ▶ case            ┴▶ expected: as it was said?
//! ```

mod expected;
mod setting;
mod case;
mod file;
mod manifests;
mod components;
mod batches;
mod packages;
mod clusters;
mod access;
mod joining;
