//! Files that change under a running server: a certificate manager renews them, Kubernetes swaps a mounted secret.
//!
//! Looking at them every few seconds is enough for what lives for hours, and unlike notifications it works on
//! every file system and through every symbolic link.

use std::fmt::Debug;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::Error;
use crate::chain::Chain;

/// Something that was read from files and can be read again.
pub trait Reload: Debug + Send + Sync + 'static {
    /// Reads the files again if they changed since the last look. On error what was in use stays in use, and the
    /// same broken files are not reported again.
    ///
    /// # Errors
    /// The files changed, and are broken now.
    fn reload_if_changed(&self) -> Result<Reloaded, Error>;

    /// What it is, for the log.
    fn describe(&self) -> String;
}

/// What a look at the files led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// They are what they were.
    Unchanged,
    /// They were read, and are in use.
    Replaced,
}

/// Looks at the files of all `items` every `period`, until told to stop. A lasting task.
pub async fn follow(items: Vec<Arc<dyn Reload>>, period: Duration, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(period);
    // Both arms only wait; nothing is lost when either is dropped.
    while tokio::select! { () = stop.cancelled() => false, _ = ticks.tick() => true } {
        for item in &items {
            look(item.clone()).await;
        }
    }
}

/// Files may lie on a file system that hangs, so the look is off the runtime's threads.
async fn look(item: Arc<dyn Reload>) {
    let name = item.describe();
    match tokio::task::spawn_blocking(move || item.reload_if_changed()).await {
        Ok(Ok(Reloaded::Unchanged)) => {}
        Ok(Ok(Reloaded::Replaced)) => tracing::info!("{name} has changed and is in use"),
        Ok(Err(error)) => {
            let problem = Chain(&error).to_string();
            tracing::warn!(
                problem,
                "{name} has changed but cannot be used, the old one stays in use: {problem}"
            );
        }
        // The hook has logged it.
        Err(_panicked) => {}
    }
}

/// Files and how they looked when they were last read.
#[derive(Debug)]
pub(super) struct Watched {
    files: Vec<PathBuf>,
    seen: Mutex<Vec<Option<Look>>>,
}

/// What changes when a file is replaced or rewritten: device, inode, size, and time of change in nanoseconds.
type Look = (u64, u64, u64, i64, i64);

impl Watched {
    /// Must be called before the files are read, so that a change in between is noticed later.
    pub(super) fn new(files: Vec<PathBuf>) -> Self {
        let seen = Mutex::new(looks(&files));
        Self { files, seen }
    }

    pub(super) fn if_changed(&self, read: impl FnOnce() -> Result<(), Error>) -> Result<Reloaded, Error> {
        let now = looks(&self.files);
        {
            let mut seen = self.seen.lock();
            if *seen == now {
                return Ok(Reloaded::Unchanged);
            }
            *seen = now;
        }
        read().map(|()| Reloaded::Replaced)
    }
}

fn looks(files: &[PathBuf]) -> Vec<Option<Look>> {
    files
        .iter()
        .map(|file| {
            let data = std::fs::metadata(file).ok()?;
            Some((data.dev(), data.ino(), data.size(), data.ctime(), data.ctime_nsec()))
        })
        .collect()
}
