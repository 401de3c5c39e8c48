//! What goes wrong, as people read it: what was attempted, what is wrong, every field at fault on a line of its own, and what
//! to do about it.

use std::fmt::Write as _;

use isthmus_dialects::Problem;
use isthmus_model::reason::{Reason, Violation};
use isthmus_proto::failure::Failure;
use tonic::{Code, Status};

use crate::exit::Exit;
use crate::style::Style;

/// Why a command did not do what was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// What was typed cannot be meant, or the profile cannot be used.
    #[error("{0}")]
    Usage(String),
    /// Something on this machine does not work.
    #[error("{doing}")]
    Here {
        doing: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The gateway refused.
    #[error("{doing}: {}", .failure.message)]
    Refused { doing: String, code: Code, failure: Box<Failure> },
    /// The gateway was not reached, or the connection broke.
    #[error("the gateway at {server} was not reached")]
    NotReached {
        server: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took too long.
    #[error("{0}")]
    TimedOut(String),
    /// Files were found wrong before anything was sent.
    #[error("{file} is not valid")]
    Invalid { file: String, problems: Vec<Problem> },
    /// Several things failed, each on its own.
    #[error("{} of them failed", .0.len())]
    Several(Vec<Error>),
}

impl Error {
    /// Something on this machine does not work.
    pub(crate) fn here(
        doing: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Here { doing: doing.into(), source: source.into() }
    }

    /// What a call ended with; `doing` completes "while …" and names the object.
    pub(crate) fn call(server: &str, doing: impl Into<String>, status: Status) -> Self {
        let mut failure = Failure::from(&status);
        if failure.message.is_empty() {
            status.code().description().clone_into(&mut failure.message);
        }
        match (failure.reason, status.code()) {
            (None, Code::Unavailable | Code::Unknown | Code::Cancelled) => {
                Self::NotReached { server: server.to_owned(), source: Box::new(Broken(status)) }
            }
            (None, Code::DeadlineExceeded) => Self::TimedOut(format!(
                "{}: the gateway at {server} did not answer in time; see --request-timeout",
                doing.into()
            )),
            (_, code) => Self::Refused { doing: doing.into(), code, failure: Box::new(failure) },
        }
    }

    /// Whether the gateway says that there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { code: Code::NotFound, .. })
    }

    /// How the process ends for it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Here { .. } | Self::Refused { .. } | Self::Invalid { .. } => Exit::Failed,
            Self::NotReached { .. } | Self::TimedOut(_) => Exit::NotReached,
            // That something was refused says more than that something else was not reached.
            Self::Several(errors) => {
                let refused = errors.iter().any(|error| error.exit() == Exit::Failed);
                let worst = || errors.iter().map(Self::exit).max().unwrap_or(Exit::Failed);
                if refused { Exit::Failed } else { worst() }
            }
        }
    }

    /// Prints it to standard error.
    pub(crate) fn print(&self, style: Style) {
        eprint!("{}", self.render(style));
    }

    /// All that a person needs to know, ending with a newline.
    pub(crate) fn render(&self, style: Style) -> String {
        let mut text = String::new();
        if let Self::Several(errors) = self {
            return errors.iter().map(|error| error.render(style)).collect();
        }
        let _ = write!(text, "{} {self}", style.error("error:"));
        let mut source = std::error::Error::source(self);
        let mut last = String::new();
        while let Some(error) = source {
            let message = error.to_string();
            // Libraries wrap an error in one that says the same.
            if message != last {
                let _ = write!(text, ": {message}");
            }
            last = message;
            source = error.source();
        }
        match self {
            Self::Refused { code, failure, .. } => {
                let word = failure.reason.map_or_else(|| format!("{code:?}"), |reason| reason.to_string());
                match failure.violations.as_slice() {
                    // Of one violation the message is the violation.
                    [only]
                        if failure.message.contains(&only.message)
                            && failure.message.contains(&only.field) =>
                    {
                        if !only.value.is_empty() {
                            let _ = write!(text, " (got {})", only.value);
                        }
                        let _ = writeln!(text, " {}", style.faint(&format!("[{}]", only.reason)));
                    }
                    violations => {
                        let _ = writeln!(text, " ({word})");
                        for violation in violations {
                            text.push_str(&line(violation, None, style));
                        }
                    }
                }
                if let Some(advice) = failure.reason.and_then(advice) {
                    let _ = writeln!(text, "{} {advice}", style.faint("hint:"));
                }
            }
            Self::Invalid { problems, .. } => {
                text.push('\n');
                for Problem { position, violation } in problems {
                    text.push_str(&line(violation, Some(position.to_string()), style));
                }
            }
            Self::NotReached { .. } => {
                let advice = "check that it runs, and the server and certificates of the profile (isthmus config view)";
                let _ = write!(text, "\n{} {advice}\n", style.faint("hint:"));
            }
            Self::Usage(_) | Self::Here { .. } | Self::TimedOut(_) | Self::Several(_) => text.push('\n'),
        }
        text
    }
}

/// One violation: where, what, the value at fault, the reason.
fn line(violation: &Violation, position: Option<String>, style: Style) -> String {
    let Violation { field, reason, message, value } = violation;
    let mut text = String::from("  ");
    if let Some(position) = position {
        let _ = write!(text, "{position}: ");
    }
    if !field.is_empty() {
        let _ = write!(text, "{}: ", style.bold(field));
    }
    text.push_str(message);
    if !value.is_empty() {
        let _ = write!(text, " (got {value})");
    }
    let _ = writeln!(text, " {}", style.faint(&format!("[{reason}]")));
    text
}

/// What to do about it, where that is not in the message or the violations already.
fn advice(reason: Reason) -> Option<String> {
    match reason {
        Reason::InvalidField
        | Reason::MissingField
        | Reason::ConflictingFields
        | Reason::MalformedDocument => None,
        Reason::Internal => Some("the gateway's log has the detail".to_owned()),
        Reason::Unauthenticated => {
            Some("give a token or a client certificate; see isthmus config view".to_owned())
        }
        Reason::Forbidden => Some("isthmus whoami shows the caller's roles".to_owned()),
        // A reason's description says what it means, and after a semicolon what to do. What it means the message says better.
        _ => reason.describe().trim().split_once("; ").map(|(_, remedy)| remedy.to_owned()),
    }
}

/// A status that is no answer of ours: its message, without the debug text of the library.
#[derive(Debug)]
struct Broken(Status);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.message() {
            "" => write!(f, "{:?}", self.0.code()),
            message => f.write_str(message),
        }
    }
}

impl std::error::Error for Broken {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0)
    }
}

#[cfg(test)]
mod tests;
