//! Names of topics and namespaces, as Pulsar reads them.
//!
//! `persistent://tenant/namespace/local` is the full form; `tenant/namespace/local` and `local` are short for it, in
//! the default tenant `public` and namespace `default`. A partition of a partitioned topic has `-partition-N` at the
//! end of its local name. The old form with a cluster in it (`persistent://tenant/cluster/namespace/local`), which
//! Pulsar no longer creates, is refused.

use std::fmt;
use std::str::FromStr;

/// Where a namespace is when its name does not say it.
const DEFAULT: (&str, &str) = ("public", "default");

/// What stands before the number of a partition.
const PARTITION: &str = "-partition-";

/// Whether messages outlive their delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// They are stored until acknowledged.
    Persistent,
    /// They are not stored.
    NonPersistent,
}

impl Domain {
    /// As in names and URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Persistent => "persistent",
            Self::NonPersistent => "non-persistent",
        }
    }
}

/// A name that Pulsar would refuse, or that no URL can carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no name of a {of}: {problem}")]
pub struct Error {
    name: String,
    of: &'static str,
    problem: &'static str,
}

/// `tenant/namespace`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespaceName {
    tenant: String,
    namespace: String,
}

impl NamespaceName {
    /// The tenant.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The namespace within the tenant.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

impl FromStr for NamespaceName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let refuse = |problem| Error { name: name.to_owned(), of: "namespace", problem };
        let parts: Vec<&str> = name.split('/').collect();
        let [tenant, namespace] = *parts.as_slice() else { return Err(refuse("expected tenant/namespace")) };
        entity(tenant).and_then(|()| entity(namespace)).map_err(refuse)?;
        Ok(Self { tenant: tenant.to_owned(), namespace: namespace.to_owned() })
    }
}

impl fmt::Display for NamespaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.namespace)
    }
}

/// The full name of a topic, or of one partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName {
    domain: Domain,
    namespace: NamespaceName,
    local: String,
}

impl TopicName {
    /// Whether it stores its messages.
    pub fn domain(&self) -> Domain {
        self.domain
    }

    /// Where it is.
    pub fn namespace(&self) -> &NamespaceName {
        &self.namespace
    }

    /// Its name within the namespace, with the partition if it names one.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// Which partition it names, if it names one.
    pub fn partition_index(&self) -> Option<u32> {
        let (_, digits) = self.local.rsplit_once(PARTITION)?;
        // `-partition-01` is a topic of its own: Pulsar writes no leading zeros.
        digits.parse().ok().filter(|index: &u32| index.to_string() == digits)
    }

    /// The topic that this is a partition of; itself when it is none.
    #[must_use]
    pub fn partitioned(&self) -> Self {
        let local = match self.partition_index().and_then(|_| self.local.rsplit_once(PARTITION)) {
            Some((local, _)) if !local.is_empty() => local,
            _ => &self.local,
        };
        Self { local: local.to_owned(), ..self.clone() }
    }

    /// The `index`-th partition of this topic; itself when it is a partition already.
    #[must_use]
    pub fn partition(&self, index: u32) -> Self {
        match self.partition_index() {
            Some(_) => self.clone(),
            None => Self { local: format!("{}{PARTITION}{index}", self.local), ..self.clone() },
        }
    }
}

impl FromStr for TopicName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let refuse = |problem| Error { name: name.to_owned(), of: "topic", problem };
        let (domain, rest) = match name.split_once("://") {
            Some(("persistent", rest)) => (Domain::Persistent, Some(rest)),
            Some(("non-persistent", rest)) => (Domain::NonPersistent, Some(rest)),
            Some(_) => return Err(refuse("it begins with neither persistent:// nor non-persistent://")),
            None => (Domain::Persistent, None),
        };
        let parts: Vec<&str> = rest.unwrap_or(name).split('/').collect();
        let (tenant, namespace, local) = match (parts.as_slice(), rest) {
            (&[tenant, namespace, local], _) => (tenant, namespace, local),
            (&[local], None) => (DEFAULT.0, DEFAULT.1, local),
            ([_, _, _, _], Some(_)) => return Err(refuse("names with a cluster in them are not supported")),
            (_, Some(_)) => return Err(refuse("expected domain://tenant/namespace/topic")),
            (_, None) => return Err(refuse("expected topic or tenant/namespace/topic")),
        };
        entity(tenant).and_then(|()| entity(namespace)).and_then(|()| speakable(local)).map_err(refuse)?;
        let namespace = NamespaceName { tenant: tenant.to_owned(), namespace: namespace.to_owned() };
        Ok(Self { domain, namespace, local: local.to_owned() })
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{}", self.domain.as_str(), self.namespace, self.local)
    }
}

/// What Pulsar takes as a tenant or a namespace: letters, digits and `-=:._`.
fn entity(name: &str) -> Result<(), &'static str> {
    speakable(name)?;
    let allowed = |char: char| char.is_ascii_alphanumeric() || "-=:._".contains(char);
    if name.chars().all(allowed) {
        Ok(())
    } else {
        Err("tenant and namespace are letters, digits and -=:._ only")
    }
}

/// What can be a segment of a URL's path: not empty, and not one of the two that a path swallows.
pub(crate) fn speakable(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("a part of it is empty"),
        "." | ".." => Err("a part of it is . or .., which no URL can carry"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> TopicName {
        name.parse().unwrap()
    }

    #[test]
    fn short_names_are_short_for_full_ones() {
        for (short, full) in [
            ("in", "persistent://public/default/in"),
            ("acme/sales/in", "persistent://acme/sales/in"),
            ("persistent://acme/sales/in", "persistent://acme/sales/in"),
            ("non-persistent://acme/sales/in", "non-persistent://acme/sales/in"),
            ("with blanks & ü", "persistent://public/default/with blanks & ü"),
        ] {
            assert_eq!(topic(short).to_string(), full);
            assert_eq!(topic(full), topic(short));
        }
    }

    #[test]
    fn a_partition_knows_its_topic_and_a_topic_its_partitions() {
        let parent = topic("acme/sales/in");
        let third = parent.partition(3);
        assert_eq!(third.to_string(), "persistent://acme/sales/in-partition-3");
        assert_eq!((parent.partition_index(), third.partition_index()), (None, Some(3)));
        assert_eq!((third.partitioned(), parent.partitioned()), (parent.clone(), parent));
        assert_eq!(third.partition(1), third);
    }

    #[test]
    fn what_only_looks_like_a_partition_is_a_topic() {
        for local in [
            "in-partition-",
            "in-partition-x",
            "in-partition-01",
            "in-partition--1",
            "in-partition-99999999999",
        ] {
            assert_eq!(topic(local).partition_index(), None, "{local}");
            assert_eq!(topic(local).partitioned(), topic(local));
        }
        assert_eq!(topic("a-partition-1-partition-2").partition_index(), Some(2));
    }

    #[test]
    fn a_wrong_name_is_refused_with_what_is_wrong() {
        for (name, problem) in [
            ("", "empty"),
            ("acme/in", "expected topic or tenant/namespace/topic"),
            ("acme/sales/", "empty"),
            ("acme//in", "empty"),
            ("acme/../in", "no URL"),
            ("ac me/sales/in", "letters, digits"),
            ("persistent://in", "expected domain://"),
            ("persistent://acme/us/sales/in", "cluster"),
            ("http://acme/sales/in", "neither persistent"),
        ] {
            let refused = name.parse::<TopicName>().unwrap_err().to_string();
            assert!(refused.contains(problem), "{name:?}: {refused}");
        }
        "acme".parse::<NamespaceName>().unwrap_err();
        assert_eq!("acme/sales".parse::<NamespaceName>().unwrap().to_string(), "acme/sales");
    }
}
