//! What is wrong with a message: collected, so that a caller learns all of it at once.

use std::fmt;

use isthmus_model::component::Object;
use isthmus_model::reason::{Reason, Violation};
use serde_json::Value;

use crate::failure::Failure;

/// A message that says something that it cannot mean. At least one violation, each with the path of its field by the
/// wire's JSON names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct Invalid(pub Vec<Violation>);

impl Invalid {
    /// One thing wrong with one field.
    pub fn one(field: &str, reason: Reason, message: impl Into<String>) -> Self {
        Self(vec![Violation::new(field, reason, message)])
    }

    fn sentence(&self) -> String {
        let each = |violation: &Violation| format!("{}: {}", violation.field, violation.message);
        self.0.iter().map(each).collect::<Vec<_>>().join("; ")
    }
}

impl From<Invalid> for Failure {
    fn from(Invalid(violations): Invalid) -> Self {
        Self::of_fields("the request has fields that are not valid", violations)
    }
}

/// Where in a message: a list on the stack, turned into text only for what is wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'p> {
    Root,
    Field(&'static str),
    Key(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    /// The message itself.
    pub(super) const ROOT: Path<'static> = Path { parent: None, step: Step::Root };

    /// A field of it, by its JSON name.
    pub(super) fn field(&'p self, name: &'static str) -> Path<'p> {
        Path { parent: Some(self), step: Step::Field(name) }
    }

    /// An entry of a map.
    pub(super) fn key(&'p self, key: &'p str) -> Path<'p> {
        Path { parent: Some(self), step: Step::Key(key) }
    }

    /// An element of a list.
    pub(super) fn index(&'p self, index: usize) -> Path<'p> {
        Path { parent: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Field(name) if self.parent.is_none_or(|parent| matches!(parent.step, Step::Root)) => {
                f.write_str(name)
            }
            Step::Field(name) => write!(f, ".{name}"),
            Step::Key(key) => write!(f, "[{key}]"),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// What was found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Violation>);

impl Problems {
    /// `value` if nothing was wrong.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Invalid> {
        if self.0.is_empty() { Ok(value) } else { Err(Invalid(self.0)) }
    }

    /// Something is wrong with a value that may be shown.
    pub(super) fn invalid(&mut self, path: &Path<'_>, message: impl Into<String>, value: impl Into<Value>) {
        let violation = Violation::new(path.to_string(), Reason::InvalidField, message);
        self.0.push(violation.with_value(&value.into().to_string()));
    }

    /// A value does not go with what is said elsewhere.
    pub(super) fn conflict(&mut self, path: &Path<'_>, message: impl Into<String>, value: impl Into<Value>) {
        let violation = Violation::new(path.to_string(), Reason::ConflictingFields, message);
        self.0.push(violation.with_value(&value.into().to_string()));
    }

    /// Something is wrong that has no value, or one that may hold a credential.
    pub(super) fn add(&mut self, path: &Path<'_>, reason: Reason, message: impl Into<String>) {
        self.0.push(Violation::new(path.to_string(), reason, message));
    }

    /// A value of the model's own type, or what its parser says against it; empty text counts as not given.
    pub(super) fn parse<T>(&mut self, path: &Path<'_>, text: &str) -> Option<T>
    where
        T: std::str::FromStr<Err = isthmus_model::name::Invalid>,
    {
        let wrong = |error: isthmus_model::name::Invalid| match text {
            "" => self.add(path, Reason::MissingField, "it must be given"),
            text => self.invalid(path, error.to_string(), text),
        };
        text.parse().map_err(wrong).ok()
    }

    /// An enum's number as its value; a number that this version does not know is wrong, and none.
    pub(super) fn enumeration<E: TryFrom<i32>>(&mut self, path: &Path<'_>, number: i32) -> Option<E> {
        let wrong = |_| {
            self.invalid(
                path,
                format!("{number} is not a value of this enum that this version knows"),
                number,
            );
        };
        E::try_from(number).map_err(wrong).ok()
    }

    /// JSON text as an object; empty text is the empty object. The text is not repeated: it may hold credentials.
    pub(super) fn object(&mut self, path: &Path<'_>, text: &str) -> Object {
        match self.json(path, text) {
            None => Object::default(),
            Some(Value::Object(object)) => object,
            Some(_) => {
                self.add(
                    path,
                    Reason::InvalidField,
                    "it must be a JSON object, such as {\"key\": \"value\"}",
                );
                Object::default()
            }
        }
    }

    /// JSON text as a value; empty text is none.
    pub(super) fn json(&mut self, path: &Path<'_>, text: &str) -> Option<Value> {
        if text.is_empty() {
            return None;
        }
        let wrong = |error: serde_json::Error| {
            self.add(path, Reason::MalformedDocument, format!("it is not JSON: {error}"));
        };
        serde_json::from_str(text).map_err(wrong).ok()
    }
}

/// An object as JSON text, the empty one as empty text. Keys are sorted, so that equal objects have equal text.
pub(super) fn text_of_object(object: Object) -> String {
    if object.is_empty() { String::new() } else { text_of_json(Value::Object(object)) }
}

/// A value as JSON text with its keys sorted.
pub(super) fn text_of_json(mut value: Value) -> String {
    value.sort_all_objects();
    value.to_string()
}

impl From<Problems> for Invalid {
    /// For who knows already that something was wrong.
    fn from(problems: Problems) -> Self {
        Self(problems.0)
    }
}
