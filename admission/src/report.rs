//! What was found wrong so far.

use isthmus_model::reason::{Reason, Violation};

/// Collects violations; nothing is built for what is right.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<Violation>);

impl Report {
    /// A value that is not allowed.
    pub(crate) fn invalid(
        &mut self,
        field: impl Into<String>,
        message: impl Into<String>,
        value: &impl serde::Serialize,
    ) {
        self.add(field, Reason::InvalidField, message, value);
    }

    /// A value that does not go with another one.
    pub(crate) fn conflict(
        &mut self,
        field: impl Into<String>,
        message: impl Into<String>,
        value: &impl serde::Serialize,
    ) {
        self.add(field, Reason::ConflictingFields, message, value);
    }

    /// A field that must be given.
    pub(crate) fn missing(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Violation::new(field, Reason::MissingField, message));
    }

    /// Any other reason.
    pub(crate) fn add(
        &mut self,
        field: impl Into<String>,
        reason: Reason,
        message: impl Into<String>,
        value: &impl serde::Serialize,
    ) {
        let shown = serde_json::to_string(value).unwrap_or_default();
        self.0.push(Violation::new(field, reason, message).with_value(&shown));
    }

    pub(crate) fn into_violations(self) -> Vec<Violation> {
        self.0
    }
}
