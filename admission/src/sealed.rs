//! Secrets that travel with a component: each that its spec does not name elsewhere, and no other.

use isthmus_model::component::Spec;
use isthmus_model::name::FullName;
use isthmus_model::reason::Reason;

use crate::Facts;
use crate::report::Report;

pub(crate) fn check(name: Option<&FullName>, spec: &Spec, facts: &impl Facts, report: &mut Report) {
    let given = name.and_then(|name| facts.sealed(name));
    let mut needed = spec.secrets.iter().filter(|(_, secret)| secret.is_sealed()).peekable();
    let there = match (&given, needed.peek()) {
        (None, Some(_)) => name.and_then(|name| facts.kept(name)),
        _ => given.clone(),
    };
    for (secret, _) in needed {
        if there.as_ref().is_none_or(|there| !there.values.contains_key(secret)) {
            let message = "nothing is sealed under this name: seal its value with the request (isthmus apply --secret-file or \
                           --secret-env), or name a Secret that exists where the component runs by path and key";
            report.missing(format!("spec.secrets[{secret}]"), message);
        }
    }
    for secret in given.iter().flat_map(|given| given.values.keys()) {
        let field = || format!("sealedSecrets.values[{secret}]");
        match spec.secrets.get(secret) {
            None => {
                let message =
                    "the component has no secret of this name; list it among its secrets, or do not seal it";
                report.add(field(), Reason::ConflictingFields, message, secret);
            }
            Some(named) if !named.is_sealed() => {
                let message = "the component names the Secret that has this one; leave out path and key, or do not seal it";
                report.add(field(), Reason::ConflictingFields, message, secret);
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use isthmus_model::component::SecretRef;
    use isthmus_model::name::Digest;
    use isthmus_model::sealed::{SealedSecrets, SealedValue};

    use super::*;

    /// What came with the request, and what the component had before.
    struct Came(Option<Arc<SealedSecrets>>, Option<Arc<SealedSecrets>>);

    impl Facts for Came {
        fn stores(&self, _: &Digest) -> bool {
            true
        }

        fn file(&self, _: &Digest) -> String {
            String::new()
        }

        fn sealed(&self, _: &FullName) -> Option<Arc<SealedSecrets>> {
            self.0.clone()
        }

        fn kept(&self, _: &FullName) -> Option<Arc<SealedSecrets>> {
            self.1.clone()
        }
    }

    fn sealed(names: &[&str]) -> Arc<SealedSecrets> {
        let value = SealedValue { nonce: [0; 12], ciphertext: vec![0; 16].into() };
        let values = names.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
        Arc::new(SealedSecrets { keys: [].into(), values: Arc::new(values) })
    }

    fn wrong(secrets: &[(&str, &str)], came: &Came) -> Vec<String> {
        let named = |(name, path): &(&str, &str)| {
            ((*name).to_owned(), SecretRef { path: (*path).into(), key: (*path).into() })
        };
        let spec = Spec { secrets: secrets.iter().map(named).collect(), ..Spec::default() };
        let mut report = Report::default();
        check(Some(&"public/default/greet".parse().unwrap()), &spec, came, &mut report);
        let violations = report.into_violations().into_iter();
        violations.map(|violation| format!("{} {}", violation.field, violation.reason)).collect()
    }

    #[test]
    fn what_is_sealed_and_named_passes_and_so_does_what_exists_there() {
        assert!(wrong(&[("A", ""), ("B", "db")], &Came(Some(sealed(&["A"])), None)).is_empty());
        assert!(wrong(&[("B", "db")], &Came(None, None)).is_empty());
    }

    #[test]
    fn everything_that_is_missing_or_too_much_is_said_at_once() {
        let came = Came(Some(sealed(&["A", "NAMED", "UNUSED"])), Some(sealed(&["C"])));
        assert_eq!(
            wrong(&[("A", ""), ("B", ""), ("C", ""), ("NAMED", "db")], &came),
            [
                "spec.secrets[B] MissingField",
                "spec.secrets[C] MissingField",
                "sealedSecrets.values[NAMED] ConflictingFields",
                "sealedSecrets.values[UNUSED] ConflictingFields",
            ]
        );
    }

    #[test]
    fn what_was_sealed_before_stays_and_what_is_not_needed_any_more_is_no_fault() {
        let before = Came(None, Some(sealed(&["A", "B"])));
        assert!(wrong(&[("A", "")], &before).is_empty());
        assert!(wrong(&[], &before).is_empty());
        assert_eq!(wrong(&[("C", "")], &before), ["spec.secrets[C] MissingField"]);
    }
}
