//! How what went wrong last becomes one line of bounded length: it is shown in tables, and a stack trace is in the log.

/// At most so many characters are told.
const LONGEST: usize = 512;

/// The line of an exception that says what it is: Java begins with it, Python ends with it.
pub(crate) fn summary(exception: &str) -> String {
    let text = exception.trim();
    let line = if text.starts_with("Traceback") { text.lines().next_back() } else { text.lines().next() };
    one_line(line.unwrap_or_default())
}

/// All of its lines as one.
pub(crate) fn one_line(text: &str) -> String {
    let joined = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    joined.chars().take(LONGEST).collect()
}
