//! Where everything lies that outlives a checkout and a run.

use std::{
    env,
    path::{Path, PathBuf},
};

/// There is no place for the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no place for the cache: set ISTHMUS_CACHE, XDG_CACHE_HOME or HOME to an absolute path")]
pub struct NoPlace;

/// The cache: a directory outside every checkout, safe to share between runs and safe to delete when nothing runs.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `$ISTHMUS_CACHE`, else `$XDG_CACHE_HOME/isthmus`, else `~/.cache/isthmus`.
    pub fn from_env() -> Result<Self, NoPlace> {
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute("ISTHMUS_CACHE")
            .or_else(|| absolute("XDG_CACHE_HOME").map(|dir| dir.join("isthmus")))
            .or_else(|| absolute("HOME").map(|home| home.join(".cache/isthmus")))
            .map(Self::at)
            .ok_or(NoPlace)
    }

    /// A cache at a given, absolute path.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn runs_dir(&self) -> PathBuf {
        self.root.join("runs")
    }
}
