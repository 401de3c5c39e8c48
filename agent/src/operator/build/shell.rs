//! Text that a shell reads.

/// `text` as one word: as it is where no character means anything to a shell, else quoted.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

/// `text` between single quotes, within which nothing means anything to a shell.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r#"'"'"'"#))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_read_otherwise_is_quoted() {
        assert_eq!(word("/pulsar/a-b_1.jar"), "/pulsar/a-b_1.jar");
        assert_eq!(word(""), "''");
        assert_eq!(word("a b"), "'a b'");
        assert_eq!(word("a;$(b)"), "'a;$(b)'");
        assert_eq!(quoted("it's"), r#"'it'"'"'s'"#);
    }
}
