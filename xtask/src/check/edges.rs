//! Which top-level module of a crate names something of which other one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::sources::Sources;

/// All that one module uses, in the order in which the crate lists its modules.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edges {
    module: String,
    down: Vec<String>,
    /// Listed before the module itself: against the flow.
    up: Vec<String>,
}

impl fmt::Display for Edges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ->", self.module)?;
        for name in &self.down {
            write!(f, " {name}")?;
        }
        for name in &self.up {
            write!(f, " up:{name}")?;
        }
        Ok(())
    }
}

/// The edges of a crate, in the order of its modules; a module that uses no other is left out.
pub(super) fn of(sources: &Sources) -> Vec<Edges> {
    let listed = sources.listed();
    let place = |name: &String| listed.iter().position(|other| other == name);
    let exported: BTreeMap<&String, &String> = sources
        .main()
        .filter(|source| source.module.is_empty())
        .flat_map(|root| &root.said.exported)
        .filter_map(|(name, path)| Some((name, path.first().filter(|first| place(first).is_some())?)))
        .collect();

    let mut used: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for source in sources.main() {
        let Some(from) = source.module.first().and_then(place) else { continue };
        for head in source.said.paths.iter().filter_map(|path| path.first()) {
            let target = place(head).or_else(|| place(exported.get(head)?));
            if let Some(target) = target.filter(|target| *target != from) {
                used.entry(from).or_default().insert(target);
            }
        }
    }
    let name = |index: &usize| listed.get(*index).cloned().unwrap_or_default();
    used.into_iter()
        .map(|(from, targets)| {
            let (up, down): (Vec<usize>, Vec<usize>) = targets.into_iter().partition(|target| *target < from);
            Edges {
                module: name(&from),
                down: down.iter().map(name).collect(),
                up: up.iter().map(name).collect(),
            }
        })
        .collect()
}
