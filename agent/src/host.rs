//! A local target: the cluster's share as guarded processes of this host, where there is no Kubernetes.
//!
//! ```text
//! desired ▶ decode ▶ dereference ▶ plan ▶ { ports, secrets, package ▶ command ▶ launch ▶ guard } ▶ look ▶ observe
//!                                   ▲                        what an earlier agent left: adopt ┘
//! ```
//!
//! Every instance runs under a guard that outlives the agent. What was started is on disk before it is started, and everything
//! that belongs to an instance carries its mark in the environment; so an agent that comes back takes over what runs, for
//! certain and without restarting it.

pub mod config;
pub mod distribution;
mod dereference;
mod plan;
mod ports;
mod secrets;
mod command;
mod record;
mod lease_file;
mod process;
mod last_words;
mod failed;
mod hold;
mod gone;
mod nar;
mod launch;
mod adopt;
mod control;
pub mod attached;
mod look;
mod observe;
mod driver;
pub mod logs;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;

use bytes::Bytes;
use futures::Stream;
use isthmus_daemon::clock::Clock;
use isthmus_model::cluster::Declared;
use isthmus_model::name::Uid;
use isthmus_model::resources::Capacity;
use isthmus_sealing::PrivateKey;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::lease::Lease;
use crate::target::{DesiredHandle, LogOptions, Observe, Packages, Target};

pub use attached::Attachments;
pub use config::Config;

use distribution::Distribution;
use driver::{Driver, Parts};
use launch::{Host, STARTS};
use record::{Key, Layout};

/// This host as a place to run.
#[derive(Debug)]
pub struct LocalTarget<A> {
    host: Arc<Host>,
    clock: Arc<dyn Clock>,
    attachments: Arc<A>,
    /// Held for as long as the target exists: two agents in one directory would start everything twice.
    _lock: std::fs::File,
}

/// The target cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory.
    #[error("cannot use the data directory {}", path.display())]
    Data {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another agent has it.
    #[error("the data directory {} is in use by another agent; give each its own data directory", path.display())]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// What an earlier agent left.
    #[error("cannot look through what runs on this host")]
    Adopt(#[source] io::Error),
}

impl<A: Attachments> LocalTarget<A> {
    /// Opens the directory that outlives the agent, with commands, logs and records of the instances, and finds out what this
    /// host can run. `key` opens the secrets that travel sealed.
    ///
    /// # Errors
    /// The directory cannot be used, or another agent uses it.
    pub async fn open(
        data: &Path,
        config: Config,
        key: PrivateKey,
        clock: Arc<dyn Clock>,
        attachments: A,
    ) -> Result<Self, Error> {
        let failed = |source| Error::Data { path: data.to_path_buf(), source };
        std::fs::create_dir_all(data).map_err(failed)?;
        // Marks and records hold this path: it must be the same one however the agent is started.
        let data = data.canonicalize().map_err(failed)?;
        let lock = lock(&data)?;
        let distribution = Distribution::probe(&config).await;
        distribution.log_missing();
        let distribution = watch::Sender::new(Arc::new(distribution));
        let lease = lease_file::LeaseFile::new(&data, clock.clone());
        let starts = Semaphore::new(STARTS);
        let host = Arc::new(Host { config, data, distribution, starts, lease, key });
        Ok(Self { host, clock, attachments: Arc::new(attachments), _lock: lock })
    }

    fn capacity(&self) -> Capacity {
        let given = &self.host.config.capacity;
        let or_all = |given: u64, all: u64| if given == 0 { all } else { given };
        let ports = &self.host.config.ports;
        let cpus = available_parallelism().map_or(1, |cpus| cpus.get() as u64);
        Capacity {
            cpu_millis: or_all(given.cpu_millis, cpus.saturating_mul(1000)),
            memory_bytes: or_all(given.memory.as_u64(), total_memory()),
            instances: or_all(given.instances, u64::from(ports.last.saturating_sub(ports.first)).div_ceil(2)),
        }
    }
}

impl<A: Attachments> Target for LocalTarget<A> {
    type Error = Error;
    type LogError = logs::Error;

    /// Looks again for what was missing, so that what is installed meanwhile counts from then on.
    async fn declare(&self) -> Declared {
        let mut distribution = self.host.distribution();
        if distribution.is_missing_something() {
            distribution = Arc::new(Distribution::probe(&self.host.config).await);
            self.host.distribution.send_if_modified(|known| {
                let is_news = **known != *distribution;
                *known = Arc::clone(&distribution);
                is_news
            });
        }
        Declared {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: distribution.capabilities(),
            capacity: self.capacity(),
            sealing_key: Some(self.host.key.public()),
        }
    }

    async fn run<O: Observe, P: Packages>(
        self: Arc<Self>,
        desired: DesiredHandle,
        observe: O,
        packages: P,
        lease: Lease,
        stop: CancellationToken,
    ) -> Result<(), Error> {
        let parts = Parts {
            host: Arc::clone(&self.host),
            clock: Arc::clone(&self.clock),
            attachments: Arc::clone(&self.attachments),
            observe,
            packages,
        };
        let driver = Driver::start(parts).await.map_err(Error::Adopt)?;
        driver.run(desired, lease, stop).await;
        Ok(())
    }

    async fn logs(
        &self,
        uid: Uid,
        instance: u32,
        options: LogOptions,
    ) -> Result<impl Stream<Item = Result<Bytes, logs::Error>> + Send + 'static, logs::Error> {
        let key = Key { uid, index: instance };
        logs::open(key, Layout::new(&self.host.data).instance(key), options).await
    }
}

fn lock(data: &Path) -> Result<std::fs::File, Error> {
    let path = data.to_path_buf();
    let file = std::fs::File::create(path.join("lock"));
    let file = file.map_err(|source| Error::Data { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::InUse { path }),
        Err(std::fs::TryLockError::Error(source)) => Err(Error::Data { path, source }),
    }
}

/// The memory of this host; zero when it cannot be told, so that nothing is placed here by mistake.
fn total_memory() -> u64 {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib =
        line.and_then(|line| line.split_ascii_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}
