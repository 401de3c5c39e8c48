//! What `isthmus-agent render` makes of resources, compared with what Function Mesh's own operator made of them on a real API server.
//!
//! Where Isthmus differs on purpose is a table of docs/function-mesh.md, and this reads it: any other difference fails, and so
//! does a line of the table that is no longer true.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "all of this is tests, helpers included: they may panic"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use isthmus_compare::differences;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn folder() -> PathBuf {
    root().join("tests/golden/function-mesh")
}

/// The cases whose files end so.
fn cases(ending: &str) -> BTreeSet<String> {
    let names =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| Some(name.strip_suffix(ending)?.to_owned())).collect()
}

/// The agent's settings for what the original was told when a case was recorded.
fn settings(case: &str) -> Option<PathBuf> {
    let text = fs::read_to_string(folder().join(format!("{case}.in.yaml"))).unwrap();
    let setting = text.lines().find_map(|line| line.strip_prefix("# operator settings: ")).unwrap_or("extra");
    (setting != "extra").then(|| folder().join(format!("settings/{setting}.yaml")))
}

fn render(case: &str) -> Output {
    let mut agent = Command::new(env!("CARGO_BIN_EXE_isthmus-agent"));
    agent.args(["render", "--profile", "compatible", "-o", "yaml", "-f"]);
    agent.arg(folder().join(format!("{case}.in.yaml")));
    if case.ends_with(".update") && !case.starts_with("bad-") {
        agent.arg("--update");
    }
    if let Some(settings) = settings(case) {
        if settings.ends_with("backend.yaml") {
            agent.arg("-f").arg(folder().join("backend-configs.yaml"));
        }
        agent.arg("--config").arg(settings);
    }
    agent.output().unwrap()
}

fn documents(text: &[u8]) -> Vec<Value> {
    isthmus_dialects::document::parse(text, text.len()).unwrap().into_iter().map(|one| one.value).collect()
}

/// A line of the table: where a case differs on purpose.
#[derive(Debug)]
struct Deliberate {
    /// Beginnings of cases' names.
    cases: Vec<String>,
    /// A part of the places.
    place: String,
}

/// The lines `| cases | place | bug | why |` of the document.
fn table() -> Vec<Deliberate> {
    let text = fs::read_to_string(root().join("docs/function-mesh.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| cases |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let words =
            |cell: &str| cell.split(", ").map(|word| word.trim_matches('`').to_owned()).collect::<Vec<_>>();
        assert_eq!(cells.len(), 4, "{line}");
        (words(cells[0]), words(cells[1]))
    });
    let all: Vec<Deliberate> = rows
        .flat_map(|(cases, places)| {
            places.into_iter().map(move |place| Deliberate { cases: cases.clone(), place })
        })
        .collect();
    assert!(all.len() > 10, "the table was not found: {all:?}");
    all
}

#[test]
fn every_resource_becomes_what_the_original_makes_of_it_but_for_what_the_table_says() {
    let table = table();
    let mut used = vec![BTreeSet::new(); table.len()];
    let mut unexpected = Vec::new();
    let outputs = cases(".out.yaml");
    let cases: Vec<&String> = outputs.iter().filter(|case| !case.contains(".backend-update")).collect();
    assert!(cases.len() >= 100, "{}", cases.len());
    for case in cases {
        let output = render(case);
        let ours = documents(&output.stdout);
        let theirs = documents(&fs::read(folder().join(format!("{case}.out.yaml"))).unwrap());
        let of_case = |cases: &[String]| cases.iter().position(|begin| case.starts_with(begin.as_str()));
        let found = differences(&ours, &theirs).into_iter().map(|one| (one.at.clone(), one.to_string()));
        let said = || ("refused".to_owned(), String::from_utf8_lossy(&output.stderr).into_owned());
        let refused = (!output.status.success()).then(said);
        for (at, what) in found.chain(refused) {
            let mut known = false;
            for (row, used) in table.iter().zip(&mut used) {
                if let Some(index) = of_case(&row.cases)
                    && at.contains(&row.place)
                {
                    used.insert(index);
                    known = true;
                }
            }
            if !known {
                unexpected.push(format!("{case}: {what}"));
            }
        }
    }
    let unused: Vec<String> = table
        .iter()
        .zip(&used)
        .flat_map(|(row, used)| {
            let cases = row.cases.iter().enumerate().filter(|(index, _)| !used.contains(index));
            cases.map(|(_, case)| format!("{case}: {} is no longer different", row.place))
        })
        .collect();
    assert!(unexpected.is_empty() && unused.is_empty(), "{}\n{unused:#?}", unexpected.join("\n"));
}

/// Of each bad case the field that is at fault.
const FAULTS: &[(&str, &str)] = &[
    ("bad-01-no-runtime", "spec.java"),
    ("bad-02-two-runtimes", "spec.python"),
    ("bad-04-no-class", "spec.className"),
    ("bad-05-no-input", "spec.input"),
    ("bad-07-bad-topic", "spec.input.topics"),
    ("bad-09-replicas-over-max", "spec.maxReplicas"),
    ("bad-10-replicas-negative", "spec.replicas"),
    ("bad-11-replicas-zero", "spec.replicas"),
    ("bad-13-no-resources", "spec.resources.limits.memory"),
    ("bad-15-bad-quantity", "spec.resources"),
    ("bad-16-no-pulsar", "spec.pulsar.pulsarConfig"),
    ("bad-18-effectively-once-timeout", "spec.timeout"),
    ("bad-20-effectively-once-key", "spec.retainKeyOrdering"),
    ("bad-22-dlq-no-retry", "spec.maxMessageRetry"),
    ("bad-23-bad-guarantee", "spec.processingGuarantee"),
    ("bad-24-bad-location", "spec.java.jarLocation"),
    ("bad-26-long-name", "metadata.name"),
    ("bad-27-vpa-and-hpa", "spec.pod.vpa"),
    ("bad-29-window-count-crash", ""),
    ("bad-31-source-no-config", "spec.sourceConfig"),
    ("bad-33-crypto-no-reader", "cryptoKeyReaderClassName"),
    ("bad-35-many-errors", "spec."),
    ("bad-38-mesh-bad-enum", "spec.functions[0].subscriptionPosition"),
    ("bad-40-go-pattern-only", ""),
    ("bad-41-update-no-pulsar.update", "spec.pulsar.pulsarConfig"),
    ("bad-43-update-sink-no-java.update", "spec.java"),
    ("bad-45-update-inverted-memory.update", "spec.resources"),
    ("bad-47-update-replicas-over-max.update", "spec.maxReplicas"),
];

#[test]
fn every_bad_resource_is_refused_with_the_field_at_fault() {
    let mut bad = cases(".in.yaml");
    bad.retain(|case| case.starts_with("bad-"));
    // Of those with an update the first is good.
    let before: Vec<String> =
        bad.iter().filter_map(|case| Some(case.strip_suffix(".update")?.to_owned())).collect();
    bad.retain(|case| !before.contains(case));
    assert_eq!(bad, FAULTS.iter().map(|(case, _)| (*case).to_owned()).collect::<BTreeSet<_>>());
    let mut wrong = Vec::new();
    for (case, field) in FAULTS {
        let output = render(case);
        let said = String::from_utf8_lossy(&output.stderr);
        // What crashes the original is nothing bad in itself.
        let good = field.is_empty();
        if output.status.success() != good || !said.contains(field) {
            wrong.push(format!("{case}: {}: {said}", output.status));
        }
    }
    for case in before {
        let output = render(&case);
        if !output.status.success() {
            wrong.push(format!("{case}: {}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
