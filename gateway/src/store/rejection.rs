//! Why a command was not taken.

use isthmus_model::reason::{Reason, Violation};

/// Why a command was not taken. Nothing of it happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// The reason word.
    pub reason: Reason,
    /// One or two sentences: what was attempted, on what, what is wrong, what to do.
    pub message: String,
    /// Fields at fault, where it is about fields.
    pub violations: Vec<Violation>,
}

impl Rejection {
    /// A rejection that is not about fields.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), violations: Vec::new() }
    }

    /// The store takes nothing any more, because it is stopping or could not write.
    pub fn unavailable() -> Self {
        Self::new(
            Reason::Unavailable,
            "the gateway is stopping or cannot write its log; whether the change was made is known after its restart: \
             repeat it with the same request id",
        )
    }

    /// Adds a field at fault.
    #[must_use]
    pub fn with(mut self, violation: Violation) -> Self {
        self.violations.push(violation);
        self
    }
}
