//! Which events are logged: parsed at the door, changed while the server runs.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// Directives that are known to parse, such as `info,isthmus_gateway::sync=debug`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Filter(String);

/// Directives that do not parse.
#[derive(Debug, thiserror::Error)]
#[error(
    "a log filter is a level (error, warn, info, debug, trace, off) or a list such as `info,isthmus_gateway=debug`"
)]
pub struct FilterError(#[source] ParseError);

impl Default for Filter {
    fn default() -> Self {
        Self("info".into())
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(directives: &str) -> Result<Self, FilterError> {
        let directives = directives.trim();
        EnvFilter::try_new(directives).map_err(FilterError)?;
        Ok(Self(directives.to_owned()))
    }
}

impl TryFrom<String> for Filter {
    type Error = FilterError;

    fn try_from(directives: String) -> Result<Self, FilterError> {
        directives.parse()
    }
}

impl From<Filter> for String {
    fn from(filter: Filter) -> Self {
        filter.0
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Filter {
    /// A lossy parse cannot lose anything here: the directives were parsed once before.
    fn build(&self) -> EnvFilter {
        EnvFilter::builder().parse_lossy(&self.0)
    }
}

/// The filter of the running log. Clones are the same filter.
#[derive(Debug, Clone)]
pub struct LiveFilter {
    handle: reload::Handle<EnvFilter, Registry>,
    current: Arc<Mutex<Filter>>,
}

impl LiveFilter {
    pub(super) fn new(filter: Filter) -> (reload::Layer<EnvFilter, Registry>, Self) {
        let (layer, handle) = reload::Layer::new(filter.build());
        (layer, Self { handle, current: Arc::new(Mutex::new(filter)) })
    }

    /// What is in force.
    pub fn get(&self) -> Filter {
        self.current.lock().clone()
    }

    /// Replaces the filter; events from now on are judged by the new one.
    pub fn set(&self, filter: Filter) {
        let mut current = self.current.lock();
        // Reloading fails only when the subscriber is gone, and then there is nothing left to filter.
        if self.handle.reload(filter.build()).is_ok() {
            *current = filter;
        }
    }
}
