//! What the program writes, in files that never grow beyond what was allowed.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::record::LOG_FILE;

/// The current log file and the old ones beside it. Written to without a buffer of its own: what the program wrote
/// is in the file when it is asked for.
#[derive(Debug)]
pub(super) struct Log {
    dir: PathBuf,
    limit: u64,
    files: u32,
    current: File,
    size: u64,
    /// Whether the last byte ended a line.
    at_line_start: bool,
}

impl Log {
    /// Goes on where an earlier run ended.
    pub(super) fn open(dir: &Path, limit: u64, files: u32) -> io::Result<Self> {
        let current = append(dir)?;
        let size = current.metadata()?.len();
        Ok(Self {
            dir: dir.to_owned(),
            limit: limit.max(1),
            files: files.max(1),
            current,
            size,
            at_line_start: true,
        })
    }

    /// Writes all of it, beginning new files as they fill up, between lines where that is possible.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = usize::try_from(self.limit.saturating_sub(self.size)).unwrap_or(usize::MAX);
            let fits = fitting(bytes, room, self.at_line_start, self.size == 0);
            let (now, later) = bytes.split_at(fits);
            if now.is_empty() {
                self.rotate()?;
                continue;
            }
            self.current.write_all(now)?;
            self.size += now.len() as u64;
            self.at_line_start = now.ends_with(b"\n");
            bytes = later;
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.files).rev() {
            match std::fs::rename(self.path(number - 1), self.path(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.files == 1 {
            std::fs::remove_file(self.path(0))?;
        }
        self.current = append(&self.dir)?;
        self.size = 0;
        Ok(())
    }

    fn path(&self, number: u32) -> PathBuf {
        match number {
            0 => self.dir.join(LOG_FILE),
            number => self.dir.join(format!("{LOG_FILE}.{number}")),
        }
    }
}

fn append(dir: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().append(true).create(true).mode(0o600).open(dir.join(LOG_FILE))
}

/// How many of the bytes go into the current file, which has room for `room` more; 0 means: begin a new file first.
fn fitting(bytes: &[u8], room: usize, at_line_start: bool, file_is_empty: bool) -> usize {
    if bytes.len() <= room {
        return bytes.len();
    }
    let within = bytes.get(..room).unwrap_or(bytes);
    match within.iter().rposition(|byte| *byte == b'\n') {
        Some(last) => last + 1,
        // The next line does not fit, but would perhaps fit a file of its own.
        None if at_line_start && !file_is_empty => 0,
        // A line longer than a file, or one that began here already: it is cut.
        None => room,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Log {
        fn text(&self, number: u32) -> String {
            std::fs::read_to_string(self.path(number)).unwrap_or_default()
        }
    }

    #[test]
    fn files_are_begun_between_lines_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(dir.path(), 10, 3).unwrap();
        for line in ["one\n", "two\n", "three\n", "four\n", "five\nsix\n", "seven\n"] {
            log.write(line.as_bytes()).unwrap();
        }
        assert_eq!([log.text(0), log.text(1), log.text(2)], ["six\nseven\n", "four\nfive\n", "three\n"]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
    }

    #[test]
    fn no_file_exceeds_its_limit_and_no_byte_is_lost_at_any_size_of_writes() {
        let text: Vec<u8> =
            (0..100_u32).flat_map(|n| format!("{}\n", "x".repeat(n as usize % 37)).into_bytes()).collect();
        for chunk in [1, 7, 31, 32, 33, 500] {
            let dir = tempfile::tempdir().unwrap();
            let mut log = Log::open(dir.path(), 32, 200).unwrap();
            for bytes in text.chunks(chunk) {
                log.write(bytes).unwrap();
            }
            let files: Vec<String> = (0..200).rev().map(|number| log.text(number)).collect();
            assert!(files.iter().all(|file| file.len() <= 32), "chunks of {chunk}");
            assert_eq!(files.concat().as_bytes(), text, "chunks of {chunk}");
        }
    }

    #[test]
    fn one_file_is_enough_when_only_one_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(dir.path(), 8, 1).unwrap();
        log.write(b"first\nsecond\nthird\n").unwrap();
        assert_eq!(log.text(0), "third\n");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_later_run_goes_on_in_the_same_file() {
        let dir = tempfile::tempdir().unwrap();
        Log::open(dir.path(), 10, 2).unwrap().write(b"first\n").unwrap();
        let mut log = Log::open(dir.path(), 10, 2).unwrap();
        log.write(b"two\n").unwrap();
        assert_eq!(log.text(0), "first\ntwo\n");
        log.write(b"three\n").unwrap();
        assert_eq!([log.text(0), log.text(1)], ["three\n", "first\ntwo\n"]);
    }
}
