//! What the writer and everybody else have in common.

use std::collections::VecDeque;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hashbrown::HashMap;
use isthmus_model::order::{LogIndex, SetGeneration};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::commit::Commit;
use super::engine::Log;
use super::state::{Access, State};
use crate::placement::ClusterId;

/// Commits that are kept decoded, for watches that are nearly up to date.
const RECENT: usize = 4096;

/// How far the log is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) durable: LogIndex,
    /// An append failed: what is beyond `durable` may or may not be in the log, and nobody must be told of it.
    pub(crate) failed: bool,
}

/// What the writer and everybody else have in common.
///
/// There is one state. The writer changes it when it has decided, before that is durable, because the next decision needs
/// it; so whoever reads it notes the LogIndex that it includes and waits until the log is durable up to there before
/// anything of it goes out. That costs a read at most one sync, and neither a second copy of the state nor an overlay in
/// every lookup, which are the two other ways to keep what is not durable from being seen.
pub(crate) struct Shared {
    pub(crate) state: RwLock<State>,
    /// The state's own, for who asks at every call and shall not wait for the writer.
    pub(crate) access: ArcSwap<Access>,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) recent: RwLock<VecDeque<Arc<Commit>>>,
    pub(crate) dirty: Mutex<HashMap<ClusterId, watch::Sender<SetGeneration>>>,
    pub(crate) log: Arc<dyn Log>,
}

impl Shared {
    pub(crate) fn new(state: State, log: Arc<dyn Log>) -> Self {
        let durable = state.applied();
        Self {
            access: ArcSwap::new(state.access.clone()),
            state: RwLock::new(state),
            progress: watch::Sender::new(Progress { durable, failed: false }),
            recent: RwLock::default(),
            dirty: Mutex::default(),
            log,
        }
    }

    /// The commits are durable: watches may see them, and waiting reads go on.
    pub(crate) fn publish(&self, commits: impl IntoIterator<Item = Arc<Commit>>) {
        let mut recent = self.recent.write();
        recent.extend(commits);
        let surplus = recent.len().saturating_sub(RECENT);
        recent.drain(..surplus);
        let Some(durable) = recent.back().map(|commit| commit.index) else { return };
        drop(recent);
        self.progress.send_replace(Progress { durable, failed: false });
    }

    /// Nothing more will become durable.
    pub(crate) fn fail(&self) {
        self.progress.send_modify(|progress| progress.failed = true);
    }

    /// Tells a cluster's session that its desired set has grown to `generation`.
    pub(crate) fn notify(&self, cluster: ClusterId, generation: SetGeneration) {
        let mut dirty = self.dirty.lock();
        if let Some(sender) = dirty.get(&cluster)
            && sender.send(generation).is_err()
        {
            dirty.remove(&cluster);
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("progress", &*self.progress.borrow()).finish_non_exhaustive()
    }
}
