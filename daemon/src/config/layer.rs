//! Where values come from: one layer for the file, one for each variable, so that every value knows its origin.

use std::path::PathBuf;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::Error;
use crate::chain::one_line;

/// Values with the name of their origin.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    origin: String,
    values: Dict,
}

impl Layer {
    pub(super) fn nothing() -> Self {
        Self { origin: "the defaults".into(), values: Dict::new() }
    }

    /// Parses a YAML file; one without content sets nothing.
    pub(super) fn read(path: PathBuf) -> Result<Self, Error> {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(Error::ReadFile { path, source }),
        };
        let options = serde_saphyr::options! { with_snippet: false };
        match serde_saphyr::from_str_with_options::<Option<Dict>>(&text, options) {
            Ok(values) => {
                Ok(Self { origin: format!("file {}", path.display()), values: values.unwrap_or_default() })
            }
            Err(error) => Err(Error::ParseFile { path, problem: one_line(&error.to_string()) }),
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// An environment variable that sets a key.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    name: String,
    path: Vec<String>,
    text: String,
    value: Value,
}

impl Variable {
    pub(super) fn path(&self) -> &[String] {
        &self.path
    }

    /// Whether the text was read as something else than text.
    pub(super) fn could_be_text(&self) -> bool {
        self.value.as_str().is_none()
    }

    pub(super) fn take_as_text(&mut self) {
        self.value = Value::from(self.text.as_str());
    }

    pub(super) fn layer(&self) -> Layer {
        let values = self
            .path
            .iter()
            .rev()
            .fold(self.value.clone(), |inner, key| Value::from(Dict::from([(key.clone(), inner)])));
        Layer {
            origin: format!("environment variable {}", self.name),
            values: values.into_dict().unwrap_or_default(),
        }
    }
}

/// The variables that start with the prefix and two underscores, in the order of their names.
pub(super) fn variables(
    prefix: &str,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Variable>, Error> {
    let mut found = Vec::new();
    for (name, text) in env {
        let Some(key) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix("__")) else { continue };
        let path: Vec<String> = key.split("__").map(str::to_ascii_lowercase).collect();
        if path.iter().any(String::is_empty) {
            return Err(Error::Variable { name });
        }
        // Text that looks like a number, a list and so on becomes one; the text is kept for keys that want text.
        let value = text.parse().unwrap_or_else(|never: std::convert::Infallible| match never {});
        found.push(Variable { name, path, text, value });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The variable that would set a key.
pub(super) fn variable_name(prefix: &str, path: &[String]) -> String {
    let mut name = prefix.to_owned();
    for key in path {
        name.push_str("__");
        name.push_str(&key.to_ascii_uppercase());
    }
    name
}
