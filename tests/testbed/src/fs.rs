//! What the file system refused, in words: a bare "permission denied" does not say on which path.

use std::{
    io,
    path::{Path, PathBuf},
};

/// A file operation that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {attempted} {}", path.display())]
pub struct Error {
    attempted: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Adds what was attempted, on which path.
pub(crate) trait Attempted<T> {
    /// `attempted` completes the sentence "cannot … PATH".
    fn attempted(self, attempted: &'static str, path: impl AsRef<Path>) -> Result<T, Error>;
}

impl<T> Attempted<T> for io::Result<T> {
    fn attempted(self, attempted: &'static str, path: impl AsRef<Path>) -> Result<T, Error> {
        self.map_err(|source| Error { attempted, path: path.as_ref().to_owned(), source })
    }
}

/// Removes a directory with everything in it; that it is not there is no error.
pub(crate) fn remove_dir(dir: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).attempted("remove", dir),
        _ => Ok(()),
    }
}

/// Creates a directory and its parents.
pub(crate) fn create_dir(dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir).attempted("create the directory", dir)
}

/// Writes a whole file.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Error> {
    std::fs::write(path, content).attempted("write", path)
}

/// Reads a whole text file.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).attempted("read", path)
}

/// The last `lines` lines of a log, indented for an error message; says so when there is nothing to show.
pub fn tail(log: &Path, lines: usize) -> String {
    /// Enough for the lines asked for, and little enough to read when a log has grown for hours.
    const WINDOW: u64 = 64 * 1024;
    /// Pulsar logs its whole configuration in one line.
    const WIDTH: usize = 400;

    let text = match read_end(log, WINDOW) {
        Ok(text) => text,
        Err(error) => return format!("  ({} cannot be read: {error})", log.display()),
    };
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if all.is_empty() {
        return format!("  ({} is empty)", log.display());
    }
    all.iter()
        .skip(all.len().saturating_sub(lines))
        .map(|line| format!("  | {}", line.chars().take(WIDTH).collect::<String>()))
        .collect::<Vec<_>>()
        .join("\n")
}

fn read_end(path: &Path, window: u64) -> io::Result<String> {
    use std::io::{Read, Seek, SeekFrom};

    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(window)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_shows_the_last_lines_and_cuts_endless_ones() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("server.log");
        std::fs::write(&log, format!("first\nsecond\n\n{}\n", "x".repeat(5000))).unwrap();

        assert_eq!(tail(&log, 2), format!("  | second\n  | {}", "x".repeat(400)));
    }

    #[test]
    fn a_tail_of_nothing_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("server.log");

        assert!(tail(&log, 2).contains("cannot be read"), "{}", tail(&log, 2));
        std::fs::write(&log, "").unwrap();
        assert!(tail(&log, 2).contains("is empty"), "{}", tail(&log, 2));
    }
}
