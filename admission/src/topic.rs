//! Names of topics, by the rule that Function Mesh and Pulsar share, without a regular expression.

/// The rule in words.
pub(crate) const RULE: &str = "a topic must be topic, tenant/namespace/topic or persistent://tenant/namespace/topic (or non-persistent://), the tenant and namespace of letters, digits and - = : . _";

/// Whether `text` names a topic, or is a pattern over topics of one namespace.
pub(crate) fn is_valid(text: &str) -> bool {
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return false;
    }
    let Some((domain, rest)) = text.split_once("://") else {
        return match text.split('/').count() {
            1 => !text.is_empty(),
            3 => in_namespace(text),
            _ => false,
        };
    };
    matches!(domain, "persistent" | "non-persistent") && in_namespace(rest)
}

/// `tenant/namespace/topic`, in which the topic may hold further slashes.
fn in_namespace(text: &str) -> bool {
    let mut parts = text.splitn(3, '/');
    let entity = |part: Option<&str>| {
        part.is_some_and(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'=' | b':' | b'.' | b'_'))
        })
    };
    entity(parts.next()) && entity(parts.next()) && parts.next().is_some_and(|topic| !topic.is_empty())
}

/// Whether two names mean the same topic: a short name is in `public/default`, and persistent goes without saying.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one == other || full(one) == full(other)
}

/// Domain, namespace or nothing for `public/default`, and what is left.
fn full(text: &str) -> (&str, Option<&str>, &str) {
    let (domain, rest) = text.split_once("://").unwrap_or(("persistent", text));
    let rest = rest.strip_prefix("public/default/").unwrap_or(rest);
    let topic_at = rest.match_indices('/').nth(1).map(|(at, _)| at);
    match topic_at.and_then(|at| rest.split_at_checked(at)) {
        Some((namespace, topic)) => (domain, Some(namespace), topic.trim_start_matches('/')),
        None => (domain, None, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_short_in_a_namespace_or_full() {
        for good in [
            "in",
            "t/n/topic",
            "persistent://t/n/topic",
            "non-persistent://t/n/a/b",
            "persistent://t-1/n.a=b:c/orders-.*",
            "topic-with-ünicode",
        ] {
            assert!(is_valid(good), "{good}");
        }
        for bad in [
            "",
            "a/b",
            "a/b/c/d",
            "persistent://only/two",
            "persistent://t//x",
            "persistent://t/n/",
            "kafka://t/n/x",
            "persistent://t t/n/x",
            "in put",
            "a\n",
            "://t/n/x",
        ] {
            assert!(!is_valid(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_short_name_means_its_full_one() {
        assert!(same("in", "persistent://public/default/in"));
        assert!(same("t/n/x", "persistent://t/n/x"));
        assert!(!same("in", "non-persistent://public/default/in"));
        assert!(!same("in", "in2") && !same("t/n/x", "t/n/y"));
    }
}
