//! What the process finds around it: variables, directories, terminals. Read in this one place.

use std::io::IsTerminal as _;
use std::path::PathBuf;

/// Everything that is read from around the process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// `ISTHMUS_CONFIG`: the profiles' file.
    pub(crate) config: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub(crate) xdg_config_home: Option<PathBuf>,
    /// `HOME`.
    pub(crate) home: Option<PathBuf>,
    /// `NO_COLOR` is set.
    pub(crate) no_color: bool,
    /// Standard output is a terminal.
    pub(crate) stdout_is_terminal: bool,
    /// Standard error is a terminal.
    pub(crate) stderr_is_terminal: bool,
}

impl Environment {
    pub(crate) fn of_this_process() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            config: variable("ISTHMUS_CONFIG").map(PathBuf::from),
            xdg_config_home: variable("XDG_CONFIG_HOME").map(PathBuf::from),
            home: variable("HOME").map(PathBuf::from),
            no_color: variable("NO_COLOR").is_some(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
        }
    }
}

/// A variable that a command names, if there is one of that name and it is text.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}
