//! Reading the log of an instance: the files that the guard keeps, oldest first, and what is still being written.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use isthmus_model::name::Uid;

use super::record::{InstanceDir, Key};
use crate::target::LogOptions;

/// A log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such instance on this host.
    #[error(
        "instance {instance} of {uid} has no log here; it was never started on this host, or was removed"
    )]
    NotFound {
        /// Of which component.
        uid: Uid,
        /// Which instance.
        instance: u32,
    },
    /// The disk fails.
    #[error("cannot read the log of instance {instance} of {uid}")]
    Unreadable {
        /// Of which component.
        uid: Uid,
        /// Which instance.
        instance: u32,
        /// Why.
        source: io::Error,
    },
}

/// The size of a piece; small enough that a slow reader costs little.
const PIECE: usize = 64 * 1024;

/// How often a log that is followed is looked at.
const FOLLOWED_EVERY: Duration = Duration::from_millis(250);

/// Opens the log. What is put aside while it is read is read to its end.
///
/// # Errors
/// There is none, or it cannot be opened.
pub(super) async fn open(
    key: Key,
    directory: InstanceDir,
    options: LogOptions,
) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + 'static, Error> {
    let Key { uid, index: instance } = key;
    let current = directory.log();
    let opened = {
        let current = current.clone();
        blocking(move || Reader::open(&current, options.tail)).await
    };
    let reader = match opened {
        Ok(reader) => reader,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::NotFound { uid, instance });
        }
        Err(source) => return Err(Error::Unreadable { uid, instance, source }),
    };
    Ok(futures::stream::try_unfold(reader, move |mut reader| {
        let current = current.clone();
        async move {
            loop {
                let at = current.clone();
                let (piece, back) = blocking(move || {
                    let piece = reader.next(&at, options.follow)?;
                    Ok((piece, reader))
                })
                .await
                .map_err(|source| Error::Unreadable { uid, instance, source })?;
                reader = back;
                match piece {
                    Some(piece) => return Ok(Some((piece, reader))),
                    None if options.follow => tokio::time::sleep(FOLLOWED_EVERY).await,
                    None => return Ok(None),
                }
            }
        }
    }))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Files that are still to be read, the oldest first; the last one is being written.
struct Reader {
    files: VecDeque<File>,
}

impl Reader {
    fn open(current: &Path, tail: Option<u32>) -> io::Result<Self> {
        let mut files = VecDeque::from([File::open(current)?]);
        // `.1` is the youngest of those put aside.
        for number in 1_u32.. {
            match File::open(put_aside(current, number)) {
                Ok(file) => files.push_front(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            }
        }
        if let Some(lines) = tail {
            let mut wanted = u64::from(lines);
            let mut kept = VecDeque::new();
            while let Some(mut file) = files.pop_back() {
                let newest = kept.is_empty();
                let done = seek_to_last_lines(&mut file, &mut wanted, newest)?;
                kept.push_front(file);
                if done {
                    break;
                }
            }
            files = kept;
        }
        Ok(Self { files })
    }

    /// The next piece; `None` at the end of what is written so far.
    fn next(&mut self, current: &Path, follow: bool) -> io::Result<Option<Bytes>> {
        loop {
            let is_last = self.files.len() == 1;
            let Some(file) = self.files.front_mut() else { return Ok(None) };
            let mut piece = vec![0; PIECE];
            let read = file.read(&mut piece)?;
            if read > 0 {
                piece.truncate(read);
                return Ok(Some(piece.into()));
            }
            if !is_last {
                self.files.pop_front();
                continue;
            }
            if !follow {
                return Ok(None);
            }
            // Put aside since: what it got after the last look was read above, the rest is in the new file.
            match File::open(current) {
                Ok(new) if new.metadata()?.ino() != file.metadata()?.ino() => self.files.push_back(new),
                Ok(_) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

fn put_aside(current: &Path, number: u32) -> PathBuf {
    let mut name = current.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// Places the file so that the last `wanted` lines follow; takes off what it has. Returns whether it has enough.
fn seek_to_last_lines(file: &mut File, wanted: &mut u64, newest: bool) -> io::Result<bool> {
    let mut end = file.metadata()?.len();
    if *wanted == 0 {
        file.seek(SeekFrom::Start(end))?;
        return Ok(true);
    }
    let mut first = newest;
    let mut piece = vec![0; PIECE];
    while end > 0 {
        let size = end.min(PIECE as u64);
        let start = end - size;
        let Some(part) = usize::try_from(size).ok().and_then(|size| piece.get_mut(..size)) else { break };
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        for (offset, byte) in part.iter().enumerate().rev() {
            // The line break at the very end ends the last line and begins none.
            let last = std::mem::take(&mut first);
            if *byte != b'\n' || (last && start + offset as u64 + 1 == end) {
                continue;
            }
            *wanted -= 1;
            if *wanted == 0 {
                file.seek(SeekFrom::Start(start + offset as u64 + 1))?;
                return Ok(true);
            }
        }
        end = start;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(false)
}

#[cfg(test)]
mod tests;
