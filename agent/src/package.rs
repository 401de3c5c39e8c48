//! Packages on this side: each digest is fetched once, verified while it streams, and kept until room is needed.
//!
//! ```text
//! package(digest) ▶ kept? ──yes──▶ pinned path
//!                    └─no─▶ fetch ▶ hash and write to a temporary file ▶ fsync ▶ rename ▶ make room ▶ pinned path
//! ```
//!
//! A file stands under its digest only when every byte of it was checked, because it gets that name last. What is left of
//! an interrupted fetch is removed at the next start.

use std::collections::HashMap;
use std::fs::{File, Permissions};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use bytesize::ByteSize;
use futures::{Stream, StreamExt};
use isthmus_model::name::Digest;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt;

use crate::target::{Package, Packages};

pub mod serve;

/// Where the bytes of packages come from; the link implements it with a streamed call to the gateway.
pub trait Fetch: Send + Sync + 'static {
    /// Why they do not come.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Opens a stream of the package's bytes. It need not be verified.
    fn fetch(
        &self,
        digest: Digest,
    ) -> impl Future<Output = Result<impl Stream<Item = Result<Bytes, Self::Error>> + Send, Self::Error>> + Send;
}

/// The cache of packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// What all kept packages may take together. Packages that run are linked into their instances' directories, so
    /// taking one out of the cache stops nothing. Default 10 GiB: some hundred connectors.
    #[serde(with = "isthmus_daemon::config::size")]
    pub capacity: ByteSize,
    /// Address and port where pods of this cluster fetch the packages of the cluster's share, by plain HTTP: see
    /// `target.kubernetes.pods.packages_url`. Default none: nobody fetches here.
    pub listen: Option<SocketAddr>,
}

impl Default for Config {
    fn default() -> Self {
        Self { capacity: ByteSize::gib(10), listen: None }
    }
}

/// Why a package is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum Error<E: std::error::Error + 'static> {
    /// The gateway does not give it.
    #[error("cannot fetch package sha256:{digest}")]
    Fetch {
        /// Which.
        digest: Digest,
        /// Why.
        source: E,
    },
    /// Other bytes came than were asked for.
    #[error("package sha256:{digest} arrived with the digest sha256:{actual}; nothing of it was kept")]
    Mismatch {
        /// What was asked for.
        digest: Digest,
        /// What came.
        actual: Digest,
    },
    /// It does not fit at all.
    #[error("package sha256:{digest} is larger than the whole cache ({capacity}); raise packages.capacity")]
    TooLarge {
        /// Which.
        digest: Digest,
        /// The cache's bound.
        capacity: ByteSize,
    },
    /// The disk fails.
    #[error("cannot keep package sha256:{digest} in {}", directory.display())]
    Disk {
        /// Which.
        digest: Digest,
        /// Where.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A directory of verified packages, named by their digests. Clones are the same cache.
pub struct Cache<F>(Arc<Inner<F>>);

struct Inner<F> {
    directory: PathBuf,
    capacity: ByteSize,
    fetch: F,
    kept: Mutex<Kept>,
}

/// What is on disk, and who is fetching what.
#[derive(Default)]
struct Kept {
    entries: HashMap<Digest, Entry>,
    /// One turnstile for each digest that is being fetched: the second caller waits and then finds the file.
    fetching: HashMap<Digest, Arc<tokio::sync::Mutex<()>>>,
    /// Counts uses, to tell which entry was used longest ago.
    uses: u64,
}

struct Entry {
    size: u64,
    used: u64,
    pin: Arc<()>,
}

impl<F> Clone for Cache<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F> std::fmt::Debug for Cache<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("directory", &self.0.directory).finish_non_exhaustive()
    }
}

impl<F: Fetch> Cache<F> {
    /// Opens the cache in `directory`, which is made if need be; removes what interrupted fetches left.
    ///
    /// # Errors
    /// The directory cannot be made or read.
    pub fn open(directory: PathBuf, config: &Config, fetch: F) -> io::Result<Self> {
        std::fs::create_dir_all(&directory)?;
        let mut kept = Kept::default();
        for file in std::fs::read_dir(&directory)? {
            let file = file?;
            match file.file_name().to_str().and_then(|name| name.parse::<Digest>().ok()) {
                Some(digest) => kept.insert(digest, file.metadata()?.len()),
                None if file.file_name().to_string_lossy().starts_with(TEMPORARY) => {
                    std::fs::remove_file(file.path())?;
                }
                None => {}
            }
        }
        Ok(Self(Arc::new(Inner { directory, capacity: config.capacity, fetch, kept: Mutex::new(kept) })))
    }

    fn kept(&self, digest: Digest) -> Option<Package> {
        let pin = self.0.kept.lock().use_(digest)?;
        Some(Package::pinned(self.0.directory.join(digest.to_string()), pin))
    }

    /// Streams the bytes to a file that gets its name only when they are the right ones.
    async fn download(&self, digest: Digest) -> Result<u64, Error<F::Error>> {
        let disk = |source| Error::Disk { digest, directory: self.0.directory.clone(), source };
        let temporary =
            tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&self.0.directory).map_err(disk)?;
        let mut file = tokio::fs::File::from_std(temporary.as_file().try_clone().map_err(disk)?);
        let (mut hasher, mut size) = (Sha256::new(), 0_u64);
        let stream = self.0.fetch.fetch(digest).await.map_err(|source| Error::Fetch { digest, source })?;
        let mut stream = pin!(stream);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|source| Error::Fetch { digest, source })?;
            size = size.saturating_add(chunk.len() as u64);
            if size > self.0.capacity.as_u64() {
                return Err(Error::TooLarge { digest, capacity: self.0.capacity });
            }
            hasher.update(&chunk);
            file.write_all(&chunk).await.map_err(disk)?;
        }
        let actual = Digest(hasher.finalize().into());
        if actual != digest {
            return Err(Error::Mismatch { digest, actual });
        }
        file.set_permissions(Permissions::from_mode(RUNNABLE)).await.map_err(disk)?;
        file.sync_all().await.map_err(disk)?;
        temporary.persist(self.0.directory.join(digest.to_string())).map_err(|error| disk(error.error))?;
        sync_directory(&self.0.directory).map_err(disk)?;
        Ok(size)
    }

    /// Takes out what was used longest ago and is not held, until `size` more bytes have room.
    fn make_room(&self, size: u64) {
        let mut kept = self.0.kept.lock();
        let room = self.0.capacity.as_u64().saturating_sub(size);
        while kept.size() > room {
            let Some(digest) = kept.oldest_unused() else { return };
            kept.entries.remove(&digest);
            if let Err(error) = std::fs::remove_file(self.0.directory.join(digest.to_string())) {
                tracing::warn!(package.digest = %digest, %error, "an old package could not be removed from the cache");
            }
        }
    }
}

impl<F: Fetch> Packages for Cache<F> {
    type Error = Error<F::Error>;

    async fn package(&self, digest: Digest) -> Result<Package, Self::Error> {
        if let Some(package) = self.kept(digest) {
            return Ok(package);
        }
        let turnstile = Arc::clone(self.0.kept.lock().fetching.entry(digest).or_default());
        // The holder may be dropped at any await: the next in line then fetches by itself.
        let turn = turnstile.lock().await;
        if let Some(package) = self.kept(digest) {
            return Ok(package);
        }
        // Those who wait for their turn do not each hold the room that a download needs.
        let result = Box::pin(self.download(digest)).await;
        if let Ok(size) = result {
            self.make_room(size);
            self.0.kept.lock().insert(digest, size);
        }
        drop(turn);
        self.0.kept.lock().fetching.remove(&digest);
        result?;
        self.kept(digest).ok_or_else(|| Error::Disk {
            digest,
            directory: self.0.directory.clone(),
            source: io::Error::other("it was removed while it was being stored"),
        })
    }
}

impl Kept {
    fn insert(&mut self, digest: Digest, size: u64) {
        self.uses += 1;
        self.entries.insert(digest, Entry { size, used: self.uses, pin: Arc::new(()) });
    }

    fn use_(&mut self, digest: Digest) -> Option<Arc<()>> {
        self.uses += 1;
        let used = self.uses;
        let entry = self.entries.get_mut(&digest)?;
        entry.used = used;
        Some(Arc::clone(&entry.pin))
    }

    fn size(&self) -> u64 {
        self.entries.values().map(|entry| entry.size).sum()
    }

    fn oldest_unused(&self) -> Option<Digest> {
        let unused = self.entries.iter().filter(|(_, entry)| Arc::strong_count(&entry.pin) == 1);
        unused.min_by_key(|(_, entry)| entry.used).map(|(digest, _)| *digest)
    }
}

/// What temporary files of the cache start with.
const TEMPORARY: &str = ".fetching-";

/// Read and run, but nobody writes: the same file may be a jar here and a Go program there.
const RUNNABLE: u32 = 0o555;

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;
