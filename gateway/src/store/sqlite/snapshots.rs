//! Snapshots as files: `snapshot-<LogIndex>`, whole by their rename.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::PathBuf;

use isthmus_model::order::LogIndex;

use super::{Error, Place};

const PREFIX: &str = "snapshot-";

#[derive(Debug)]
pub(super) struct Snapshots {
    place: Place,
}

impl Snapshots {
    pub(super) fn new(place: Place) -> Self {
        Self { place }
    }

    pub(super) fn newest(&self) -> Result<Option<LogIndex>, Error> {
        Ok(self.all()?.into_iter().max())
    }

    pub(super) fn read(&mut self, at: LogIndex) -> Result<BufReader<File>, Error> {
        let file =
            File::open(self.path(at)).map_err(|source| self.place.failed("read a snapshot in", source))?;
        Ok(BufReader::with_capacity(1 << 20, file))
    }

    /// Writes a snapshot, whole or not at all, and then drops those before it.
    pub(super) fn write(
        &mut self,
        at: LogIndex,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        let unfinished = self.place.directory.join("unfinished-snapshot");
        let store = || {
            let mut to = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
            write(&mut to)?;
            to.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            fs::rename(&unfinished, self.path(at))
        };
        let mut store = store;
        store().map_err(|source| self.place.failed("write a snapshot in", source))?;
        self.place.sync()?;
        for older in self.all()?.into_iter().filter(|older| *older < at) {
            fs::remove_file(self.path(older))
                .map_err(|source| self.place.failed("drop an old snapshot in", source))?;
        }
        Ok(())
    }

    fn all(&self) -> Result<Vec<LogIndex>, Error> {
        let list = || -> io::Result<Vec<LogIndex>> {
            let mut found = Vec::new();
            for entry in fs::read_dir(&self.place.directory)? {
                let name = entry?.file_name();
                let index = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse().ok());
                found.extend(index.map(LogIndex));
            }
            Ok(found)
        };
        list().map_err(|source| self.place.failed("list", source))
    }

    fn path(&self, at: LogIndex) -> PathBuf {
        self.place.directory.join(format!("{PREFIX}{at}"))
    }
}
