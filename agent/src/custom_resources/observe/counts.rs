//! Reading what an instance counts, from the text that its metrics port serves; pure.
//!
//! Pulsar's instances of every language give their totals the same names. The latest exceptions stand there too, as labels.

use isthmus_model::observation::Messages;

use crate::last_error::summary;

/// What one instance says of its work since it started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) messages: Messages,
    /// One of the latest exceptions, on one line; empty where none is told.
    pub(super) last_error: String,
}

impl Counts {
    /// Takes in one line of the text.
    pub(super) fn read(&mut self, line: &str) {
        let Some((name, rest)) = line.find([' ', '{']).map(|end| line.split_at(end)) else { return };
        let kinds = ["pulsar_function_", "pulsar_source_", "pulsar_sink_"];
        let Some(what) = kinds.iter().find_map(|kind| name.strip_prefix(kind)) else { return };
        let Messages { received, processed, user_exceptions, system_exceptions } = &mut self.messages;
        let total = match what {
            "received_total" => received,
            "processed_successfully_total" | "written_total" => processed,
            "user_exceptions_total" => user_exceptions,
            "system_exceptions_total" | "source_exceptions_total" | "sink_exceptions_total" => {
                system_exceptions
            }
            "user_exception" | "system_exception" | "source_exception" | "sink_exception" => {
                if let Some(error) = label(rest, "error") {
                    self.last_error = summary(&error);
                }
                return;
            }
            _ => return,
        };
        *total = total.saturating_add(number(rest));
    }
}

/// The value behind the labels, as a count: a number that is not finite or is negative counts nothing.
fn number(rest: &str) -> u64 {
    // A label may hold any character; no value does.
    let value = rest.rfind('}').map_or(rest, |end| rest.split_at(end + 1).1);
    let value = value.split_ascii_whitespace().next().and_then(|text| text.parse::<f64>().ok());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float becomes the nearest integer there is, and none of them is negative"
    )]
    let count = value.filter(|value| value.is_finite()).unwrap_or(0.0).max(0.0) as u64;
    count
}

/// The value of a label, with its escapes undone.
fn label(rest: &str, wanted: &str) -> Option<String> {
    let mut rest = rest.strip_prefix('{')?;
    loop {
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        if name.trim_matches([',', ' ']) == wanted {
            return Some(value);
        }
        rest = after;
    }
}

/// The text up to the quotation mark that ends it, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Counts {
        let mut counts = Counts::default();
        text.lines().for_each(|line| counts.read(line));
        counts
    }

    #[test]
    fn totals_are_read_as_java_writes_them() {
        let labels = r#"{tenant="public",namespace="public/default",name="hand-java",instance_id="0",cluster="standalone",fqfn="public/default/hand-java",}"#;
        let counts = read(&format!(
            "# HELP pulsar_function_received_total Total number of messages received from source.\n\
             # TYPE pulsar_function_received_total counter\n\
             pulsar_function_received_total{labels} 51.0\n\
             pulsar_function_received_1min_total{labels} 7.0\n\
             pulsar_function_processed_successfully_total{labels} 1.2E3\n\
             pulsar_function_user_exceptions_total{labels} 2.0\n\
             pulsar_function_system_exceptions_total{labels} NaN\n\
             pulsar_function_last_invocation{labels} 1.795472295256E12\n\
             jvm_threads_current 31.0\n"
        ));
        let messages = Messages { received: 51, processed: 1200, user_exceptions: 2, system_exceptions: 0 };
        assert_eq!(counts, Counts { messages, last_error: String::new() });
    }

    #[test]
    fn a_sinks_totals_have_names_of_their_own() {
        let counts = read(
            "pulsar_sink_received_total{a=\"b\"} 9\npulsar_sink_written_total{a=\"b\"} 8\n\
             pulsar_sink_sink_exceptions_total{a=\"b\"} 1\npulsar_sink_system_exceptions_total{a=\"b\"} 2\n",
        );
        let messages = Messages { received: 9, processed: 8, user_exceptions: 0, system_exceptions: 3 };
        assert_eq!(counts.messages, messages);
    }

    #[test]
    fn the_latest_exception_is_told_on_the_line_that_says_what_it_is() {
        let java = r#"pulsar_function_user_exception{tenant="p",error="java.lang.IllegalStateException: \"x\", no } here",ts="1"} 1.0"#;
        assert_eq!(read(java).last_error, "java.lang.IllegalStateException: \"x\", no } here");
        let python = r#"pulsar_function_user_exception{error="Traceback (most recent call last):\n  File \"f.py\"\nKeyError: 'name'\n",name="f"} 1.0"#;
        assert_eq!(read(python).last_error, "KeyError: 'name'");
    }

    #[test]
    fn what_is_not_a_metric_counts_nothing() {
        for line in
            ["", "{", "pulsar_function_received_total", "pulsar_function_received_total{x=\"", "\u{0}"]
        {
            assert_eq!(read(line), Counts::default(), "{line:?}");
        }
        assert_eq!(read("pulsar_function_received_total -4"), Counts::default());
        assert_eq!(read("pulsar_function_user_exception{error=\"x"), Counts::default());
    }
}
