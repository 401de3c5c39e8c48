//! Names and ids: parsed once at the door, so that no bare string names a thing further in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not the name it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} is not valid: {rule}")]
pub struct Invalid {
    /// What was being named, for example `tenant`.
    pub what: &'static str,
    /// The text at fault, cut to 128 characters.
    pub value: String,
    /// The rule it breaks, as a sentence fragment.
    pub rule: &'static str,
}

impl Invalid {
    fn new(what: &'static str, value: &str, rule: &'static str) -> Self {
        Self { what, value: value.chars().take(128).collect(), rule }
    }
}

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks `text` against the rule of this name.
            pub fn new(text: &str) -> Result<Self, Invalid> {
                match $check(text) {
                    Ok(()) => Ok(Self(text.into())),
                    Err(rule) => Err(Invalid::new($what, text, rule)),
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.into()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

/// Pulsar's rule for tenant and namespace (`NamedEntity`): letters, digits and `-=:._`.
fn named_entity(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it must not be empty");
    }
    if text.len() > 255 {
        return Err("it must have at most 255 bytes");
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'=' | b':' | b'.' | b'_');
    if text.bytes().all(allowed) { Ok(()) } else { Err("only letters, digits and - = : . _ are allowed") }
}

/// Kubernetes' rule for a DNS label, which clusters and PulsarClusters follow.
fn dns_label(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > 63 {
        return Err("it must have 1 to 63 characters");
    }
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    if !edge(bytes.first()) || !edge(bytes.last()) {
        return Err("it must start and end with a lower-case letter or digit");
    }
    if bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-') {
        Ok(())
    } else {
        Err("only lower-case letters, digits and - are allowed")
    }
}

/// One part (prefix or name) of a Kubernetes label key, or a label value.
fn label_part(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    text.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn label_key(text: &str) -> Result<(), &'static str> {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(p, n)| (Some(p), n));
    let prefix_ok = prefix.is_none_or(|p| {
        p.len() <= 253 && !p.is_empty() && p.split('.').all(|label| dns_label(label).is_ok())
    });
    if prefix_ok && label_part(name) {
        Ok(())
    } else {
        Err(
            "it must be [prefix/]name as in Kubernetes: letters, digits and - _ . with a letter or digit at both ends, at most 63 characters, the prefix a DNS name",
        )
    }
}

fn label_value(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || label_part(text) {
        Ok(())
    } else {
        Err("it must be empty or at most 63 letters, digits and - _ . with a letter or digit at both ends")
    }
}

text_name! {
    /// A Pulsar tenant.
    Tenant, "tenant", named_entity
}
text_name! {
    /// A Pulsar namespace, without its tenant.
    Namespace, "namespace", named_entity
}
text_name! {
    /// The name of a function, source or sink within its namespace. Pulsar's worker takes the same characters as for a
    /// namespace; the 43 characters of Function Mesh are a rule of that dialect, checked at admission.
    ComponentName, "name", named_entity
}
text_name! {
    /// The name of a cluster: a DNS label, because it stands in a certificate's URI and in object names.
    ClusterName, "cluster", dns_label
}
text_name! {
    /// The name of a PulsarCluster: a DNS label.
    PulsarClusterName, "pulsar cluster", dns_label
}
text_name! {
    /// A label key, by Kubernetes' rule.
    LabelKey, "label key", label_key
}
text_name! {
    /// A label value, by Kubernetes' rule.
    LabelValue, "label value", label_value
}
text_name! {
    /// The name of a caller: a user, a service account, a token.
    PrincipalName, "principal", named_entity
}

impl Tenant {
    /// The tenant of who names none; Pulsar has it from the start.
    pub const DEFAULT: &'static str = "public";
}

impl Namespace {
    /// The namespace of who names none; Pulsar has it from the start.
    pub const DEFAULT: &'static str = "default";
}

/// Labels of a cluster or a component.
pub type Labels = std::collections::BTreeMap<LabelKey, LabelValue>;

/// (tenant, namespace, name): unique over functions, sources and sinks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FullName {
    /// The Pulsar tenant.
    pub tenant: Tenant,
    /// The Pulsar namespace.
    pub namespace: Namespace,
    /// The component's name.
    pub name: ComponentName,
}

impl FullName {
    /// Parses the three parts; the first invalid one is reported.
    pub fn new(tenant: &str, namespace: &str, name: &str) -> Result<Self, Invalid> {
        Ok(Self {
            tenant: Tenant::new(tenant)?,
            namespace: Namespace::new(namespace)?,
            name: ComponentName::new(name)?,
        })
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.tenant, self.namespace, self.name)
    }
}

impl fmt::Debug for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for FullName {
    type Err = Invalid;
    /// Parses `tenant/namespace/name`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut parts = text.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(t), Some(ns), Some(n), None) => Self::new(t, ns, n),
            _ => Err(Invalid::new("full name", text, "it must be tenant/namespace/name")),
        }
    }
}

/// Identity of one creation: a component that is deleted and created again has another UID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Uid(pub Uuid);

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Uid {
    /// The 16 bytes, big-endian.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Reads 16 bytes as they come over the wire.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Invalid> {
        Uuid::from_slice(bytes).map(Self).map_err(|_| Invalid::new("uid", "", "it must be 16 bytes"))
    }
}

impl FromStr for Uid {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse().map(Self).map_err(|_| Invalid::new("uid", text, "it must be a UUID"))
    }
}

/// SHA-256 of a package's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = Invalid;
    /// Parses 64 hexadecimal digits, optionally after `sha256:`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong =
            || Invalid::new("digest", text, "it must be 64 hexadecimal digits, optionally after sha256:");
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        if hex.len() != 64 || !hex.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_name_round_trips_through_text() {
        let name: FullName = "public/default/greet".parse().unwrap();
        assert_eq!(name.to_string().parse::<FullName>().unwrap(), name);
    }

    #[test]
    fn a_name_with_a_slash_or_blank_is_refused_with_its_rule() {
        let refused = Tenant::new("a b").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "tenant \"a b\" is not valid: only letters, digits and - = : . _ are allowed"
        );
        assert!("a/b".parse::<FullName>().is_err() && "a/b/c/d".parse::<FullName>().is_err());
    }

    #[test]
    fn a_cluster_name_is_a_dns_label() {
        assert!(ClusterName::new("eu-1").is_ok());
        for bad in ["", "-a", "a-", "A", "a.b", &"x".repeat(64)] {
            assert!(ClusterName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn label_keys_follow_kubernetes() {
        for good in ["region", "topology.kubernetes.io/zone", "a_b.c"] {
            assert!(LabelKey::new(good).is_ok(), "{good}");
        }
        for bad in ["", "/x", "x/", "a/b/c", "-x", "UPPER.example/x/"] {
            assert!(LabelKey::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_digest_round_trips_and_takes_the_common_prefix() {
        let digest = Digest([0xab; 32]);
        assert_eq!(format!("sha256:{digest}").parse::<Digest>().unwrap(), digest);
        assert!("sha256:zz".parse::<Digest>().is_err());
    }
}
