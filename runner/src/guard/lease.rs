//! Until when a single owner may run, as its file says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Why a lease says nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot read lease file {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("lease file {} does not hold one decimal number", path.display())]
    Number { path: PathBuf },
}

/// The end of the lease, as time since boot.
pub(super) fn read(path: &Path) -> Result<Duration, Error> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    parse(&text).ok_or_else(|| Error::Number { path: path.to_owned() })
}

fn parse(text: &str) -> Option<Duration> {
    text.trim_ascii().parse().ok().map(Duration::from_millis)
}

/// Time since boot, suspended time included.
pub(super) fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_one_decimal_number_and_nothing_else() {
        assert_eq!(parse("86400000\n"), Some(Duration::from_hours(24)));
        for wrong in ["", "\n", "-1", "1.5", "12 13", "12s", "99999999999999999999"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
