//! A package's source files as the modules that they are, found by following the declarations from each root.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{
    tokens::{self, Said},
    workspace::Package,
};

/// One file.
#[derive(Debug)]
pub(super) struct Source {
    /// Its place in the tree of modules; a root's is empty.
    pub(super) module: Vec<String>,
    pub(super) said: Said,
    /// Whether it says why it exists.
    pub(super) documented: bool,
}

/// All files of a package.
#[derive(Debug)]
pub(super) struct Sources {
    /// Those that are reached, in the order of declaration, by the root from which they are.
    by_root: Vec<BTreeMap<PathBuf, Source>>,
    /// Top-level modules of the first root, in order of declaration.
    listed: Vec<String>,
    /// All that lie in the package's directory.
    present: BTreeSet<PathBuf>,
}

impl Sources {
    /// Reads a package.
    pub(super) fn of(package: &Package) -> Result<Self> {
        let mut by_root = Vec::new();
        for root in &package.roots {
            let mut found = BTreeMap::new();
            follow(&mut found, root, &[], true)?;
            by_root.push(found);
        }
        let first = by_root.first().zip(package.roots.first()).and_then(|(files, root)| files.get(root));
        let listed =
            first.map(|root| root.said.declared.iter().filter_map(|path| path.first().cloned()).collect());
        let mut present = BTreeSet::new();
        list(&mut present, &package.dir)?;
        Ok(Self { by_root, listed: listed.unwrap_or_default(), present })
    }

    /// The files of the first root (the library, where there is one), without those that only tests see.
    pub(super) fn main(&self) -> impl Iterator<Item = &Source> + Clone {
        let is_test = |source: &&Source| source.module.iter().any(|name| name == "tests");
        self.by_root.first().into_iter().flat_map(BTreeMap::values).filter(move |source| !is_test(source))
    }

    /// The top-level modules in the order in which they are listed.
    pub(super) fn listed(&self) -> &[String] {
        &self.listed
    }

    /// Files that are there and that no declaration leads to.
    pub(super) fn orphans(&self) -> impl Iterator<Item = &Path> {
        let reached = |file: &&PathBuf| self.by_root.iter().any(|files| files.contains_key(*file));
        self.present.iter().filter(move |file| !reached(file)).map(PathBuf::as_path)
    }

    /// Files that do not say why they exist. A module's `tests.rs` need not: the module does.
    pub(super) fn without_docs(&self) -> impl Iterator<Item = &Path> {
        let silent =
            |source: &Source| !source.documented && source.module.last().is_none_or(|name| name != "tests");
        self.by_root
            .iter()
            .flatten()
            .filter(move |(_, source)| silent(source))
            .map(|(file, _)| file.as_path())
    }
}

fn follow(
    found: &mut BTreeMap<PathBuf, Source>,
    file: &Path,
    module: &[String],
    is_root: bool,
) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let said = tokens::read(&text, module).with_context(|| format!("read {}", file.display()))?;
    let declared = said.declared.clone();
    let source = Source {
        module: module.to_vec(),
        said,
        documented: text.lines().any(|line| line.starts_with("//!")),
    };
    found.insert(file.to_owned(), source);

    let dir = if is_root || file.file_name().is_some_and(|name| name == "mod.rs") {
        file.parent().map(Path::to_owned).unwrap_or_default()
    } else {
        file.with_extension("")
    };
    for path in declared {
        let place = path.iter().fold(dir.clone(), |place, name| place.join(name));
        let candidates = [place.with_extension("rs"), place.join("mod.rs")];
        let Some(next) = candidates.iter().find(|candidate| candidate.is_file()) else {
            bail!("{} declares the module {}, which has no file", file.display(), path.join("::"));
        };
        let module: Vec<String> = module.iter().cloned().chain(path).collect();
        follow(found, next, &module, false)?;
    }
    Ok(())
}

/// Rust files below `dir`, without those of packages that lie inside.
fn list(present: &mut BTreeSet<PathBuf>, dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let path = entry.with_context(|| format!("list {}", dir.display()))?.path();
        if path.is_dir() {
            let foreign =
                path.join("Cargo.toml").exists() || path.file_name().is_some_and(|name| name == "target");
            if !foreign {
                list(present, &path)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            present.insert(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(files: &[(&str, &str)]) -> (tempfile::TempDir, Package) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = dir.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let package = Package {
            name: "sample".to_owned(),
            dir: dir.path().to_owned(),
            roots: vec![dir.path().join("src/lib.rs")],
            uses: Vec::new(),
            tests_use: Vec::new(),
            brings: Vec::new(),
        };
        (dir, package)
    }

    #[test]
    fn a_file_that_no_module_declares_is_an_orphan() {
        let files = [
            ("src/lib.rs", "//! Why.\nmod a;"),
            ("src/a.rs", "//! Why.\nmod b;"),
            ("src/a/b.rs", "//! Why."),
            ("src/c.rs", ""),
        ];
        let (dir, package) = package(&files);

        let sources = Sources::of(&package).unwrap();

        assert_eq!(sources.orphans().collect::<Vec<_>>(), [dir.path().join("src/c.rs")]);
    }

    #[test]
    fn a_module_that_does_not_say_why_it_exists_is_named() {
        let files = [
            ("src/lib.rs", "//! Why.\nmod a;"),
            ("src/a.rs", "/// Not why.\nfn f() {}\n#[cfg(test)]\nmod tests;"),
            ("src/a/tests.rs", ""),
        ];
        let (dir, package) = package(&files);

        let sources = Sources::of(&package).unwrap();

        assert_eq!(sources.without_docs().collect::<Vec<_>>(), [dir.path().join("src/a.rs")]);
    }
}
