//! The key with which this agent opens secrets: made once, kept in one file that only its owner reads, and never sent anywhere.
//!
//! Who loses the file has another key afterwards: what was sealed for the old one must be sealed again, and the gateway places
//! nothing here until it is.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use isthmus_sealing::PrivateKey;
use zeroize::Zeroizing;

/// Why there is no usable key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the key for secrets in {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not ours. Its text is not shown.
    #[error(
        "the key for secrets in {} is damaged: restore the file, or remove it and apply again, with the values of their secrets, the components that run here",
        path.display()
    )]
    Damaged {
        /// Which.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot keep the key for secrets in {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Reads the key in a data directory; where there is none, one is made and kept first.
pub fn load_or_make(directory: &Path) -> Result<PrivateKey, Error> {
    let path = directory.join("sealing.key");
    match std::fs::read(&path).map(Zeroizing::new) {
        Ok(text) => parse(&text).ok_or(Error::Damaged { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = PrivateKey::generate();
            write(&path, &key).map_err(|source| Error::Write { path, source })?;
            Ok(key)
        }
        Err(source) => Err(Error::Read { path, source }),
    }
}

/// 64 hexadecimal digits and a line break.
fn parse(text: &[u8]) -> Option<PrivateKey> {
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim_ascii(), &mut *bytes).ok()?;
    Some(PrivateKey::from_bytes(bytes))
}

/// Nobody may be told of a key that a crash takes back: it is on the disk before it is used.
fn write(path: &Path, key: &PrivateKey) -> io::Result<()> {
    let mut text = Zeroizing::new([b'\n'; 65]);
    if let Some(digits) = text.get_mut(..64) {
        hex::encode_to_slice(key.to_bytes().as_slice(), digits).map_err(io::Error::other)?;
    }
    let temporary = path.with_extension("key.new");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(&*text)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), |directory| std::fs::File::open(directory)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_its_owner_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let made = load_or_make(directory.path()).unwrap();
        let found = load_or_make(directory.path()).unwrap();
        assert_eq!(made.public(), found.public());
        let names: Vec<_> =
            std::fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["sealing.key"]);
        let mode = std::fs::metadata(directory.path().join("sealing.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_neither_replaced_nor_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sealing.key");
        std::fs::write(&path, "deadbeef").unwrap();
        let error = load_or_make(directory.path()).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }) && !error.to_string().contains("deadbeef"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"deadbeef");
    }
}
