//! Inputs for Function Mesh's operator: the good ones pass, the bad ones are refused with every field that is wrong.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its input fails")]

use std::fs;
use std::path::{Path, PathBuf};

use isthmus_admission::{Offline, admit_written};
use isthmus_dialects::{Options, read};
use isthmus_model::reason::Reason::{self, ConflictingFields, InvalidField, MissingField};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/function-mesh")
}

/// What is wrong with the components of a file: fields in the author's own words, reasons and values.
fn refusals(path: &Path) -> Vec<(String, Reason, String)> {
    let read = read(&fs::read(path).unwrap(), &Options::default()).unwrap();
    let violations = read.drafts.into_iter().filter_map(|draft| admit_written(draft, &Offline).err());
    violations.flat_map(|rejection| rejection.violations).map(|v| (v.field, v.reason, v.value)).collect()
}

/// Inputs that the operator accepts and Isthmus refuses, with the field.
const REFUSED: &[(&str, &str)] = &[
    // It has no image for the language, so that nothing ever runs.
    ("013-generic-unknown", "spec.genericRuntime.language"),
    // It drops them without a word.
    ("086-unknown-fields", "spec"),
    // It checks nothing on update; none is refused here as on creation.
    ("090-replicas.update", "spec.replicas"),
    // One of its three components asks for more memory than its limit; the original refuses that one, too.
    ("123-mesh-partial", "spec.functions[1].resources.requests.memory"),
];

#[test]
fn every_good_input_is_admitted() {
    let mut admitted = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".in.yaml") || name.starts_with("bad-") {
            continue;
        }
        let refusals = refusals(&path);
        match REFUSED.iter().find(|(case, _)| name.starts_with(case)) {
            Some((_, field)) if refusals.iter().any(|(refused, ..)| refused.starts_with(field)) => {}
            None if refusals.is_empty() => admitted += 1,
            _ => wrong.push((name, refusals)),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(admitted > 90, "{admitted}");
}

type Expected = &'static [(&'static str, Reason, &'static str)];

const BAD: &[(&str, Expected)] = &[
    ("bad-01-no-runtime", &[("spec.java", MissingField, "")]),
    ("bad-02-two-runtimes", &[("spec.python", ConflictingFields, "")]),
    ("bad-04-no-class", &[("spec.className", MissingField, "")]),
    ("bad-05-no-input", &[("spec.input", MissingField, "")]),
    ("bad-07-bad-topic", &[("spec.input.topics[0]", InvalidField, "\"persistent://only/two\"")]),
    ("bad-09-replicas-over-max", &[("spec.maxReplicas", ConflictingFields, "3")]),
    ("bad-10-replicas-negative", &[("spec.replicas", InvalidField, "-1")]),
    ("bad-11-replicas-zero", &[("spec.replicas", InvalidField, "0")]),
    (
        "bad-13-no-resources",
        &[
            ("spec.resources.limits.memory", MissingField, ""),
            ("spec.resources.requests.memory", MissingField, ""),
        ],
    ),
    ("bad-15-bad-quantity", &[("spec.resources.requests.memory", InvalidField, "\"lots\"")]),
    ("bad-16-no-pulsar", &[("spec.pulsar.pulsarConfig", MissingField, "")]),
    ("bad-18-effectively-once-timeout", &[("spec.timeout", ConflictingFields, "1000")]),
    ("bad-20-effectively-once-key", &[("spec.retainKeyOrdering", ConflictingFields, "true")]),
    ("bad-22-dlq-no-retry", &[("spec.maxMessageRetry", MissingField, "")]),
    ("bad-23-bad-guarantee", &[("spec.processingGuarantee", InvalidField, "\"exactly_once\"")]),
    ("bad-24-bad-location", &[("spec.java.jarLocation", InvalidField, "\"ftp://a/b.jar\"")]),
    (
        "bad-26-long-name",
        &[("metadata.name", InvalidField, "\"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\"")],
    ),
    ("bad-27-vpa-and-hpa", &[("spec.pod.vpa", ConflictingFields, "{}")]),
    // The original's webhook crashes on it; a window without an interval simply tumbles.
    ("bad-29-window-count-crash", &[]),
    ("bad-31-source-no-config", &[("spec.sourceConfig", MissingField, "")]),
    (
        "bad-33-crypto-no-reader",
        &[
            ("spec.output.producerConf.cryptoConfig.cryptoKeyReaderClassName", MissingField, ""),
            ("spec.output.producerConf.cryptoConfig.encryptionKeys", MissingField, ""),
        ],
    ),
    (
        "bad-35-many-errors",
        &[
            ("spec.input", MissingField, ""),
            ("spec.java", MissingField, ""),
            ("spec.maxMessageRetry", MissingField, ""),
            ("spec.pulsar.pulsarConfig", MissingField, ""),
            ("spec.resources.limits.memory", MissingField, ""),
            ("spec.resources.requests.memory", MissingField, ""),
            ("spec.retainKeyOrdering", ConflictingFields, "true"),
            ("spec.retainOrdering", ConflictingFields, "true"),
        ],
    ),
    ("bad-38-mesh-bad-enum", &[("spec.functions[0].subscriptionPosition", InvalidField, "\"middle\"")]),
    // The original's operator crashes on it; a pattern is an input like any other.
    ("bad-40-go-pattern-only", &[]),
    ("bad-41-update-no-pulsar.update", &[("spec.pulsar.pulsarConfig", MissingField, "")]),
    ("bad-43-update-sink-no-java.update", &[("spec.java", MissingField, "")]),
    (
        "bad-45-update-inverted-memory.update",
        &[("spec.resources.requests.memory", ConflictingFields, "1073741824")],
    ),
    ("bad-47-update-replicas-over-max.update", &[("spec.maxReplicas", ConflictingFields, "3")]),
];

#[test]
fn every_bad_input_is_refused_with_all_that_is_wrong() {
    for (case, expected) in BAD {
        let refusals = refusals(&folder().join(format!("{case}.in.yaml")));
        let seen: Vec<_> = refusals.iter().map(|(f, r, v)| (f.as_str(), *r, v.as_str())).collect();
        assert_eq!(seen, *expected, "{case}");
    }
}

#[test]
fn no_bad_input_is_left_out() {
    let mut bad: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("bad-"))
        .map(|name| name.strip_suffix(".in.yaml").unwrap().to_owned())
        .collect();
    // Of an update the good object comes first, which is no bad input.
    let updates: Vec<_> =
        bad.iter().filter_map(|name| name.strip_suffix(".update").map(str::to_owned)).collect();
    bad.retain(|name| !updates.contains(name));
    bad.sort();
    let mut listed: Vec<_> = BAD.iter().map(|(case, _)| (*case).to_owned()).collect();
    listed.sort();
    assert_eq!(bad, listed);
}
