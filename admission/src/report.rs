//! What was found wrong so far.

use isthmus_model::component::KeyRef;
use isthmus_model::reason::{Reason, Violation};
use serde::Serialize;

/// Collects violations; nothing is built for what is right.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<Violation>);

impl Report {
    /// A value that is not allowed.
    pub(crate) fn invalid(
        &mut self,
        field: impl Into<String>,
        message: impl Into<String>,
        value: &impl Serialize,
    ) {
        self.add(field, Reason::InvalidField, message, value);
    }

    /// A value that is not allowed and may hold a credential, so that it is not shown.
    pub(crate) fn invalid_secret(&mut self, field: &str, message: &str) {
        self.0.push(Violation::new(field, Reason::InvalidField, message));
    }

    /// A value that does not go with another one.
    pub(crate) fn conflict(
        &mut self,
        field: impl Into<String>,
        message: impl Into<String>,
        value: &impl Serialize,
    ) {
        self.add(field, Reason::ConflictingFields, message, value);
    }

    /// A field that must be given.
    pub(crate) fn missing(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Violation::new(field, Reason::MissingField, message));
    }

    /// A part that this kind of component does not have.
    pub(crate) fn foreign(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(Violation::new(field, Reason::ConflictingFields, message));
    }

    /// Any other reason.
    pub(crate) fn add(
        &mut self,
        field: impl Into<String>,
        reason: Reason,
        message: impl Into<String>,
        value: &impl Serialize,
    ) {
        let shown = serde_json::to_string(value).unwrap_or_default();
        self.0.push(Violation::new(field, reason, message).with_value(&shown));
    }

    /// Findings of somebody else.
    pub(crate) fn extend(&mut self, violations: impl IntoIterator<Item = Violation>) {
        self.0.extend(violations);
    }

    /// A word from a list; empty counts as not given.
    pub(crate) fn one_of(&mut self, field: &str, word: &str, words: &[&str]) {
        if !word.is_empty() && !words.contains(&word) {
            self.invalid(field, format!("it must be one of {}", words.join(", ")), &word);
        }
    }

    /// An object and a key in it.
    pub(crate) fn key_ref(&mut self, field: &str, key_ref: &KeyRef) {
        for (part, text) in [("name", &key_ref.name), ("key", &key_ref.key)] {
            if text.is_empty() {
                self.missing(format!("{field}.{part}"), "it must be given");
            }
        }
    }

    pub(crate) fn into_violations(self) -> Vec<Violation> {
        self.0
    }
}
