//! The seam between what shall run and where it runs.
//!
//! ```text
//! inbox ▶ DesiredSet ▶ target { host: guarded processes │ operator: custom resources } ▶ Observe ▶ report
//! ```
//!
//! A target is level-triggered: it is told "look again", reads the whole set, and makes the world equal to it. It never
//! gets deltas, so a missed or repeated wake-up costs a look and nothing else.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use isthmus_model::assignment::{Assignment, Removal};
use isthmus_model::cluster::Declared;
use isthmus_model::name::{Digest, Uid};
use isthmus_model::observation::Observation;
use isthmus_model::order::Generation;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::lease::Lease;

/// One place where a cluster's share runs.
pub trait Target: Send + Sync + 'static {
    /// Why the target cannot run at all; trouble with one component is an observation instead.
    type Error: std::error::Error + Send + Sync + 'static;
    /// Why logs cannot be read.
    type LogError: std::error::Error + Send + Sync + 'static;

    /// What can run here: capability words and capacity, as the gateway is told.
    fn declare(&self) -> impl Future<Output = Declared> + Send;

    /// Runs until `stop`: makes what runs equal to what is desired, whenever that changes and from time to time, and
    /// tells what it sees. Stopping the target stops no workload. What must have one owner at most runs while the lease lasts,
    /// and ends with it whether the target lives or not.
    fn run<O: Observe, P: Packages>(
        self: Arc<Self>,
        desired: DesiredHandle,
        observe: O,
        packages: P,
        lease: Lease,
        stop: CancellationToken,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The log of one instance, oldest line first.
    fn logs(
        &self,
        uid: Uid,
        instance: u32,
        options: LogOptions,
    ) -> impl Future<
        Output = Result<impl Stream<Item = Result<Bytes, Self::LogError>> + Send + 'static, Self::LogError>,
    > + Send;
}

/// How much of a log is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// Only so many last lines; `None` is all that is kept.
    pub tail: Option<u32>,
    /// Go on with what is written from now on, until the reader drops the stream.
    pub follow: bool,
}

/// What is desired of one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Desired {
    /// Run this, and nothing older of the same UID.
    Run(Arc<Assignment>),
    /// Run nothing of this UID; kept until the gateway has taken note that it is stopped.
    Stop(Removal),
}

impl Desired {
    /// The component's identity.
    pub fn uid(&self) -> Uid {
        match self {
            Self::Run(assignment) => assignment.uid,
            Self::Stop(removal) => removal.uid,
        }
    }

    /// The commit that decided it.
    pub fn generation(&self) -> Generation {
        match self {
            Self::Run(assignment) => assignment.generation,
            Self::Stop(removal) => removal.generation,
        }
    }
}

/// All that this cluster shall run, as far as the inbox knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DesiredSet {
    /// By UID; of one component only the newest.
    pub entries: BTreeMap<Uid, Desired>,
    /// The set was received whole at least once since the inbox's file was made. Until then a target leaves alone what
    /// it finds running and is not told about: a lost file must not stop what the gateway still wants.
    pub settled: bool,
}

/// The writing side of the desired set; the inbox has it.
#[derive(Debug)]
pub struct DesiredWriter(watch::Sender<DesiredSet>);

/// The reading side of the desired set. Each clone has its own idea of what it has seen.
#[derive(Debug, Clone)]
pub struct DesiredHandle(watch::Receiver<DesiredSet>);

/// Both sides of a desired set that starts as `loaded`: what the inbox's file holds, never an empty set that stands for
/// "not read yet".
pub fn desired(loaded: DesiredSet) -> (DesiredWriter, DesiredHandle) {
    let (sender, receiver) = watch::channel(loaded);
    (DesiredWriter(sender), DesiredHandle(receiver))
}

impl DesiredWriter {
    /// Changes the set in place and wakes the readers. `change` must be short: readers wait for it.
    pub fn update(&self, change: impl FnOnce(&mut DesiredSet)) {
        self.0.send_modify(change);
    }
}

impl DesiredHandle {
    /// Waits until the set has changed since this handle last looked. `false` means that it never will again.
    /// Safe to cancel.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }

    /// Whether the set has changed since this handle last looked.
    pub fn has_changed(&self) -> bool {
        // Who writes no more has changed nothing.
        self.0.has_changed().unwrap_or(false)
    }

    /// Looks at the set and marks it as seen. `look` must be short: the writer waits for it.
    pub fn look<T>(&mut self, look: impl FnOnce(&DesiredSet) -> T) -> T {
        look(&self.0.borrow_and_update())
    }
}

/// Takes what a target sees. Only the newest observation of a UID counts, so a target may say the same thing twice.
pub trait Observe: Clone + Send + Sync + 'static {
    /// Must not block.
    fn observe(&self, observation: Observation);
}

/// Gives the files of packages.
pub trait Packages: Clone + Send + Sync + 'static {
    /// Why a package is not to be had.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The verified file with these bytes, fetched if need be. Concurrent calls for one digest fetch once.
    fn package(&self, digest: Digest) -> impl Future<Output = Result<Package, Self::Error>> + Send;
}

/// A verified file that stays where it is as long as this value, or a clone of it, lives.
#[derive(Debug, Clone)]
pub struct Package {
    path: PathBuf,
    _pin: Arc<()>,
}

impl Package {
    /// A package whose owner keeps it while `pin` has other holders than the owner.
    pub fn pinned(path: PathBuf, pin: Arc<()>) -> Self {
        Self { path, _pin: pin }
    }

    /// Where it is. The file must not be changed; a hard link to it outlives this value.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_that_missed_changes_sees_the_whole_set_once() {
        let (writer, mut handle) = desired(DesiredSet::default());
        let removal = |n: u128| Removal { uid: Uid(uuid::Uuid::from_u128(n)), generation: Generation(1) };
        for n in 0..3 {
            writer.update(|set| {
                set.entries.insert(removal(n).uid, Desired::Stop(removal(n)));
            });
        }
        assert!(handle.changed().await);
        assert_eq!(handle.look(|set| set.entries.len()), 3);
        drop(writer);
        assert!(!handle.changed().await);
    }
}
