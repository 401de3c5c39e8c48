use std::path::Path;

use isthmus_model::component::{Component, Draft, Kubernetes, Transform};
use isthmus_model::name::FullName;
use isthmus_model::policy::Placement;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::write;
use crate::function_mesh::API_VERSION;
use crate::{Options, UnknownFields, Written};

fn component(written: Written) -> Component {
    let Draft { kind, tenant, namespace, name, spec, .. } = written.into_parts().0;
    let name = FullName::new(&tenant, &namespace, &name).unwrap();
    let (labels, annotations) = (isthmus_model::name::Labels::new(), std::collections::BTreeMap::new());
    Component { kind, name, labels, annotations, placement: Placement::default(), spec }
}

/// What the resource with the component's spec says.
fn again(component: &Component) -> Component {
    let spec = write(component).unwrap_or_else(|lost| panic!("{}: {lost:#?}", component.name));
    let resource = json!({
        "apiVersion": API_VERSION,
        "kind": component.kind.as_str(),
        "metadata": {"name": "another"},
        "spec": spec,
    });
    let options = Options { unknown_fields: UnknownFields::Error, ..Options::default() };
    let written = crate::read_resource(resource.clone(), &options).unwrap();
    let problems = written.clone().into_draft().err().unwrap_or_default();
    let of_writing: Vec<_> =
        problems.iter().filter(|it| it.violation.message.contains("not known here")).collect();
    assert!(of_writing.is_empty(), "{of_writing:#?} of {resource:#}");
    self::component(written)
}

#[test]
fn every_recorded_resource_reads_the_same_after_it_was_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/function-mesh");
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".in.yaml") || name.starts_with("bad-") {
            continue;
        }
        let options = Options { unknown_fields: UnknownFields::Ignore, ..Options::default() };
        let read = crate::read(&std::fs::read(&path).unwrap(), &options).unwrap();
        for component in read.drafts.into_iter().map(component) {
            assert_eq!(again(&component), component, "{name}");
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn retries_without_a_dead_letter_topic_bring_none() {
    let text = "apiVersion: isthmus.io/v1\nkind: Function\nmetadata: {name: x}\nspec: {retry: {maxMessageRetries: 3}, input: {topics: {in: {}}}}\n";
    let mut read = crate::read(text.as_bytes(), &Options::default()).unwrap();
    let spec = again(&component(read.drafts.remove(0))).spec;
    assert_eq!((&*spec.retry.dead_letter_topic, spec.retry.max_message_retries), ("", Some(3)));
    assert_eq!(spec.input.unwrap().subscription_name, "public/default/x");
}

#[test]
fn what_the_resource_has_no_field_for_is_named() {
    let text = "apiVersion: isthmus.io/v1\nkind: Function\nmetadata: {name: x}\nspec: {customRuntimeOptions: a, input: {topics: {in: {poolMessages: true}}}}\n";
    let mut component =
        component(crate::read(text.as_bytes(), &Options::default()).unwrap().drafts.remove(0));
    component.spec.transform = Some(Transform::default());
    let lost: Vec<_> = write(&component).unwrap_err().into_iter().map(|lost| lost.field).collect();
    assert_eq!(lost, ["spec.customRuntimeOptions", "spec.transform", "spec.input.topics.poolMessages"]);
}

proptest! {
    #[test]
    fn amounts_keep_their_value(cpu in 0..1_u64 << 40, memory in 0..1_u64 << 60) {
        let text = "apiVersion: isthmus.io/v1\nkind: Function\nmetadata: {name: x}\nspec: {input: {topics: {in: {}}}}\n";
        let mut component = component(crate::read(text.as_bytes(), &Options::default()).unwrap().drafts.remove(0));
        component.spec.kubernetes =
            Kubernetes { cluster_name: "kubernetes".into(), ..Kubernetes::default() };
        component.spec.resources.requests.cpu_millis = Some(cpu);
        component.spec.resources.limits.memory_bytes = Some(memory);
        prop_assert_eq!(again(&component).spec.resources, component.spec.resources);
    }
}

#[test]
fn nothing_is_written_that_says_nothing() {
    let text = "apiVersion: isthmus.io/v1\nkind: Function\nmetadata: {name: x}\nspec: {className: C, input: {topics: {in: {}}}}\n";
    let component = component(crate::read(text.as_bytes(), &Options::default()).unwrap().drafts.remove(0));
    let expected = json!({
        "name": "x", "tenant": "public", "namespace": "default", "className": "C", "replicas": 1,
        "input": {"sourceSpecs": {"in": {}}}, "subscriptionPosition": "latest", "autoAck": true,
        "forwardSourceMessageProperty": true, "resources": {}, "pulsar": {},
    });
    assert_eq!(Value::Object(write(&component).unwrap()), expected);
}
