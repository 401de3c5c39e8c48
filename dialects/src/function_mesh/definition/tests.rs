//! What the definitions say, and that they hold together.

use isthmus_model::component::{Compression, CryptoSecret, KeyRef, LogTopicAgent, SecretRef};
use serde::Serialize;
use serde_json::{Value, json};

use super::*;

fn schema(kind: ComponentKind) -> Value {
    let version = definition(kind).spec.versions.remove(0);
    serde_json::to_value(version.schema.unwrap().open_api_v3_schema.unwrap()).unwrap()
}

fn at<'s>(schema: &'s Value, path: &str) -> &'s Value {
    path.split('.').fold(schema, |schema, step| match step {
        "[]" => &schema["items"],
        "*" => &schema["additionalProperties"],
        field => &schema["properties"][field],
    })
}

/// Calls `look` with every schema within `schema` and the path that leads to it.
fn each(path: &str, schema: &Value, look: &mut impl FnMut(&str, &Value)) {
    look(path, schema);
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        each(&format!("{path}.{name}"), inner, look);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            each(&format!("{path}.{inner}"), &schema[inner], look);
        }
    }
}

#[test]
fn every_schema_is_structural() {
    for kind in ComponentKind::ALL {
        let schema = schema(kind);
        let mut seen = 0;
        each("", &schema, &mut |path, schema| {
            seen += 1;
            let free = schema["x-kubernetes-int-or-string"] == true
                || schema["x-kubernetes-preserve-unknown-fields"] == true;
            assert!(schema["type"].is_string() || free, "{kind}{path}: {schema}");
            assert!(schema.get("$ref").is_none() && schema.get("anyOf").is_none(), "{kind}{path}");
            if path != ".spec.minReplicas" {
                assert_eq!(schema.get("default"), None, "{kind}{path}");
            }
        });
        assert!(seen > 1_000, "{seen}");
    }
}

#[test]
fn each_kind_has_its_own_fields() {
    let (function, source, sink) =
        (schema(ComponentKind::Function), schema(ComponentKind::Source), schema(ComponentKind::Sink));
    let has = |schema: &Value, field: &str| at(schema, "spec")["properties"].get(field).is_some();
    for (field, expected) in [
        ("input", [true, false, true]),
        ("output", [true, true, false]),
        ("funcConfig", [true, false, false]),
        ("batchSourceConfig", [false, true, false]),
        ("volumeClaimTemplates", [true, false, false]),
        ("negativeAckRedeliveryDelayMs", [false, false, true]),
        ("java", [true, true, true]),
    ] {
        assert_eq!([has(&function, field), has(&source, field), has(&sink, field)], expected, "{field}");
    }
    assert_eq!(at(&function, "spec.sourceConfig.className")["type"], "string");
    assert_eq!(at(&source, "spec.sourceConfig")["x-kubernetes-preserve-unknown-fields"], true);
}

#[test]
fn free_forms_keep_their_members_and_quantities_may_be_numbers() {
    let function = schema(ComponentKind::Function);
    for path in ["spec.funcConfig", "spec.sinkConfig.configs"] {
        assert_eq!(at(&function, path)["x-kubernetes-preserve-unknown-fields"], true, "{path}");
    }
    for path in [
        "spec.resources.limits.*",
        "spec.pod.sidecars.[].resources.requests.*",
        "spec.pod.liveness",
        "spec.pod.startupProbe.httpGet.port",
        "spec.pod.vpa.resourcePolicy.containerPolicies.[].maxAllowed.*",
        "spec.volumeClaimTemplates.[].spec.resources.requests.*",
    ] {
        let expected = if path.ends_with("liveness") { Value::Null } else { json!(true) };
        assert_eq!(at(&function, path)["x-kubernetes-int-or-string"], expected, "{path}");
    }
    assert_eq!(
        at(&function, "spec.volumeClaimTemplates.[].metadata")["properties"].get("creationTimestamp"),
        None
    );
}

#[test]
fn members_of_a_mesh_have_the_fields_of_their_kind() {
    let version = function_mesh().spec.versions.remove(0);
    let mesh = serde_json::to_value(version.schema.unwrap().open_api_v3_schema.unwrap()).unwrap();
    for (field, kind) in [
        ("functions", ComponentKind::Function),
        ("sources", ComponentKind::Source),
        ("sinks", ComponentKind::Sink),
    ] {
        // But for rules and their bounds, of which there are fewer where there are many members.
        let mut own = at(&schema(kind), "spec").clone();
        without_descriptions(&mut own);
        let mut member = at(&mesh, &format!("spec.{field}.[]")).clone();
        for spec in [&mut own, &mut member] {
            let rules = spec.as_object_mut().unwrap().remove("x-kubernetes-validations");
            assert!(rules.is_some_and(|rules| rules.as_array().unwrap().len() > 5), "{kind}");
        }
        if kind == ComponentKind::Function {
            let mut unbound = |at: &str, name: &str| {
                own.pointer_mut(at).unwrap().as_object_mut().unwrap().remove(name).unwrap();
            };
            unbound("/properties/input/properties/topics", "maxItems");
            unbound("/properties/input/properties/topics/items", "maxLength");
            unbound("/properties/output/properties/topic", "maxLength");
        }
        assert_eq!(member, own);
    }
    assert_eq!(mesh.get("x-kubernetes-preserve-unknown-fields"), None, "as the original");
}

#[test]
fn nothing_of_a_spec_is_required_and_only_replicas_have_bounds() {
    let function = schema(ComponentKind::Function);
    each("", &function, &mut |path, schema| {
        let kubernetes = path.contains(".pod.") || path.contains(".volume") || path.contains(".claims");
        assert!(kubernetes || schema.get("required").is_none(), "{path}: {}", schema["required"]);
        let bounded = path == ".spec.replicas" || path == ".spec.minReplicas";
        assert_eq!(schema.get("minimum").is_some(), bounded, "{path}");
    });
}

#[test]
fn schemas_of_the_models_types_name_their_members() {
    fn members(value: &impl Serialize) -> Vec<String> {
        serde_json::to_value(value).unwrap().as_object().unwrap().keys().cloned().collect()
    }
    fn named(schema: &Value) -> Vec<String> {
        schema["properties"].as_object().unwrap().keys().cloned().collect()
    }
    let function = schema(ComponentKind::Function);
    let mut pairs = vec![
        (members(&SecretRef::default()), named(at(&function, "spec.secretsMap.*"))),
        (members(&KeyRef::default()), named(at(&function, "spec.java.log.logConfig"))),
        (
            members(&CryptoSecret::default()),
            named(at(&function, "spec.output.producerConf.cryptoConfig.cryptoSecrets.[]")),
        ),
    ];
    for (own, schema) in &mut pairs {
        own.sort();
        schema.sort();
        assert_eq!(own, schema);
    }
    let words = |path: &str| at(&function, path)["enum"].clone();
    for agent in [LogTopicAgent::Runtime, LogTopicAgent::Sidecar] {
        assert!(words("spec.logTopicAgent").as_array().unwrap().contains(&json!(agent)));
    }
    let all =
        [Compression::Lz4, Compression::None, Compression::Snappy, Compression::Zlib, Compression::Zstd];
    assert_eq!(words("spec.output.producerConf.compressionType"), json!(all));
}

#[test]
fn a_definition_is_small_enough_to_be_applied_by_kubectl() {
    for definition in definitions() {
        // What kubectl keeps in an annotation, which may have 256 KiB.
        let json = serde_json::to_string(&definition).unwrap();
        assert!(json.len() < 200 << 10, "{} KiB", json.len() >> 10);
        assert!(to_yaml(&definition).is_ok());
    }
}
