//! Inputs that Function Mesh's operator takes, and the details that it starts instances with.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its input fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use isthmus_dialects::{Options, UnknownFields, Written, function_details, read};
use isthmus_model::component::{Component, Draft, Object};
use isthmus_model::name::FullName;
use serde_json::Value;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/function-mesh");
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.ends_with(".in.yaml") && !name.starts_with("bad-")
    });
    cases.sort();
    assert!(cases.len() > 90, "{}", cases.len());
    cases
}

fn drafts(path: &Path, unknown_fields: UnknownFields) -> Vec<Written> {
    let text = fs::read(path).unwrap();
    read(&text, &Options { unknown_fields, ..Options::default() })
        .unwrap_or_else(|p| panic!("{}: {p:?}", path.display()))
        .drafts
}

fn component(written: Written) -> Component {
    let Draft { kind, tenant, namespace, name, placement, spec, .. } = written.into_parts().0;
    let name = FullName::new(&tenant, &namespace, &name).unwrap();
    Component { kind, name, labels: BTreeMap::new(), annotations: BTreeMap::new(), placement, spec }
}

#[test]
fn every_good_input_is_read_without_a_field_that_is_not_known() {
    for path in cases() {
        for written in drafts(&path, UnknownFields::Error) {
            let name = written.draft().name.clone();
            let problems = written.into_draft().err().unwrap_or_default();
            let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
            if path.to_str().unwrap().contains("086-unknown-fields") {
                assert_eq!(shown.len(), 3, "{shown:#?}");
            } else {
                assert!(shown.is_empty(), "{} {name}: {shown:#?}", path.display());
            }
        }
    }
}

/// Where Isthmus differs on purpose.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "avg-function",
        "a window acknowledges by itself, as Pulsar's own worker has it; the operator lets the instance do it first",
    ),
    ("crawl-source", "the keys of a batch source do not leak into the identity function's configuration"),
    ("feedlog2-source", "a log topic written by the instance is not silently dropped for sources"),
    ("params-function", "integers beyond 2^53 keep their value"),
];

#[test]
fn instances_are_started_with_the_details_of_the_original() {
    let mut compared = 0;
    let mut differing = BTreeMap::new();
    for path in cases() {
        let stem = path.to_str().unwrap().strip_suffix(".in.yaml").unwrap().to_owned();
        let Ok(golden) = fs::read(format!("{stem}.details.json")) else { continue };
        let golden: BTreeMap<String, Object> = serde_json::from_slice(&golden).unwrap();
        for written in drafts(&path, UnknownFields::Ignore) {
            let component = component(written);
            let details = function_details(&component, component.spec.replicas);
            let kind = component.kind.as_str().to_lowercase();
            let suffix = format!("{}-{kind}", component.name.name.as_str());
            let Some((name, golden)) = golden.iter().find(|(name, golden)| {
                name.ends_with(&suffix) && golden["name"] == component.name.name.as_str()
            }) else {
                continue;
            };
            compared += 1;
            let texts = |details: &Object| Value::Object(embedded(details.clone()));
            if texts(&details) != texts(golden) {
                differing.insert(name.clone(), (texts(golden).to_string(), texts(&details).to_string()));
            }
        }
    }
    assert!(compared > 100, "{compared}");
    for (name, why) in DIFFERENT {
        assert!(differing.remove(*name).is_some(), "{name} is no longer different: {why}");
    }
    assert!(differing.is_empty(), "{compared} compared, {} differ: {differing:#?}", differing.len());
}

/// JSON that travels as text, as JSON: its blanks and the order of its keys mean nothing.
fn embedded(mut details: Object) -> Object {
    for value in details.values_mut() {
        match value {
            Value::Object(object) => *object = embedded(std::mem::take(object)),
            // Writers differ in 2 and 2.0.
            Value::Number(number) if number.is_u64() && number.as_u64() < Some(1 << 32) => {
                *value = serde_json::json!(number.as_f64());
            }
            Value::String(text) if text.starts_with('{') => {
                if let Ok(Value::Object(object)) = serde_json::from_str(text) {
                    *value = Value::Object(embedded(object));
                }
            }
            _ => {}
        }
    }
    details
}
