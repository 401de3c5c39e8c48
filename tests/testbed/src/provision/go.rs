//! Programs built from Go modules of ours, which lie beside this crate.

use std::{path::Path, process::Command};

use super::{Error, Workshop};
use crate::{
    fs,
    process::Program,
    tools::{GO, Missing},
};

/// Link without symbol tables: half the size, and nobody debugs these programs here.
const STRIPPED: &str = "-s -w";

/// The first Go that fetches by itself the newer one that a `go.mod` asks for.
const OLDEST_GO: (u32, u32) = (1, 21);

/// A Go module: its files, and what is built from it.
pub(super) struct Module {
    /// Paths relative to the module's root, with their content.
    pub(super) files: &'static [(&'static str, &'static str)],
    pub(super) programs: &'static [GoProgram],
}

/// One program of a module.
pub(super) struct GoProgram {
    pub(super) name: &'static str,
    /// As `go build` wants it: `.`, `./part`, or a package that the module depends on.
    pub(super) package: &'static str,
    /// Variables to set when it is linked, as `-X` wants them.
    pub(super) variables: &'static [&'static str],
}

impl Module {
    /// All that decides what comes out.
    pub(super) fn inputs(&self) -> Vec<String> {
        let files = self.files.iter().map(|(path, content)| format!("{path}\n{content}"));
        let programs = self
            .programs
            .iter()
            .map(|program| format!("{} {} {}", program.name, program.package, link_flags(program)));
        files.chain(programs).collect()
    }

    /// Builds every program into the workshop's directory, with what is left of the processor.
    pub(super) async fn build(&self, workshop: &mut Workshop<'_>) -> Result<(), Error> {
        let go = GO.find()?;
        refuse_old(&go)?;
        let source = workshop.run.dir().join("source");
        for (path, content) in self.files {
            let path = source.join(path);
            let parent = path.parent().unwrap_or(&source);
            fs::create_dir(parent).map_err(|error| workshop.refused(error))?;
            workshop.write(&path, content)?;
        }
        for program in self.programs {
            let build = Program::new("nice")
                .arg(&go)
                .args(["build", "-trimpath", "-mod=readonly", "-ldflags", &link_flags(program), "-o"])
                .arg(workshop.dir.join(program.name))
                .arg(program.package)
                .env("CGO_ENABLED", "0")
                .cwd(&source);
            workshop.run("go build", build).await?;
        }
        Ok(())
    }
}

fn link_flags(program: &GoProgram) -> String {
    let variables = program.variables.iter().map(|variable| format!(" -X {variable}"));
    variables.fold(STRIPPED.to_owned(), |flags, variable| flags + &variable)
}

fn refuse_old(go: &Path) -> Result<(), Missing> {
    let output = Command::new(go).args(["env", "GOVERSION"]).output();
    let output = output.map_err(|error| GO.missing(format!("{} cannot be run ({error})", go.display())))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match parse(&version) {
        Some(found) if found < OLDEST_GO => {
            Err(GO.missing(format!("{version} is too old to build the servers from their Go modules")))
        }
        _ => Ok(()), // development versions have no number; the build will tell
    }
}

fn parse(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix("go")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_versions_compare_as_numbers() {
        assert!(parse("go1.19.8").unwrap() < OLDEST_GO);
        assert!(parse("go1.100").unwrap() > OLDEST_GO);
        assert_eq!(parse("devel +abc"), None);
    }

    #[test]
    fn variables_are_set_when_linking() {
        let program = GoProgram { name: "kube", package: ".", variables: &["a/b.version=1", "a/b.minor=2"] };

        assert_eq!(link_flags(&program), "-s -w -X a/b.version=1 -X a/b.minor=2");
    }
}
