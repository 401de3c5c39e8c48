//! The disk alone: one append and one fdatasync.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::latency::Latency;

/// A file that grows by what is written to it.
#[derive(Debug, Clone)]
pub(crate) struct Disk(Arc<File>);

impl Disk {
    /// A new file in a directory.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let path = directory.join("synced");
        let file = File::options().create(true).append(true).open(&path);
        Ok(Self(Arc::new(file.with_context(|| format!("open {}", path.display()))?)))
    }

    /// Appends, and returns when it is on the disk.
    pub(crate) fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
        (&*self.0).write_all(bytes)?;
        self.0.sync_data()
    }
}

/// One after the other, for a while.
pub(crate) fn measure(directory: &Path, time: Duration) -> Result<Latency> {
    let disk = Disk::open(directory)?;
    let (begun, bytes) = (Instant::now(), [7; 800]);
    let mut all = Vec::new();
    while begun.elapsed() < time {
        let one = Instant::now();
        disk.write(&bytes).context("write and sync")?;
        all.push(one.elapsed());
    }
    Latency::of(all).context("not one write was done in time")
}
