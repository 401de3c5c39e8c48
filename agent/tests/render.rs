//! `isthmus-agent render`, as a person calls it.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its input fails")]

use std::process::{Command, Output};

fn render(case: &str, more: &[&str]) -> Output {
    let file = format!("{}/../tests/golden/function-mesh/{case}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_isthmus-agent"));
    command.args(["render", "-f", &file]).args(more).output().unwrap()
}

#[test]
fn a_manifest_is_printed_as_the_objects_that_it_becomes() {
    let output = render("001-java-minimal.in.yaml", &["-o", "yaml"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let kinds: Vec<_> = text.lines().filter(|line| line.starts_with("kind: ")).collect();
    assert_eq!(kinds, ["kind: Service", "kind: StatefulSet"]);
    assert!(text.contains("name: tally-function-headless") && text.contains("exec java -cp "), "{text}");

    let output = render("001-java-minimal.in.yaml", &["-o", "json"]);
    let objects: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(objects[1]["spec"]["serviceName"], "tally-function-headless");
}

#[test]
fn a_manifest_that_is_refused_ends_with_the_fields_and_nothing_on_standard_output() {
    let output = render("bad-35-many-errors.in.yaml", &[]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("bad-35-many-errors.in.yaml: document 1: ") && told.contains("spec.java: "),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");
}
