//! One typed tree, read once, before anything else happens.
//!
//! Defaults live in the types (`#[serde(default)]` and `Default`); a YAML file stands over them, and the
//! environment over the file: `ISTHMUS_GATEWAY__SERVER__LISTEN` sets `server.listen` where the prefix is
//! `ISTHMUS_GATEWAY`. A key that no type knows is refused, wherever it stands, because a misspelt key that is
//! silently ignored is found in production. A refusal is one line: which key, which value, what is expected and
//! where the value came from; [`Error::EXIT_CODE`] is what `main` then returns.
//!
//! Every part of a server owns its own `Config` struct; only this module touches the file and the environment.
//! Durations are written as people write them (`#[serde(with = "humantime_serde")]`: `10s`, `5m`), sizes
//! likewise (`#[serde(with = "isthmus_daemon::config::size")]`: `64 MiB`), and what nobody may see is a [`Secret`].

mod error;
mod layer;
pub mod secret;
pub mod size;

use std::path::PathBuf;

use figment::Figment;
use figment::value::{Dict, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use error::{DumpError, Error};
pub use secret::Secret;

use error::Refusal;
use layer::{Layer, Variable};

/// Where a configuration is read from.
#[derive(Debug, Clone)]
pub struct Source<'a, E> {
    /// A YAML file; `None` reads no file. A file that is named must exist.
    pub file: Option<PathBuf>,
    /// What configuration variables start with, without the two underscores that follow it.
    pub env_prefix: &'a str,
    /// The environment. Variables that do not start with the prefix are not looked at.
    pub env: E,
}

impl<'a> Source<'a, Vec<(String, String)>> {
    /// The given file and the environment of this process.
    ///
    /// A variable that is not UTF-8 is left out; so is one whose name is not.
    pub fn of_process(file: Option<PathBuf>, env_prefix: &'a str) -> Self {
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { file, env_prefix, env }
    }
}

/// Reads the file and the environment over the defaults of `T`.
///
/// A variable's text is taken as the type that the key has: `8` is a number for a number and a text for a text;
/// `[a, b]` is a list, `{a = b}` a map. Lists are replaced, not joined; maps are merged key by key.
///
/// # Errors
/// The first thing that is wrong, see [`Error`]. Nothing has been changed anywhere.
pub fn load<T, E>(source: Source<'_, E>) -> Result<T, Error>
where
    T: DeserializeOwned + Serialize,
    E: IntoIterator<Item = (String, String)>,
{
    let file = source.file.map(Layer::read).transpose()?;
    let mut variables = layer::variables(source.env_prefix, source.env)?;
    let mut first: Option<Refusal> = None;
    loop {
        let figment = compose(file.as_ref(), &variables);
        let refusal = match extract(&figment) {
            Ok(config) => return Ok(config),
            Err(refusal) => refusal,
        };
        if let Some(first) = first.take()
            && first.is_about_the_same_key(&refusal)
        {
            let told = if refusal.is_type_mismatch() { first } else { refusal };
            return Err(told.into_error(source.env_prefix));
        }
        // A number where a text is wanted (a token made of digits, a duration without unit) is read again as text.
        match variables.iter_mut().find(|variable| variable.could_be_text() && refusal.is_at(variable.path()))
        {
            Some(variable) => variable.take_as_text(),
            None => return Err(refusal.into_error(source.env_prefix)),
        }
        first = Some(refusal);
    }
}

/// The configuration as YAML, as [`load`] would read it, with every [`Secret`] hidden. For `--dump-config`.
///
/// # Errors
/// A value that YAML cannot express; a mistake in the type, not in what the user wrote.
pub fn dump<T: Serialize>(config: &T) -> Result<String, DumpError> {
    Ok(serde_saphyr::to_string(config)?)
}

fn compose(file: Option<&Layer>, variables: &[Variable]) -> Figment {
    let mut figment = Figment::from(Layer::nothing());
    if let Some(file) = file {
        figment = figment.merge(file.clone());
    }
    variables.iter().fold(figment, |figment, variable| figment.merge(variable.layer()))
}

fn extract<T: DeserializeOwned + Serialize>(figment: &Figment) -> Result<T, Refusal> {
    let values = figment.extract::<Dict>().map_err(|error| Refusal::of(&error, figment))?;
    let mut unknown = Vec::new();
    let config = serde_ignored::deserialize(&Value::from(values), |path| unknown.push(segments(&path)))
        .map_err(|error| Refusal::of(&error, figment))?;
    match unknown.into_iter().next() {
        None => Ok(config),
        Some(path) => Err(Refusal::unknown(path, figment, &config)),
    }
}

/// The keys that lead to a place; steps that have no key of their own (`Some`, a newtype) are left out.
fn segments(path: &serde_ignored::Path<'_>) -> Vec<String> {
    use serde_ignored::Path;
    let (parent, own) = match path {
        Path::Root => return Vec::new(),
        Path::Seq { parent, index } => (parent, Some(index.to_string())),
        Path::Map { parent, key } => (parent, Some(key.clone())),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            (parent, None)
        }
    };
    let mut all = segments(parent);
    all.extend(own);
    all
}

#[cfg(test)]
mod tests;
