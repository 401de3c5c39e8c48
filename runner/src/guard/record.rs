//! The files of an instance's directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The program's environment.
pub const ENVIRONMENT_FILE: &str = "env.json";
/// Who runs.
pub const STATE_FILE: &str = "state.json";
/// How it ended.
pub const EXIT_FILE: &str = "exit.json";
/// What it wrote.
pub const LOG_FILE: &str = "instance.log";
/// Why it could not be executed.
pub const START_ERROR_FILE: &str = "start.error";

/// The program's environment; `None` where the agent wrote none.
pub(super) fn environment(dir: &Path) -> io::Result<Option<BTreeMap<String, String>>> {
    read(&dir.join(ENVIRONMENT_FILE))
}

/// Further variables, read to the end. What is wrong with them is said without showing any.
pub(super) fn variables(from: impl Read) -> io::Result<BTreeMap<String, String>> {
    const MOST: u64 = 4 << 20;
    let mut text = Vec::new();
    if from.take(MOST + 1).read_to_end(&mut text)? as u64 > MOST {
        return Err(io::Error::other(format!("they have more than {MOST} bytes")));
    }
    serde_json::from_slice(&text).map_err(|_| io::Error::other("they are not a JSON object of texts"))
}

/// Takes away what the run before said of itself.
pub(super) fn clear(dir: &Path) -> io::Result<()> {
    [STATE_FILE, EXIT_FILE, START_ERROR_FILE].into_iter().try_for_each(|name| remove(&dir.join(name)))
}

/// Takes what the program's process left behind when it could not become the program.
pub(super) fn take_start_error(dir: &Path) -> Option<String> {
    let path = dir.join(START_ERROR_FILE);
    let text = std::fs::read_to_string(&path).ok()?;
    // What cannot be removed is removed by the next run.
    let _left = std::fs::remove_file(&path);
    Some(text)
}

/// Replaces a JSON file so that a reader sees the old one or the new one, also after a power cut.
pub(super) fn replace<T: Serialize>(dir: &Path, name: &str, value: &T) -> io::Result<()> {
    let new = dir.join(format!("{name}.new"));
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, dir.join(name))?;
    File::open(dir)?.sync_all()
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match std::fs::read(path) {
        // serde_json's own text would quote the value, which may be a secret.
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let place = format!("line {} column {}", error.line(), error.column());
            io::Error::new(io::ErrorKind::InvalidData, format!("not a JSON object of texts ({place})"))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_replaced_file_is_whole_and_its_owner_s() {
        let dir = tempfile::tempdir().unwrap();
        replace(dir.path(), "env.json", &BTreeMap::from([("A", "1")])).unwrap();
        replace(dir.path(), "env.json", &BTreeMap::from([("B", "2")])).unwrap();
        let read = environment(dir.path()).unwrap().unwrap();
        assert_eq!(read, BTreeMap::from([("B".to_owned(), "2".to_owned())]));
        let mode = std::fs::metadata(dir.path().join("env.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_environment_is_refused_without_showing_it() {
        let dir = tempfile::tempdir().unwrap();
        assert!(environment(dir.path()).unwrap().is_none());
        std::fs::write(dir.path().join("env.json"), r#"{"PASSWORD": 424242}"#).unwrap();
        let refused = environment(dir.path()).unwrap_err().to_string();
        assert_eq!(refused, "not a JSON object of texts (line 1 column 19)");
    }
}
