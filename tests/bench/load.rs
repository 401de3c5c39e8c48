//! What is deployed: functions of 600 to 1,000 bytes on the wire, no two of which share a name, a class or a topic.

use isthmus_proto::component::v1::Component;
use isthmus_tests::fixture::{self, Fixture};
use prost::Message;

/// Namespaces that the functions are spread over.
const NAMESPACES: u64 = 50;

/// What a function's own bytes are between, as it is sent.
pub(crate) const BYTES: std::ops::RangeInclusive<usize> = 600..=1000;

/// The `n`-th function of a series.
pub(crate) fn function(series: &str, n: u64) -> Component {
    let name = format!("{series}-{n:07}");
    let plain = fixture::function(&name)
        .within("public", &format!("team-{:02}", n % NAMESPACES))
        .label("team", &format!("team-{:02}", n % NAMESPACES))
        .java(fixture::package("/pulsar/absent.jar", ""), &format!("org.example.{series}.Function{n:07}"));
    padded(plain, n).build()
}

/// With a configuration of its own, so long that the whole has the size that it shall have.
fn padded(plain: Fixture, n: u64) -> Fixture {
    let bare = plain.build().encoded_len();
    let span = BYTES.end() - BYTES.start() - 100;
    // The frame of the configuration itself and the lengths around it take less than 50 bytes.
    let wanted = BYTES.start() + 50 + usize::try_from(n * 37).unwrap_or_default() % span;
    let fill = wanted.saturating_sub(bare);
    let letter = |at: u64| char::from(b'a' + u8::try_from((n + at * at) % 26).unwrap_or_default());
    let text: String = (0..fill as u64).map(letter).collect();
    plain.with(|spec| spec.user_config_json = format!(r#"{{"table":"{text}"}}"#))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_the_size_that_it_shall_have() {
        for n in (0..1_000).chain(99_000..100_000) {
            let size = function("accept", n).encoded_len();
            assert!(BYTES.contains(&size), "function {n} has {size} bytes");
        }
    }
}
