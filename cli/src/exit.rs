//! How the process ends.

use std::process::ExitCode;

/// The exit codes of `isthmus`. They are part of its interface: scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: all that was asked for was done. Of a dry run: all of it would be accepted.
    Done,
    /// 1: something was refused or failed.
    Failed,
    /// 2: what was typed cannot be meant, or the profile cannot be used; nothing was sent.
    Usage,
    /// 3: the gateway was not reached, or what `--wait` waits for did not happen in time. What was applied stays applied.
    NotReached,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NotReached => 3,
        })
    }
}
