//! From `main` into the runtime and out of it again.

use std::future::Future;
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::shutdown::Exit;

/// How many threads a server works with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Threads that run tasks. Default: one for each core that the process may use. Fewer leave cores to neighbours of a
    /// server that could take them all.
    pub threads: Option<NonZeroUsize>,
}

/// The runtime could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the threads of the runtime")]
pub struct Error(#[from] std::io::Error);

/// Runs a server to its end on a new multi-threaded runtime.
///
/// When the server has ended, nothing is waited for any more: blocking work that is still under way (a slow disk)
/// cannot hold up the exit, because whatever mattered was waited for by the [shutdown](crate::shutdown).
///
/// # Errors
/// The operating system gives no threads.
pub fn run(config: Config, server: impl Future<Output = Exit>) -> Result<Exit, Error> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = config.threads {
        builder.worker_threads(threads.get());
    }
    let runtime = builder.enable_all().build()?;
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
        let exit = run(Config::default(), async move {
            tokio::task::spawn_blocking(move || released.recv());
            Exit::Clean
        });
        assert_eq!(exit.unwrap(), Exit::Clean);
        drop(release);
    }

    #[test]
    fn a_server_works_with_as_many_threads_as_it_was_told() {
        let config = Config { threads: NonZeroUsize::new(3) };
        let mut workers = 0;
        let counted = async {
            workers = tokio::runtime::Handle::current().metrics().num_workers();
            Exit::Clean
        };
        run(config, counted).unwrap();
        assert_eq!(workers, 3);
    }
}
