//! The bytes of packages: a directory of files named by their SHA-256.
//!
//! A file is complete when it has its name: bytes are written beside it, hashed as they come, synced and renamed. The record
//! of a package is a commit of its own, made after that, so that a record never stands for bytes that are not there. Bytes
//! without a record are harmless: the next upload of them finds them.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::stream::{self, Stream};
use isthmus_model::name::Digest;
use sha2::{Digest as _, Sha256};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;

/// A package cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("cannot {attempted} {}", path.display())]
    File {
        /// Completes the sentence.
        attempted: &'static str,
        /// Which file.
        path: PathBuf,
        /// The file system's word.
        source: io::Error,
    },
    /// The bytes are not those that were announced.
    #[error(
        "the bytes have the digest sha256:{actual}, and sha256:{announced} was announced; nothing was stored"
    )]
    Digest {
        /// What was announced.
        announced: Digest,
        /// What came.
        actual: Digest,
    },
    /// There are too many bytes.
    #[error("the package is larger than the limit of {limit} bytes; nothing was stored")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
}

/// The directory of packages.
#[derive(Debug, Clone)]
pub struct Packages {
    dir: PathBuf,
    limit: u64,
}

/// Bytes that were stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// SHA-256 of them.
    pub digest: Digest,
    /// How many.
    pub size: u64,
}

impl Packages {
    /// Opens the directory, making it if need be, and clears away what an upload left that did not come to its end.
    pub async fn open(dir: &Path, limit: u64) -> Result<Self, Error> {
        let packages = Self { dir: dir.to_owned(), limit };
        let partial = packages.partial_dir();
        match fs::remove_dir_all(&partial).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("clear", &partial)(error));
            }
            _ => {}
        }
        fs::create_dir_all(&partial).await.map_err(failed("make", &partial))?;
        Ok(packages)
    }

    /// Starts to take bytes.
    pub async fn begin(&self) -> Result<Upload, Error> {
        let path = self.partial_dir().join(uuid::Uuid::new_v4().to_string());
        let file = File::create_new(&path).await.map_err(failed("create", &path))?;
        Ok(Upload { packages: self.clone(), partial: Partial(path), file, hash: Sha256::new(), size: 0 })
    }

    /// The bytes of a package, in pieces. `None` when there are none.
    pub async fn read(&self, digest: Digest) -> Result<Option<Reader>, Error> {
        let path = self.path(digest);
        match File::open(&path).await {
            Ok(file) => Ok(Some(Reader { file, path })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("open", &path)(error)),
        }
    }

    /// Removes the bytes of a package whose record is gone.
    pub async fn remove(&self, digest: Digest) -> Result<(), Error> {
        let path = self.path(digest);
        match fs::remove_file(&path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(digest.to_string())
    }

    fn partial_dir(&self) -> PathBuf {
        self.dir.join("partial")
    }
}

/// Bytes on their way in. Dropped before [`finish`](Self::finish), it leaves nothing behind.
#[derive(Debug)]
pub struct Upload {
    packages: Packages,
    partial: Partial,
    file: File,
    hash: Sha256,
    size: u64,
}

impl Upload {
    /// Takes the next bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > self.packages.limit {
            return Err(Error::TooLarge { limit: self.packages.limit });
        }
        self.hash.update(bytes);
        self.file.write_all(bytes).await.map_err(failed("write", &self.partial.0))
    }

    /// Whether no bytes have come yet.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Makes the bytes durable under their digest, which must be `announced` if that is given.
    pub async fn finish(mut self, announced: Option<Digest>) -> Result<Stored, Error> {
        let digest = Digest(self.hash.finalize().into());
        if let Some(announced) = announced.filter(|announced| *announced != digest) {
            return Err(Error::Digest { announced, actual: digest });
        }
        let path = self.packages.path(digest);
        self.file.flush().await.map_err(failed("write", &self.partial.0))?;
        self.file.sync_all().await.map_err(failed("sync", &self.partial.0))?;
        fs::rename(&self.partial.0, &path).await.map_err(failed("put in place", &path))?;
        let dir = File::open(&self.packages.dir).await.map_err(failed("open", &self.packages.dir))?;
        dir.sync_all().await.map_err(failed("sync", &self.packages.dir))?;
        Ok(Stored { digest, size: self.size })
    }
}

/// A file that goes with this value, unless it was renamed.
#[derive(Debug)]
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // It is not there after a rename; and what stays for another reason goes at the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Bytes on their way out.
#[derive(Debug)]
pub struct Reader {
    file: File,
    path: PathBuf,
}

impl Reader {
    /// All pieces to the end, or to what went wrong.
    pub fn pieces(self) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        stream::try_unfold(self, async |mut reader| Ok(reader.next().await?.map(|chunk| (chunk, reader))))
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let mut chunk = bytes::BytesMut::with_capacity(CHUNK);
        let read = self.file.read_buf(&mut chunk).await.map_err(failed("read", &self.path))?;
        Ok((read > 0).then(|| chunk.freeze()))
    }
}

fn failed(attempted: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { attempted, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn stored(packages: &Packages, bytes: &[u8], announced: Option<Digest>) -> Result<Stored, Error> {
        let mut upload = packages.begin().await?;
        for chunk in bytes.chunks(7) {
            upload.write(chunk).await?;
        }
        upload.finish(announced).await
    }

    async fn all(packages: &Packages, digest: Digest) -> Vec<u8> {
        let mut reader = packages.read(digest).await.unwrap().unwrap();
        let mut bytes = Vec::new();
        while let Some(chunk) = reader.next().await.unwrap() {
            bytes.extend_from_slice(&chunk);
        }
        bytes
    }

    #[tokio::test]
    async fn bytes_come_back_under_their_digest_and_twice_is_as_good_as_once() {
        let dir = tempfile::tempdir().unwrap();
        let packages = Packages::open(dir.path(), 1000).await.unwrap();
        let bytes = b"a package of some bytes".as_slice();
        let first = stored(&packages, bytes, None).await.unwrap();
        assert_eq!(first, stored(&packages, bytes, Some(first.digest)).await.unwrap());
        assert_eq!(first.size, bytes.len() as u64);
        assert_eq!(all(&packages, first.digest).await, bytes);
    }

    #[tokio::test]
    async fn other_bytes_than_announced_or_too_many_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let packages = Packages::open(dir.path(), 10).await.unwrap();
        let other = Digest([7; 32]);
        assert!(matches!(stored(&packages, b"few", Some(other)).await, Err(Error::Digest { .. })));
        assert!(matches!(stored(&packages, &[0; 11], None).await, Err(Error::TooLarge { limit: 10 })));
        assert!(packages.read(other).await.unwrap().is_none());
        assert_eq!(std::fs::read_dir(packages.partial_dir()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_a_crash_left_half_written_is_cleared_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let packages = Packages::open(dir.path(), 10).await.unwrap();
        std::fs::write(packages.partial_dir().join("half"), b"x").unwrap();
        let packages = Packages::open(dir.path(), 10).await.unwrap();
        assert_eq!(std::fs::read_dir(packages.partial_dir()).unwrap().count(), 0);
    }
}
