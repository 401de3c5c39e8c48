//! One line for an error and everything that caused it.
//!
//! Our errors never repeat their source in their own text; this adapter joins the chain where an error leaves
//! the program: in a log line, or on standard error just before the exit.

use std::error::Error;
use std::fmt;

/// Shows `error` and its sources, joined by `: `, on one line.
///
/// A source whose text the error above it already ends with is left out, because some libraries repeat it.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = one_line(&self.0.to_string());
        f.write_str(&said)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = one_line(&error.to_string());
            if !said.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            said = text;
            cause = error.source();
        }
        Ok(())
    }
}

/// Line breaks and the indentation around them become single spaces.
pub(crate) fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the store")]
    struct Outer(#[source] std::io::Error);

    #[derive(Debug, thiserror::Error)]
    #[error("cannot start: {0}")]
    struct Repeating(#[source] std::io::Error);

    #[test]
    fn causes_follow_on_the_same_line() {
        let error = Outer(std::io::Error::other("disk\n  gone"));
        assert_eq!(Chain(&error).to_string(), "cannot open the store: disk gone");
    }

    #[test]
    fn a_cause_already_told_is_not_told_again() {
        let error = Repeating(std::io::Error::other("disk gone"));
        assert_eq!(Chain(&error).to_string(), "cannot start: disk gone");
    }
}
