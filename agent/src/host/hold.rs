//! Taking hold of the guard that looks after an instance.

use std::time::Duration;

use isthmus_model::reason::Reason;

use super::failed::Failed;
use super::process::{Identity, Process};
use super::record::{InstanceDir, State};

/// An instance that runs.
#[derive(Debug)]
pub(crate) struct Running {
    /// The hold on its guard.
    pub(crate) guard: Process,
    /// The program.
    pub(crate) child: Identity,
}

/// Longer than a guard needs to start on a host that is very busy.
const GUARD_DEADLINE: Duration = Duration::from_secs(20);

/// Waits until the guard of this directory says that it runs, and takes hold of it.
pub(crate) async fn running(directory: &InstanceDir) -> Result<Running, Failed> {
    let look = async {
        loop {
            match directory.state() {
                Ok(Some(state)) => return hold(&state),
                Ok(None) => {}
                Err(error) => return Err(Failed::start("cannot read the guard's state", &error)),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let late = || Failed {
        reason: Reason::StartFailed,
        message: format!("the guard says nothing for {GUARD_DEADLINE:?}"),
    };
    let state = tokio::time::timeout(GUARD_DEADLINE, look).await;
    match state {
        Ok(Ok(Some(running))) => Ok(running),
        Ok(Ok(None)) => Err(Failed::ended(directory)),
        Ok(Err(failed)) => Err(failed),
        Err(_) => Err(late()),
    }
}

/// The guard that the state names, if it is alive.
pub(crate) fn hold(state: &State) -> Result<Option<Running>, Failed> {
    let guard =
        Process::find(state.guard).map_err(|error| Failed::start("cannot take hold of the guard", &error))?;
    Ok(guard.map(|guard| Running { guard, child: state.child }))
}
