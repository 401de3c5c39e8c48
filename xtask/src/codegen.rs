//! `cargo xtask codegen`: files that are printed from the code and kept in the tree, so that they can be read without building
//! it. `cargo xtask test` fails when one is not what the code prints.

use std::{fmt::Write, path::Path};

use anyhow::{Context, Result};
use isthmus_dialects::function_mesh::definition;
use isthmus_model::component::ComponentKind;
use isthmus_model::reason::Reason;

/// A file from the root of the repository, and what prints it.
struct Printed {
    file: &'static str,
    print: fn() -> Result<String>,
}

const ALL: [Printed; 9] = [
    Printed { file: "docs/reasons.md", print: || Ok(reasons()) },
    Printed { file: "deploy/crds/functions.yaml", print: || custom_resource(ComponentKind::Function) },
    Printed { file: "deploy/crds/sources.yaml", print: || custom_resource(ComponentKind::Source) },
    Printed { file: "deploy/crds/sinks.yaml", print: || custom_resource(ComponentKind::Sink) },
    Printed { file: "deploy/crds/functionmeshes.yaml", print: function_mesh },
    // Helm reads definitions from a chart's own folder only, and packs no link.
    Printed {
        file: "deploy/charts/isthmus-agent/crds/functions.yaml",
        print: || custom_resource(ComponentKind::Function),
    },
    Printed {
        file: "deploy/charts/isthmus-agent/crds/sources.yaml",
        print: || custom_resource(ComponentKind::Source),
    },
    Printed {
        file: "deploy/charts/isthmus-agent/crds/sinks.yaml",
        print: || custom_resource(ComponentKind::Sink),
    },
    Printed { file: "deploy/charts/isthmus-agent/crds/functionmeshes.yaml", print: function_mesh },
];

/// Writes the files.
pub(crate) fn write(root: &Path) -> Result<bool> {
    for Printed { file, print } in ALL {
        std::fs::write(root.join(file), print()?).with_context(|| format!("write {file}"))?;
    }
    Ok(true)
}

/// Tells which files are not what the code prints.
pub(crate) fn check(root: &Path) -> Result<bool> {
    let mut in_step = true;
    for Printed { file, print } in ALL {
        let kept = std::fs::read_to_string(root.join(file)).with_context(|| format!("read {file}"))?;
        if kept != print()? {
            eprintln!("error: {file} is not what the code prints; run: cargo xtask codegen");
            in_step = false;
        }
    }
    Ok(in_step)
}

fn custom_resource(kind: ComponentKind) -> Result<String> {
    let yaml = definition::to_yaml(&definition::definition(kind)).context("print the definition as YAML")?;
    Ok(headed(kind.as_str(), &yaml))
}

fn function_mesh() -> Result<String> {
    let yaml = definition::to_yaml(&definition::function_mesh()).context("print the definition as YAML")?;
    Ok(headed(definition::FUNCTION_MESH, &yaml))
}

/// A definition of a custom resource, with where it comes from.
fn headed(kind: &str, yaml: &str) -> String {
    format!(
        "# {kind} as a custom resource: printed from dialects/src/function_mesh by `cargo xtask codegen`.\n{yaml}"
    )
}

fn reasons() -> String {
    let mut page = String::from(
        "\
# Reasons

One word says why something was refused, is not placed or is not ready. It is the same in an error's `ErrorInfo`, in a condition, in
an event and in a metric's label. This page is printed from `model/src/reason.rs` by `cargo xtask codegen`.

| reason | what it means, and what to do |
|---|---|
",
    );
    for reason in Reason::ALL {
        // A page in memory cannot refuse to be written.
        let _ = writeln!(page, "| `{}` | {} |", reason.as_str(), reason.describe().trim());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_one_line() {
        let page = reasons();

        for reason in Reason::ALL {
            let begin = format!("| `{}` |", reason.as_str());
            assert_eq!(page.lines().filter(|line| line.starts_with(&begin)).count(), 1, "{begin}");
        }
    }

    #[test]
    fn a_file_that_is_not_what_the_code_prints_is_told() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["docs", "deploy/crds", "deploy/charts/isthmus-agent/crds"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }

        write(dir.path()).unwrap();
        assert!(check(dir.path()).unwrap());

        std::fs::write(dir.path().join("docs/reasons.md"), "old").unwrap();
        assert!(!check(dir.path()).unwrap());
    }
}
