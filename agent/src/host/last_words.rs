//! Why an instance ended, in one line: the guard's record, and the line of the log that says most.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::record::{InstanceDir, Record};
use crate::last_error::one_line;

/// So much of the end of a log is looked at.
const LOOKED_AT: u64 = 16 * 1024;

/// The sentence. Values of secrets do not appear in it.
pub(crate) fn of(directory: &InstanceDir) -> String {
    let how = match directory.exit() {
        Ok(Some(exit)) => exit.sentence(),
        Ok(None) => "the instance was killed together with its guard".to_owned(),
        Err(error) => format!("the instance ended, and its exit record cannot be read ({error})"),
    };
    // Without knowing what is secret nothing of the log is shown.
    if !matches!(directory.record(), Ok(Some(Record { sealed: false, .. }))) {
        return how;
    }
    let Ok(secrets) = directory.secret_values() else { return how };
    let tail = end_of(&directory.log()).unwrap_or_default();
    match telling(&tail) {
        Some(line) => format!("{how}; its log says: {}", redact(&one_line(line), &secrets)),
        None => how,
    }
}

fn end_of(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(LOOKED_AT)))?;
    let mut bytes = Vec::new();
    file.take(LOOKED_AT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last line that names an error, else the last line.
fn telling(tail: &str) -> Option<&str> {
    let lines = || tail.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let is_error = |line: &&str| {
        let is_frame = line.starts_with("at ") || line.starts_with("...");
        !is_frame && ["Error", "ERROR", "Exception", "rror:"].iter().any(|word| line.contains(word))
    };
    lines().find(is_error).or_else(|| lines().next())
}

fn redact(line: &str, secrets: &[String]) -> String {
    // Shorter texts are in many a word, and no protection as secrets either.
    const SHORTEST: usize = 4;
    let secrets = secrets.iter().filter(|secret| secret.len() >= SHORTEST);
    secrets.fold(line.to_owned(), |line, secret| line.replace(secret.as_str(), "(redacted)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_is_told_rather_than_the_stack_below_it() {
        let tail = "INFO starting\njava.io.IOException: no route\n\tat a.b.C(D.java)\n\tat e.f\n";
        assert_eq!(telling(tail), Some("java.io.IOException: no route"));
        assert_eq!(telling("one\ntwo\n\n"), Some("two"));
        assert_eq!(telling(""), None);
    }

    #[test]
    fn secrets_do_not_reach_the_status() {
        let line = redact("login failed for user with hunter2", &["hunter2".into(), "us".into()]);
        assert_eq!(line, "login failed for user with (redacted)");
    }
}
