//! Types and names as they are typed: `functions greet`, `function/greet`, `greet`, `acme/orders/greet`.

use clap::ValueEnum as _;
use isthmus_model::component::ComponentKind;
use isthmus_proto::common::v1::FullName;

use crate::args::{Only, Resource};
use crate::error::Error;
use crate::request::Scope;

impl Resource {
    /// The kinds of components that are meant; none of other resources.
    pub(crate) fn kinds(self) -> &'static [ComponentKind] {
        match self {
            Self::Functions => &[ComponentKind::Function],
            Self::Sources => &[ComponentKind::Source],
            Self::Sinks => &[ComponentKind::Sink],
            Self::All => &ComponentKind::ALL,
            Self::Clusters | Self::PulsarClusters | Self::Packages | Self::Tokens | Self::Bindings => &[],
        }
    }
}

/// The type that a word means.
pub(crate) fn resource(word: &str) -> Result<Resource, Error> {
    Resource::from_str(word, true).map_err(|_| {
        let known: Vec<_> =
            Resource::value_variants().iter().filter_map(clap::ValueEnum::to_possible_value).collect();
        let known: Vec<_> = known.iter().map(clap::builder::PossibleValue::get_name).collect();
        Error::Usage(format!(
            "there is no type of resources called {word:?}; there are: {}",
            known.join(", ")
        ))
    })
}

/// `TYPE [NAME...]` or `TYPE/NAME [TYPE/NAME...]`, all of one type.
pub(crate) fn typed(first: &str, rest: &[String]) -> Result<(Resource, Vec<String>), Error> {
    let Some((word, name)) = first.split_once('/') else { return Ok((resource(first)?, rest.to_vec())) };
    let meant = resource(word)?;
    let mut names = vec![name.to_owned()];
    for other in rest {
        match other.split_once('/') {
            Some((word, name)) if resource(word)? == meant => names.push(name.to_owned()),
            _ => return Err(Error::Usage(format!("{other:?} must be {word}/NAME, as {first:?} is"))),
        }
    }
    Ok((meant, names))
}

/// Whether `only` can be meant of these: a filter that was passed over in silence would show what was not asked for.
pub(crate) fn check(only: &Only, resource: Resource, names: &[String]) -> Result<(), Error> {
    let Only { selector, cluster } = only;
    if selector.is_empty() && cluster.is_empty() {
        return Ok(());
    }
    let components = !resource.kinds().is_empty();
    let wrong = if !names.is_empty() {
        "--selector and --cluster choose among all that there are; a name cannot be given as well"
    } else if !cluster.is_empty() && !components {
        "--cluster is for functions, sources and sinks"
    } else if !selector.is_empty() && !components && resource != Resource::Clusters {
        "--selector is for what has labels: functions, sources, sinks and clusters"
    } else {
        return Ok(());
    };
    Err(Error::Usage(wrong.to_owned()))
}

/// One resource: `TYPE NAME`, `TYPE/NAME`, or of a component only its `NAME`.
pub(crate) fn one(what: &[String]) -> Result<(Option<Resource>, String), Error> {
    match what {
        [word, name] => Ok((Some(resource(word)?), name.clone())),
        [one] => match one.split_once('/') {
            Some((word, name)) if Resource::from_str(word, true).is_ok() => {
                Ok((Some(resource(word)?), name.to_owned()))
            }
            _ => Ok((None, one.clone())),
        },
        _ => Err(Error::Usage("give TYPE NAME, TYPE/NAME or NAME".to_owned())),
    }
}

/// `NAME`, `NAMESPACE/NAME` or `TENANT/NAMESPACE/NAME`, the rest as the scope says.
pub(crate) fn full_name(scope: &Scope, text: &str) -> FullName {
    let mut parts = text.rsplitn(3, '/');
    let name = parts.next().unwrap_or_default().to_owned();
    let namespace = parts.next().map_or_else(|| scope.namespace.clone(), str::to_owned);
    let tenant = parts.next().map_or_else(|| scope.tenant.clone(), str::to_owned);
    FullName { tenant, namespace, name }
}

/// `tenant/namespace/name`.
pub(crate) fn shown(name: &FullName) -> String {
    format!("{}/{}/{}", name.tenant, name.namespace, name.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn a_type_has_kubectls_short_forms_and_a_slash_form() {
        assert_eq!(typed("fn", &words(&["a", "b"])).unwrap(), (Resource::Functions, words(&["a", "b"])));
        assert_eq!(typed("sink/a", &words(&["sinks/b"])).unwrap(), (Resource::Sinks, words(&["a", "b"])));
        assert!(typed("sink/a", &words(&["source/b"])).is_err());
        assert!(typed("pods", &[]).is_err());
    }

    #[test]
    fn a_filter_that_cannot_be_meant_is_refused() {
        let only =
            |selector: &str, cluster: &str| Only { selector: selector.into(), cluster: cluster.into() };
        let both = only("app=shop", "east");
        assert!(check(&both, Resource::All, &[]).is_ok());
        assert!(check(&only("zone=a", ""), Resource::Clusters, &[]).is_ok());
        assert!(check(&Only::default(), Resource::Tokens, &words(&["a"])).is_ok());
        for (only, resource, names) in [
            (&both, Resource::Functions, words(&["greet"])),
            (&both, Resource::Clusters, vec![]),
            (&only("app=shop", ""), Resource::PulsarClusters, vec![]),
            (&only("", "east"), Resource::Packages, vec![]),
        ] {
            assert!(check(only, resource, &names).is_err(), "{resource:?}");
        }
    }

    #[test]
    fn one_resource_may_be_named_without_its_type() {
        assert_eq!(one(&words(&["greet"])).unwrap(), (None, "greet".to_owned()));
        assert_eq!(one(&words(&["acme/orders/greet"])).unwrap(), (None, "acme/orders/greet".to_owned()));
        assert_eq!(one(&words(&["source/x"])).unwrap(), (Some(Resource::Sources), "x".to_owned()));
        assert_eq!(one(&words(&["cluster", "east"])).unwrap(), (Some(Resource::Clusters), "east".to_owned()));
    }

    #[test]
    fn a_name_may_bring_its_namespace_and_tenant() {
        let scope = Scope { tenant: "t".into(), namespace: "n".into(), tenant_was_typed: false };
        assert_eq!(shown(&full_name(&scope, "x")), "t/n/x");
        assert_eq!(shown(&full_name(&scope, "m/x")), "t/m/x");
        assert_eq!(shown(&full_name(&scope, "u/m/x")), "u/m/x");
    }
}
