//! What can be wrong with a configuration, in one line that leads the reader to the place.

use std::fmt;
use std::path::PathBuf;

use figment::Figment;
use figment::error::{Actual, Kind};
use figment::value::Value;
use serde::Serialize;

use super::layer::variable_name;
use super::secret::REFUSED_SECRET;
use crate::chain::one_line;

/// Why a configuration was refused. The text is one line and never shows a [`Secret`](super::Secret).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file that was named cannot be read.
    #[error("cannot read configuration file {}", path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not YAML, or is YAML but not a map of keys.
    #[error("configuration file {} is not valid YAML: {problem}", path.display())]
    ParseFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        problem: String,
    },
    /// A variable has the prefix but does not spell a key.
    #[error(
        "environment variable {name} names no configuration key: two underscores must stand between two parts of a key"
    )]
    Variable {
        /// The variable.
        name: String,
    },
    /// A key that no part of this program reads.
    #[error("configuration key `{key}` is unknown ({origin}); known here: {}", known.join(", "))]
    UnknownKey {
        /// The whole key, with dots.
        key: String,
        /// Where it was set.
        origin: String,
        /// The keys that would be understood in its place.
        known: Vec<String>,
    },
    /// A key that has no default was set nowhere.
    #[error(
        "configuration key `{key}` is missing: set it in the file, or as environment variable {variable}"
    )]
    MissingKey {
        /// The whole key, with dots.
        key: String,
        /// The variable that would set it.
        variable: String,
    },
    /// A value that its key cannot take.
    #[error("configuration key `{key}`: {problem} ({origin})")]
    Value {
        /// The whole key, with dots.
        key: String,
        /// The value, unless it is secret, and what is expected.
        problem: String,
        /// Where it was set.
        origin: String,
    },
}

impl Error {
    /// What a program ends with when its configuration is refused: `EX_USAGE` of `sysexits.h`.
    pub const EXIT_CODE: u8 = 64;

    /// A value that its type allows and its part does not; for [`Settings::check`](crate::program::Settings::check).
    pub fn refused(key: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self::Value {
            key: key.into(),
            problem: one_line(&problem.to_string()),
            origin: "as configured".into(),
        }
    }

    /// [`Self::EXIT_CODE`] as `main` returns it.
    pub fn exit_code(&self) -> std::process::ExitCode {
        Self::EXIT_CODE.into()
    }
}

/// A configuration cannot be shown.
#[derive(Debug, thiserror::Error)]
#[error("cannot show the configuration as YAML")]
pub struct DumpError(#[from] serde_saphyr::ser::Error);

/// A place in the tree and what is wrong there, before it is known how the reader is told.
#[derive(Debug)]
pub(super) struct Refusal {
    path: Vec<String>,
    origin: String,
    what: What,
}

#[derive(Debug)]
enum What {
    Unknown { known: Vec<String> },
    Missing,
    Mismatch(String),
    Bad(String),
}

impl Refusal {
    pub(super) fn of(error: &figment::Error, figment: &Figment) -> Self {
        let mut path = error.path.clone();
        let what = match &error.kind {
            Kind::MissingField(field) => {
                path.push(field.to_string());
                What::Missing
            }
            Kind::UnknownField(field, known) => {
                if path.last() != Some(field) {
                    path.push(field.clone());
                }
                What::Unknown { known: known.iter().map(ToString::to_string).collect() }
            }
            Kind::InvalidType(actual, expected) => {
                What::Mismatch(format!("{} is refused, expected {expected}", shown(actual)))
            }
            Kind::InvalidValue(actual, expected) => {
                What::Bad(format!("{} is refused, expected {expected}", shown(actual)))
            }
            Kind::UnknownVariant(variant, known) => {
                What::Bad(format!("{variant:?} is refused, expected one of: {}", known.join(", ")))
            }
            Kind::Message(message) if message == REFUSED_SECRET => What::Bad(message.clone()),
            Kind::Message(message) => match value_at(&path, figment) {
                Some(value) => What::Bad(format!("{value} is refused: {}", one_line(message))),
                None => What::Bad(one_line(message)),
            },
            other => What::Bad(one_line(&other.to_string())),
        };
        Self { origin: origin_of(&path, figment), path, what }
    }

    /// A key that was set but that `config`, which was read from the rest, does not have.
    pub(super) fn unknown<T: Serialize>(path: Vec<String>, figment: &Figment, config: &T) -> Self {
        let parent = path.split_last().map(|(_, parent)| parent.join(".")).unwrap_or_default();
        let tree = Value::serialize(config).ok();
        let place = if parent.is_empty() { tree } else { tree.and_then(|tree| tree.find(&parent)) };
        let known =
            place.and_then(Value::into_dict).map(|dict| dict.into_keys().collect()).unwrap_or_default();
        Self { origin: origin_of(&path, figment), path, what: What::Unknown { known } }
    }

    pub(super) fn is_at(&self, path: &[String]) -> bool {
        self.path == path && matches!(self.what, What::Mismatch(_) | What::Bad(_))
    }

    pub(super) fn is_about_the_same_key(&self, other: &Self) -> bool {
        self.path == other.path
    }

    pub(super) fn is_type_mismatch(&self) -> bool {
        matches!(self.what, What::Mismatch(_))
    }

    pub(super) fn into_error(self, env_prefix: &str) -> Error {
        let Self { path, origin, what } = self;
        let key = path.join(".");
        match what {
            What::Unknown { known } => Error::UnknownKey { key, origin, known },
            What::Missing => Error::MissingKey { key, variable: variable_name(env_prefix, &path) },
            What::Mismatch(problem) | What::Bad(problem) => Error::Value { key, problem, origin },
        }
    }
}

/// The name of the layer that set a key; for a key below which values were set, one of those.
fn origin_of(path: &[String], figment: &Figment) -> String {
    let mut path = path;
    loop {
        if let Some(metadata) = figment.find_metadata(&path.join(".")) {
            return format!("from {}", metadata.name);
        }
        match path.split_last() {
            Some((_, parent)) if !parent.is_empty() => path = parent,
            _ => return "not set by file or environment".into(),
        }
    }
}

fn value_at(path: &[String], figment: &Figment) -> Option<String> {
    figment.find_value(&path.join(".")).ok().map(|value| shown(&value.to_actual()))
}

/// A value as the reader may recognise it: texts in quotes and not endless, collections by their kind.
fn shown(actual: &Actual) -> String {
    const LONGEST: usize = 80;
    match actual {
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(value) => value.to_string(),
        Actual::Signed(value) => value.to_string(),
        Actual::Float(value) => value.to_string(),
        Actual::Str(text) if text.chars().count() > LONGEST => {
            format!("{:?}…", text.chars().take(LONGEST).collect::<String>())
        }
        Actual::Str(text) => format!("{text:?}"),
        Actual::Unit => "an empty value".into(),
        Actual::Seq => "a list".into(),
        Actual::Map => "a map".into(),
        other => other.to_string(),
    }
}
