//! What is deployed: functions of 600 to 1,000 bytes on the wire, no two of which share a name, a class or a topic.
//!
//! Under load they are made by writing numbers into encoded ones: the machine's time is for who is measured.

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

/// Sizes that functions have; every so many have the same.
const SIZES: u64 = 300;

/// Functions of one series, encoded.
#[derive(Debug)]
pub(crate) struct Encoded(Vec<Shape>);

/// Functions of one size, between which only numbers differ.
#[derive(Debug)]
struct Shape {
    bytes: Vec<u8>,
    /// Where its own number stands in it, seven digits.
    numbers: Vec<usize>,
    /// Where its team's number stands in it, two digits.
    teams: Vec<usize>,
}

impl Encoded {
    /// Of a series.
    pub(crate) fn new(series: &str) -> Self {
        // A number that is nothing else in the function, and leaves the same remainder as those that it stands for.
        let shape = |remainder| {
            let n = 9_000_000 + remainder;
            let bytes = function(series, n).encode_to_vec();
            let numbers = positions(&bytes, &format!("{n:07}"), 0);
            let teams = positions(&bytes, &format!("team-{:02}", n % NAMESPACES), "team-".len());
            Shape { bytes, numbers, teams }
        };
        Self((0..SIZES).map(shape).collect())
    }

    /// The `n`-th.
    pub(crate) fn function(&self, n: u64) -> Vec<u8> {
        let remainder = usize::try_from(n % SIZES).unwrap_or_default();
        let Some(Shape { bytes, numbers, teams }) = self.0.get(remainder) else { return Vec::new() };
        let mut bytes = bytes.clone();
        let mut write = |places: &[usize], text: &str| {
            for place in places {
                if let Some(digits) = bytes.get_mut(*place..place + text.len()) {
                    digits.copy_from_slice(text.as_bytes());
                }
            }
        };
        write(numbers, &format!("{n:07}"));
        write(teams, &format!("{:02}", n % NAMESPACES));
        bytes
    }
}

fn positions(bytes: &[u8], text: &str, behind: usize) -> Vec<usize> {
    let windows = bytes.windows(text.len()).enumerate();
    windows.filter(|(_, window)| *window == text.as_bytes()).map(|(at, _)| at + behind).collect()
}

/// With a configuration of its own, so long that the whole has the size that it shall have.
fn padded(plain: Fixture, n: u64) -> Fixture {
    let bare = plain.build().encoded_len();
    // The frame of the configuration itself and the lengths around it take less than 50 bytes.
    let wanted = BYTES.start() + 50 + usize::try_from(n * 37 % SIZES).unwrap_or_default();
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

    #[test]
    fn an_encoded_function_is_the_one_of_its_number() {
        let encoded = Encoded::new("accept");
        for n in (0..1_000).chain(99_000..100_000) {
            let config = |function: &mut Component| {
                std::mem::take(&mut function.spec.as_mut().unwrap().user_config_json)
            };
            let (mut expected, bytes) = (function("accept", n), encoded.function(n));
            let mut found = Component::decode(&*bytes).unwrap();
            // The letters that fill it up are others.
            assert_eq!(config(&mut found).len(), config(&mut expected).len(), "{n}");
            assert_eq!(found, expected);
        }
    }
}
