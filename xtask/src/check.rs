//! `cargo xtask check`: the shape of the tree, held fast. Which crate and which module uses which is printed and compared with
//! a reviewed file, so that a new edge is a line in a diff; a source file that no module declares, or that does not say why it
//! exists, is an error.

mod workspace;
mod sources;
mod tokens;
mod edges;

use std::{fmt::Write, path::Path};

use anyhow::{Context, Result};

use sources::Sources;
use workspace::Package;

/// The reviewed edges, from the root of the repository.
const GOLDEN: &str = "xtask/edges.txt";

/// Checks the tree and tells what is wrong; with `bless`, takes the edges as they are for reviewed.
pub(crate) fn run(root: &Path, bless: bool) -> Result<bool> {
    let packages = workspace::packages(root)?;
    let mut printed = String::from(HEADER);
    let mut faults = Vec::new();
    for package in &packages {
        let sources = Sources::of(package)?;
        faults
            .extend(sources.orphans().map(|file| format!("{} is declared by no module", shown(root, file))));
        let silent =
            sources.without_docs().map(|file| format!("{} does not begin with //!", shown(root, file)));
        faults.extend(silent);
        print(&mut printed, package, &sources)?;
    }
    if bless {
        std::fs::write(root.join(GOLDEN), &printed).with_context(|| format!("write {GOLDEN}"))?;
    } else {
        let reviewed =
            std::fs::read_to_string(root.join(GOLDEN)).with_context(|| format!("read {GOLDEN}"))?;
        faults.extend(differences(&reviewed, &printed));
    }
    for fault in &faults {
        eprintln!("error: {fault}");
    }
    Ok(faults.is_empty())
}

const HEADER: &str = "\
# Who uses whom: printed by `cargo xtask check --bless`, compared by `cargo xtask check`, reviewed by people.
#
#   uses     crates of ours that this crate depends on (tests: only its tests)
#   brings   dependencies that only few crates may have
#   a -> b   module a names something of module b; `circle:` where b leads back to a
";

fn print(printed: &mut String, package: &Package, sources: &Sources) -> Result<()> {
    writeln!(printed, "\n{}", package.name)?;
    for (word, names) in
        [("uses", &package.uses), ("tests use", &package.tests_use), ("brings", &package.brings)]
    {
        if !names.is_empty() {
            writeln!(printed, "  {word} {}", names.join(" "))?;
        }
    }
    for edge in edges::of(sources) {
        writeln!(printed, "  {edge}")?;
    }
    Ok(())
}

/// One line for each edge that is new or gone, under the crate it belongs to.
fn differences(reviewed: &str, printed: &str) -> Vec<String> {
    let (reviewed, printed) = (lines(reviewed), lines(printed));
    let new =
        printed.iter().filter(|line| !reviewed.contains(line)).map(|(of, line)| format!("{of}: new: {line}"));
    let gone = reviewed
        .iter()
        .filter(|line| !printed.contains(line))
        .map(|(of, line)| format!("{of}: gone: {line}"));
    let mut all: Vec<String> = new.chain(gone).collect();
    if !all.is_empty() {
        all.push(format!("{GOLDEN} is not what the tree is; if it shall be: cargo xtask check --bless"));
    }
    all
}

/// Every line with the crate that it stands under.
fn lines(edges: &str) -> Vec<(&str, &str)> {
    let mut of = "";
    let mut all = Vec::new();
    for line in edges.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("  ") {
            Some(edge) => all.push((of, edge)),
            None => of = line,
        }
    }
    all
}

fn shown(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_that_is_new_and_one_that_is_gone_are_both_told_with_their_crate() {
        let reviewed = "# comment\n\ngateway\n  api -> auth\n  api -> store\n\nagent\n  link -> inbox\n";
        let printed = "\ngateway\n  api -> auth\n\nagent\n  link -> inbox\n  api -> store\n";

        let told = differences(reviewed, printed);

        assert_eq!(told.first().map(String::as_str), Some("agent: new: api -> store"));
        assert_eq!(told.get(1).map(String::as_str), Some("gateway: gone: api -> store"));
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn edges_that_are_as_reviewed_are_no_fault() {
        let reviewed = "# one header\n\ngateway\n  api -> auth\n";

        assert_eq!(differences(reviewed, "# another\n\ngateway\n  api -> auth\n"), [""; 0]);
    }
}
