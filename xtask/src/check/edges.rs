//! Which top-level module of a crate names something of which other one, and where that goes round in a circle.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::sources::{Source, Sources};

/// All that one module uses, in the order in which the crate lists its modules.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edges {
    module: String,
    targets: Vec<Target>,
}

#[derive(Debug, PartialEq, Eq)]
struct Target {
    name: String,
    /// Whether it uses, directly or through others, the module that uses it.
    leads_back: bool,
}

impl fmt::Display for Edges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ->", self.module)?;
        for Target { name, leads_back } in &self.targets {
            write!(f, " {}{name}", if *leads_back { "circle:" } else { "" })?;
        }
        Ok(())
    }
}

/// The edges of a crate, in the order of its modules; a module that uses no other is left out.
pub(super) fn of(sources: &Sources) -> Vec<Edges> {
    let listed = sources.listed();
    let used = used(sources.main(), listed);
    let name = |index: &usize| listed.get(*index).cloned().unwrap_or_default();
    used.iter()
        .map(|(from, targets)| Edges {
            module: name(from),
            targets: targets
                .iter()
                .map(|target| Target { name: name(target), leads_back: reaches(&used, *target, *from) })
                .collect(),
        })
        .collect()
}

/// Modules as places in `listed`: each with those that it uses.
type Used = BTreeMap<usize, BTreeSet<usize>>;

fn used<'a>(sources: impl Iterator<Item = &'a Source> + Clone, listed: &[String]) -> Used {
    let place = |name: &String| listed.iter().position(|other| other == name);
    // `crate::Name` is a use of the module from which the root re-exports it.
    let exported: BTreeMap<&String, usize> = sources
        .clone()
        .filter(|source| source.module.is_empty())
        .flat_map(|root| &root.said.exported)
        .filter_map(|(name, path)| Some((name, place(path.first()?)?)))
        .collect();
    let mut used = Used::new();
    for source in sources {
        let Some(from) = source.module.first().and_then(place) else { continue };
        for head in source.said.paths.iter().filter_map(|path| path.first()) {
            let target = place(head).or_else(|| exported.get(head).copied());
            if let Some(target) = target.filter(|target| *target != from) {
                used.entry(from).or_default().insert(target);
            }
        }
    }
    used
}

fn reaches(used: &Used, from: usize, to: usize) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(next) = open.pop() {
        if next == to {
            return true;
        }
        if seen.insert(next) {
            open.extend(used.get(&next).into_iter().flatten());
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{super::tokens, *};

    fn source(module: &str, text: &str) -> Source {
        let module: Vec<String> =
            module.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let said = tokens::read(text, &module).unwrap();
        Source { module, said, documented: true }
    }

    #[test]
    fn a_name_that_the_root_exports_is_an_edge_to_its_module() {
        let listed = ["api", "store"].map(str::to_owned);
        let sources = [source("", "pub use store::Store;"), source("api::deep", "use crate::Store;")];

        assert_eq!(used(sources.iter(), &listed), Used::from([(0, BTreeSet::from([1]))]));
    }

    #[test]
    fn a_circle_is_seen_through_other_modules() {
        let used = Used::from([(0, BTreeSet::from([1])), (1, BTreeSet::from([2])), (2, BTreeSet::from([0]))]);

        assert!(reaches(&used, 1, 0));
        assert!(!reaches(&Used::from([(0, BTreeSet::from([1]))]), 1, 0));
    }
}
