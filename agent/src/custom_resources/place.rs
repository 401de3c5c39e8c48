//! Where a component's custom resource stands: Kubernetes namespace and name; pure, and the same for ever.
//!
//! A name must not depend on what else there is, or it would have to change when something comes. So each Kubernetes
//! namespace is the *home* of one Pulsar namespace at most, whose components keep their names where Kubernetes can take
//! them; all others have eight hexadecimal digits of their full name's SHA-256 at the end, and so has what looks like that.

use isthmus_model::component::ComponentKind;
use isthmus_model::name::{FullName, Namespace, Tenant};
use sha2::{Digest as _, Sha256};

use super::config::Config;

/// Function Mesh's bound: the workload's names are made of it, and some of them are labels.
const LONGEST: usize = 43;
/// Hexadecimal digits of the digest.
const DIGITS: usize = 8;

/// Which custom resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) kind: ComponentKind,
    pub(crate) namespace: Box<str>,
    pub(crate) name: Box<str>,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// The custom resource of a component.
pub(crate) fn place(config: &Config, kind: ComponentKind, component: &FullName) -> Key {
    let FullName { tenant, namespace, name } = component;
    let rule = config.rules.iter().find(|rule| {
        rule.tenant.as_ref().is_none_or(|own| own == tenant)
            && rule.namespace.as_ref().is_none_or(|own| own == namespace)
    });
    let to = rule.map_or(config.namespace.as_str(), |rule| rule.to.as_str());
    let plain = home(config, to) == Some((tenant.as_str(), namespace.as_str())) && fits(name.as_str());
    let name = if plain { name.to_string() } else { digested(component) };
    Key { kind, namespace: to.into(), name: name.into() }
}

/// The Pulsar namespace whose components have plain names there: the one of the first rule that names both its parts; of the
/// default namespace, where no such rule leads to it, what Pulsar calls the default.
fn home<'c>(config: &'c Config, to: &str) -> Option<(&'c str, &'c str)> {
    let mut rules = config.rules.iter().filter(|rule| rule.to == to);
    let exact =
        rules.find_map(|rule| Some((rule.tenant.as_ref()?.as_str(), rule.namespace.as_ref()?.as_str())));
    exact.or_else(|| (to == config.namespace).then_some((Tenant::DEFAULT, Namespace::DEFAULT)))
}

/// Whether Kubernetes takes the name for the workload's objects, and none with a digest can be the same.
fn fits(name: &str) -> bool {
    let bytes = name.as_bytes();
    let edges = bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.last().is_some_and(|last| last.is_ascii_lowercase() || last.is_ascii_digit());
    let looks_digested = name.rsplit_once('-').is_some_and(|(_, end)| {
        end.len() == DIGITS && end.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
    });
    edges && name.len() <= LONGEST && bytes.iter().all(|b| is_safe(*b)) && !looks_digested
}

fn digested(component: &FullName) -> String {
    let digest = hex::encode(Sha256::digest(component.to_string()));
    let lower = component.name.as_str().to_ascii_lowercase();
    let mut safe: String = lower.bytes().map(|b| if is_safe(b) { char::from(b) } else { '-' }).collect();
    // Services have names that begin with a letter.
    if !safe.starts_with(|first: char| first.is_ascii_lowercase()) {
        safe.insert(0, 'f');
    }
    safe.truncate(LONGEST - DIGITS - 1);
    format!("{}-{}", safe.trim_end_matches('-'), digest.get(..DIGITS).unwrap_or_default())
}

fn is_safe(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::custom_resources::config::Rule;

    fn at(config: &Config, full: &str) -> (String, String) {
        let Key { namespace, name, .. } = place(config, ComponentKind::Function, &full.parse().unwrap());
        (namespace.into(), name.into())
    }

    fn name(full: &str) -> String {
        at(&Config::default(), full).1
    }

    #[test]
    fn the_default_namespace_keeps_names_and_all_others_get_a_digest() {
        assert_eq!(at(&Config::default(), "public/default/greet"), ("default".into(), "greet".into()));
        let digested = name("shop/orders/greet");
        assert!(digested.starts_with("greet-") && digested.len() == "greet-".len() + DIGITS, "{digested}");
        assert_ne!(digested, name("shop/bills/greet"));
    }

    #[test]
    fn names_that_kubernetes_does_not_take_get_a_digest() {
        for (of, start) in [("Greet_It.all", "greet-it-all-"), ("1st", "f1st-"), ("-", "f-"), ("a-", "a-")] {
            let name = name(&format!("public/default/{of}"));
            assert!(name.starts_with(start) && name.len() == start.len() + DIGITS, "{name}");
        }
        assert_eq!(name(&format!("public/default/{}", "x".repeat(43))).len(), 43);
        let long = name(&format!("public/default/{}", "x".repeat(44)));
        assert!(long.len() == LONGEST && long.contains('-'), "{long}");
    }

    #[test]
    fn what_looks_like_a_name_with_a_digest_gets_one_of_its_own() {
        let other = name("shop/orders/greet");
        assert_ne!(name(&format!("public/default/{other}")), other);
    }

    #[test]
    fn rules_lead_to_namespaces_and_a_rule_that_names_both_parts_keeps_names() {
        let rule = |tenant: &str, namespace: Option<&str>, to: &str| Rule {
            tenant: Some(Tenant::new(tenant).unwrap()),
            namespace: namespace.map(|namespace| Namespace::new(namespace).unwrap()),
            to: to.to_owned(),
        };
        let rules = vec![rule("shop", Some("orders"), "orders"), rule("shop", None, "shop")];
        let config = Config { namespace: "rest".to_owned(), rules, ..Config::default() };
        assert_eq!(at(&config, "shop/orders/greet"), ("orders".into(), "greet".into()));
        assert_eq!(at(&config, "shop/bills/greet").0, "shop");
        assert_ne!(at(&config, "shop/bills/greet").1, "greet");
        assert_eq!(at(&config, "public/default/greet"), ("rest".into(), "greet".into()));
        assert_eq!(config.namespaces(), ["orders", "rest", "shop"]);
    }

    proptest! {
        #[test]
        fn every_name_is_a_label_that_begins_with_a_letter(full in "[a-z]{1,3}/[a-z]{1,3}/[-=:.\\w&&[\\x00-\\x7f]]{1,80}") {
            let name = name(&full);
            prop_assert!(name.len() <= LONGEST);
            prop_assert!(name.bytes().all(is_safe) && !name.ends_with('-'));
            prop_assert!(name.starts_with(|first: char| first.is_ascii_lowercase()));
        }
    }
}
