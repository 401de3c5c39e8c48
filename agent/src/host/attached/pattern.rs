//! Which topics a pattern takes in, as Pulsar's consumers of patterns see it.
//!
//! The scheme is left out of both, the whole rest of a name must match, partitions of a topic count as the topic, and what the
//! system keeps beside the users' topics is left out.

use isthmus_pulsar::topic::{NamespaceName, TopicName};
use regex::Regex;

/// A pattern, with the namespace in which its topics are.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) namespace: NamespaceName,
    whole: Regex,
}

/// Why a pattern says nothing here.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its namespace is none.
    #[error("it names no namespace")]
    Namespace(#[source] isthmus_pulsar::topic::Error),
    /// Java's expressions can do more than is understood here.
    #[error("its expression is not understood")]
    Expression(#[source] regex::Error),
}

impl Pattern {
    /// `tenant/namespace/expression`, with or without a scheme; an expression alone is of `public/default`.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let bare = text.split_once("://").map_or(text, |(_, bare)| bare);
        let mut parts = bare.splitn(3, '/');
        let (namespace, whole) = match (parts.next(), parts.next(), parts.next()) {
            (Some(tenant), Some(namespace), Some(_)) => (format!("{tenant}/{namespace}"), bare.to_owned()),
            _ => ("public/default".to_owned(), format!("public/default/{bare}")),
        };
        Ok(Self {
            namespace: namespace.parse().map_err(Error::Namespace)?,
            whole: Regex::new(&format!("^(?:{whole})$")).map_err(Error::Expression)?,
        })
    }

    /// Whether the topic is one of the pattern's.
    pub(super) fn takes(&self, topic: &TopicName) -> bool {
        !topic.local().starts_with("__")
            && self.whole.is_match(&format!("{}/{}", topic.namespace(), topic.local()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(pattern: &str, topic: &str) -> bool {
        Pattern::parse(pattern).unwrap().takes(&topic.parse().unwrap())
    }

    #[test]
    fn a_pattern_takes_what_matches_as_a_whole() {
        for pattern in ["persistent://public/default/in-.*", "public/default/in-.*", "in-.*"] {
            assert!(takes(pattern, "persistent://public/default/in-1"), "{pattern}");
            assert!(!takes(pattern, "persistent://public/default/begin-1"), "{pattern}");
        }
        assert!(!takes("in-[0-9]", "persistent://public/default/in-10"));
        assert!(!takes("a|b", "persistent://public/default/ab"));
    }

    #[test]
    fn topics_of_the_system_are_nobody_s_input() {
        assert!(!takes(".*", "persistent://public/default/__change_events"));
    }

    #[test]
    fn the_namespace_is_the_pattern_s_own() {
        let pattern = Pattern::parse("persistent://acme/orders/(a|b)").unwrap();
        assert_eq!(pattern.namespace.to_string(), "acme/orders");
        assert!(matches!(Pattern::parse("in-(?!x).*"), Err(Error::Expression(_))), "Java only");
    }
}
