//! From `main` into the runtime and out of it again.

use std::future::Future;

use crate::shutdown::Exit;

/// The runtime could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the threads of the runtime")]
pub struct Error(#[from] std::io::Error);

/// Runs a server to its end on a new multi-threaded runtime with one worker for each core.
///
/// When the server has ended, nothing is waited for any more: blocking work that is still under way (a slow disk)
/// cannot hold up the exit, because whatever mattered was waited for by the [shutdown](crate::shutdown).
///
/// # Errors
/// The operating system gives no threads.
pub fn run(server: impl Future<Output = Exit>) -> Result<Exit, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let exit = runtime.block_on(server);
    runtime.shutdown_background();
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn blocking_work_does_not_hold_up_the_exit() {
        let (release, released) = mpsc::channel::<()>();
        let exit = run(async move {
            tokio::task::spawn_blocking(move || released.recv());
            Exit::Clean
        });
        assert_eq!(exit.unwrap(), Exit::Clean);
        drop(release);
    }
}
