//! Certainty that nothing of an instance is left: what `Stopped` rests on.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::process;
use super::record::InstanceDir;

/// Looks through all processes of the host at the same time; each takes a thread and some milliseconds of a cpu.
static SEARCHES: Semaphore = Semaphore::const_new(2);

/// Returns when nothing that carries the instance's mark is alive, killing what is.
pub(crate) async fn make_sure_it_is_gone(directory: &InstanceDir) {
    loop {
        let own = directory.path().to_path_buf();
        // Never closed, and without a turn it would only be slower.
        let _turn = SEARCHES.acquire().await;
        let left = tokio::task::spawn_blocking(move || kill_marked(&own)).await;
        match left {
            Ok(Ok(0)) => return,
            Ok(Ok(_)) => {}
            // Certainty is what is promised, so that there is nothing to do but to look again.
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot see which processes are left of {}", directory.path().display());
            }
            Err(error) => {
                tracing::error!(%error, "looking for what is left of {} failed", directory.path().display());
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Kills what is left of an instance; returns how many processes that were.
fn kill_marked(directory: &Path) -> io::Result<usize> {
    let marked = process::marked()?;
    let own: Vec<_> = marked.into_iter().filter(|(_, mark)| mark == directory).collect();
    for (identity, _) in &own {
        identity.kill()?;
    }
    Ok(own.len())
}
