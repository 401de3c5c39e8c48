//! What an earlier agent left: instances that run on, and what is left of others.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use super::gone::make_sure_it_is_gone;
use super::hold::{Running, hold, running};
use super::process::{self, Identity};
use super::record::{InstanceDir, Key, Layout, Record};

/// An instance that has a directory.
#[derive(Debug)]
pub(crate) enum Found {
    /// It runs; its guard is held again.
    Running(Record, Running),
    /// It does not run.
    Down(Record),
    /// It was never started: there is no record.
    Remains,
}

/// Looks through all directories. Nothing is stopped that has a living guard; a program that lost its guard is ended, because
/// nobody would end it when its lease is over.
///
/// # Errors
/// The directories or the processes of this host cannot be listed.
pub(crate) async fn adopt(layout: &Layout) -> io::Result<Vec<(Key, Found)>> {
    let alive: BTreeSet<(PathBuf, Identity)> =
        process::marked()?.into_iter().map(|(identity, mark)| (mark, identity)).collect();
    let mut found = Vec::new();
    for key in layout.found()? {
        let directory = layout.instance(key);
        found.push((key, adopt_one(&directory, &alive).await));
    }
    Ok(found)
}

async fn adopt_one(directory: &InstanceDir, alive: &BTreeSet<(PathBuf, Identity)>) -> Found {
    let has_processes = alive.iter().any(|(mark, _)| mark == directory.path());
    let record = directory.record().unwrap_or_else(|error| {
        tracing::warn!(%error, "the record of {} cannot be read; what runs there is ended", directory.path().display());
        None
    });
    let Some(record) = record else {
        if has_processes {
            make_sure_it_is_gone(directory).await;
        }
        return Found::Remains;
    };
    if !has_processes {
        return Found::Down(record);
    }
    let state = directory.state().ok().flatten();
    let known = state.filter(|state| alive.contains(&(directory.path().to_path_buf(), state.guard)));
    let held = match known {
        Some(state) => hold(&state),
        // The earlier agent died between starting the guard and hearing from it: it will say so yet.
        None => running(directory).await.map(Some),
    };
    if let Ok(Some(running)) = held {
        return Found::Running(record, running);
    }
    make_sure_it_is_gone(directory).await;
    Found::Down(record)
}
