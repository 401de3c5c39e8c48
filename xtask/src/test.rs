//! `cargo xtask test`: each step's output goes straight to the terminal; the tests' own counts are added up for the last
//! line, so that a step which ran nothing cannot pass for success.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

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

/// Runs every step; `false` when a step or a test failed.
pub(crate) fn run() -> Result<bool> {
    let steps_hold = step("fmt", &["fmt", "--all", "--check"])?
        && step("clippy", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])?;
    if !steps_hold {
        return Ok(false);
    }
    let (counts, exit_ok) = tests()?;
    println!("\n{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped);
    Ok(exit_ok && counts.failed == 0 && counts.passed > 0)
}

fn step(name: &str, args: &[&str]) -> Result<bool> {
    eprintln!("== {name}");
    let status = cargo(args).status().with_context(|| format!("run cargo {name}"))?;
    Ok(status.success())
}

fn tests() -> Result<(Counts, bool)> {
    eprintln!("== tests");
    let mut child = cargo(&["test", "--workspace", "--no-fail-fast", "--quiet"])
        .stdout(Stdio::piped())
        .spawn()
        .context("run cargo test")?;
    let mut counts = Counts::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.context("read the output of cargo test")?;
            counts.add(&line);
            println!("{line}");
        }
    }
    let status = child.wait().context("wait for cargo test")?;
    Ok((counts, status.success()))
}

/// cargo, with a target directory that fresh checkouts share, so that dependencies are built once a machine.
fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    if std::env::var_os("CARGO_TARGET_DIR").is_none()
        && let Some(cache) = cache()
    {
        command.env("CARGO_TARGET_DIR", cache.join("target"));
    }
    command
}

/// Where everything that outlives a checkout is kept.
fn cache() -> Option<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    from("ISTHMUS_CACHE")
        .or_else(|| Some(from("XDG_CACHE_HOME")?.join("isthmus")))
        .or_else(|| Some(from("HOME")?.join(".cache/isthmus")))
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
