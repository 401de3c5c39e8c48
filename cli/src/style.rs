//! Colours, where a person looks on.

use crate::args::{Color, Global};
use crate::environment::Environment;

/// Colours or none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Style {
    out: bool,
    err: bool,
}

impl Style {
    pub(crate) fn of(global: &Global, environment: &Environment) -> Self {
        match global.color {
            Color::Always => Self { out: true, err: true },
            Color::Auto if !environment.no_color => {
                Self { out: environment.stdout_is_terminal, err: environment.stderr_is_terminal }
            }
            Color::Auto | Color::Never => Self::default(),
        }
    }

    pub(crate) fn error(self, text: &str) -> String {
        paint(self.err, "1;31", text)
    }
    pub(crate) fn warning(self, text: &str) -> String {
        paint(self.err, "1;33", text)
    }
    pub(crate) fn bold(self, text: &str) -> String {
        paint(self.err, "1", text)
    }
    pub(crate) fn faint(self, text: &str) -> String {
        paint(self.err, "2", text)
    }

    /// A word of status in its colour.
    pub(crate) fn status(self, word: &str) -> String {
        let code = match word.split([',', ' ']).next().unwrap_or("") {
            "Ready" | "Healthy" => "32",
            "Progressing" | "Pending" | "Suspect" | "Parked" | "Terminating" | "Stopping" => "33",
            "Degraded" | "Refused" | "Disconnected" | "Outdated" => "31",
            _ => return word.to_owned(),
        };
        paint(self.out, code, word)
    }
}

fn paint(on: bool, code: &str, text: &str) -> String {
    if on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}
