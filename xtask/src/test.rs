//! `cargo xtask test`: each step's output goes straight to the terminal; the tests' own counts are added up for the last
//! line, so that a step which ran nothing cannot pass for success.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use isthmus_testbed::isthmus::Programs;
use isthmus_testbed::kubernetes;
use isthmus_testbed::{Cache, Missing, provision};

use crate::cargo::cargo;
use crate::check;
use crate::codegen;

/// Sum of what the test binaries said of themselves.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Counts {
    /// Adds a line `test result: ok. 8 passed; 0 failed; 1 ignored; …`; other lines change nothing.
    fn add(&mut self, line: &str) {
        let Some(rest) = line.trim().strip_prefix("test result:") else { return };
        let words: Vec<&str> = rest.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let [number, word] = pair else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match *word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

/// Packages whose integration tests start real servers.
const REAL: [&str; 2] = ["isthmus-testbed", "isthmus-tests"];

/// Real servers that run side by side: more would starve each other on a small machine and gain little on a large one.
const REAL_AT_ONCE: &str = "--test-threads=3";

/// Runs every step; `false` when a step or a test failed. `fast` stops before the real servers.
pub(crate) fn run(root: &Path, fast: bool) -> Result<bool> {
    let steps_hold = step("fmt", &["fmt", "--all", "--check"])?
        && step("clippy", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])?
        && check(root)?;
    if !steps_hold {
        return Ok(false);
    }
    let mut counts = Counts::default();
    let [testbed, suites] = REAL;
    let mut hold = tests("tests", &["--workspace", "--exclude", testbed, "--exclude", suites], &mut counts)?
        & tests("tests of the harness", &["-p", testbed, "-p", suites, "--lib"], &mut counts)?;
    if !fast {
        hold &= real(&["-p", testbed, "-p", suites, "--test", "*"], &mut counts)?;
    }
    println!("\n{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped);
    Ok(hold && counts.failed == 0 && counts.passed > 0)
}

fn step(name: &str, args: &[&str]) -> Result<bool> {
    eprintln!("== {name}");
    let status = cargo(args).status().with_context(|| format!("run cargo {name}"))?;
    Ok(status.success())
}

fn check(root: &Path) -> Result<bool> {
    eprintln!("== check");
    Ok(check::run(root, false)? & codegen::check(root)?)
}

/// The tests that need a Kubernetes node are in modules of this name.
const NODES: &str = "nodes::";

/// Runs the tests that start real servers; those are skipped by name for which the machine lacks something that cannot be
/// provided. In CI nothing may be lacking.
fn real(selection: &[&str], counts: &mut Counts) -> Result<bool> {
    eprintln!("== servers");
    let missing = match provide()? {
        Provided::All => {
            return tests("tests with real servers", &[selection, &["--", REAL_AT_ONCE]].concat(), counts);
        }
        Provided::Lacking(missing) | Provided::LackingNodes(missing) if std::env::var_os("CI").is_some() => {
            eprintln!("error: {missing}");
            return Ok(false);
        }
        Provided::Lacking(missing) => {
            skip(&listed(selection, "")?, &missing, counts);
            return Ok(true);
        }
        Provided::LackingNodes(missing) => missing,
    };
    skip(&listed(selection, NODES)?, &missing, counts);
    tests("tests with real servers", &[selection, &["--", REAL_AT_ONCE, "--skip", NODES]].concat(), counts)
}

enum Provided {
    All,
    /// There are servers, but no node that runs pods.
    LackingNodes(Missing),
    Lacking(Missing),
}

/// Provides all that the servers are made of before the tests, where progress can be seen.
fn provide() -> Result<Provided> {
    let runtime = tokio::runtime::Runtime::new().context("start a runtime")?;
    let cache = Cache::from_env()?;
    runtime.block_on(Programs::build(&cache)).context("build the programs")?;
    let servers = runtime.block_on(async {
        cache.pulsar().await?;
        cache.data_generator().await?;
        cache.python().await?;
        cache.etcd().await?;
        cache.kubernetes().await
    });
    if let Some(missing) = lacking(servers).context("provide the servers")? {
        return Ok(Provided::Lacking(missing));
    }
    if let Err(missing) = kubernetes::nodes_can_run() {
        return Ok(Provided::LackingNodes(missing));
    }
    let nodes = lacking(runtime.block_on(cache.node_images())).context("provide what runs on nodes")?;
    Ok(nodes.map_or(Provided::All, Provided::LackingNodes))
}

/// What the machine lacks to make an item, if that is why there is none.
fn lacking<T>(outcome: Result<T, provision::Error>) -> Result<Option<Missing>> {
    match outcome {
        Ok(_) => Ok(None),
        Err(provision::Error::Missing(missing)) => Ok(Some(missing)),
        Err(error) => Err(error.into()),
    }
}

/// Names and counts what is not run.
fn skip(tests: &[String], missing: &Missing, counts: &mut Counts) {
    for test in tests {
        eprintln!("skipped: {test}, because {missing}");
        counts.skipped += 1;
    }
}

/// The tests of a selection whose names contain `part`.
fn listed(selection: &[&str], part: &str) -> Result<Vec<String>> {
    let output = cargo(&[&["test", "--quiet"], selection, &["--", "--list"]].concat())
        .stderr(Stdio::inherit())
        .output()
        .context("list the tests")?;
    let lines = String::from_utf8_lossy(&output.stdout);
    let names = lines.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(names.filter(|name| name.contains(part)).map(str::to_owned).collect())
}

/// Runs the tests of a selection and adds what they say of themselves; `false` when one failed or did not build.
fn tests(name: &str, selection: &[&str], counts: &mut Counts) -> Result<bool> {
    eprintln!("== {name}");
    let mut child = cargo(&[&["test", "--no-fail-fast", "--quiet"], selection].concat())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("run the {name}"))?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.with_context(|| format!("read the output of the {name}"))?;
            counts.add(&line);
            println!("{line}");
        }
    }
    let status = child.wait().with_context(|| format!("wait for the {name}"))?;
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_all_test_binaries_are_added() {
        let mut counts = Counts::default();
        counts.add(
            "test result: ok. 8 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s",
        );
        counts.add("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        counts.add("running 3 tests");
        assert_eq!(counts, Counts { passed: 9, failed: 2, skipped: 1 });
    }
}
