//! Compared with the objects that Function Mesh's own operator made of the same resources on a real API server.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use isthmus_model::component::ComponentKind;
use serde_json::{Value, json};

use super::super::config::Pods;
use super::super::validate::validate;
use super::*;

mod normal;

/// Where Isthmus differs on purpose: the case, and where in the objects.
const DIFFERENT: &[(&str, &[&str], &str)] = &[
    ("009", GO, "the instance is told what newer ones read, too"),
    ("038", &["userConfig.big", "userConfig.huge"], "integers beyond 2^53 keep their value"),
    ("051", &["containers[0].command"], "a type of file that Log4j does not read gets one that it reads"),
    ("055", GO, "the instance is told what newer ones read, too"),
    ("055", &["containers[0].env"], "a level is not lost because there is a ConfigMap, too"),
    (
        "058",
        &["autoAck", "processingGuarantees"],
        "a window acknowledges by itself, as Pulsar's own worker has it; the original lets the instance do it first",
    ),
    ("062", &["imagePullPolicy"], "the resource's own pull policy counts"),
    ("063", &["containers[0].command[2][7]"], "any certificate is accepted only where the Secret says so"),
    ("071", CREDENTIALS, "credentials stand in a Secret instead of the command"),
    (
        "074",
        &["Service/", "StatefulSet/"],
        "labels that pods are selected by stand; the original makes nothing at all",
    ),
    (
        "089",
        &["Service/", "StatefulSet/"],
        "storage is told to the instance only; the original makes nothing at all",
    ),
    ("092-hpa-default.update", &["HorizontalPodAutoscaler/"], "without a maximum the autoscaler goes"),
    ("098", &["behavior.scale"], "the API server completes a behavior"),
    (
        "101-pvc-templates.update",
        &["volumeClaimTemplates[0]"],
        "they cannot be changed; apply keeps those that are there",
    ),
    (
        "109-unmanaged",
        &["Service/", "StatefulSet/"],
        "whoever is not managed is left alone before anything is built",
    ),
    ("127", GO, "the instance is told what newer ones read, too"),
    (
        "127",
        &["sourceSpecsTopic"],
        "topics have no order; of several an older instance reads any one, a newer one all",
    ),
    ("127", &["userConfig", "secretsMap"], "configuration and secrets reach the instance whole"),
    (
        "136",
        &["Secret/", "envFrom", "initContainers[0].command"],
        "credentials stand in a Secret instead of the command",
    ),
    (
        "138",
        &["Service/", "StatefulSet/"],
        "the generic runtime fetches in its own container; the original makes nothing at all",
    ),
    ("143", &["bfun-function.spec.template"], "BackendConfigs are not read"),
];

const GO: &[&str] = &["subscriptionPosition", "sourceInputSpecs", "functionDetails"];

const CREDENTIALS: &[&str] = &["Secret/", "containers[0].command", "envFrom", "containers[1].env"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/function-mesh")
}

fn documents(path: &Path) -> Vec<Value> {
    let text = fs::read(path).unwrap();
    isthmus_dialects::document::parse(&text, text.len()).unwrap().into_iter().map(|one| one.value).collect()
}

/// The settings under which the original ran.
fn pods(input: &Path) -> Pods {
    let text = fs::read_to_string(input).unwrap();
    let mut pods = Pods::default();
    let setting = text.lines().find_map(|line| line.strip_prefix("# operator settings: "));
    match setting {
        Some("init") => pods.init_containers = true,
        Some("conf") => {
            let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
            pods.images.java = "registry.example.org/runner/java:5".to_owned();
            pods.images.generic.insert("nodejs".to_owned(), "registry.example.org/runner/node:5".to_owned());
            pods.image_pull_secrets = vec!["runner-reg".to_owned()];
            pods.image_pull_policy = "Always".to_owned();
            pods.labels = [pair("fleet", "conf"), pair("tier", "conf")].into();
            pods.annotations = [pair("fleet", "conf"), pair("prometheus.io/port", "1")].into();
            pods.default_affinity = false;
            pods.run_as_non_root = true;
        }
        _ => {}
    }
    pods
}

/// What Isthmus makes of the functions of a file, by kind and name, in the original's normal form.
fn built(input: &Path) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for document in documents(input) {
        let name = document["metadata"]["name"].as_str().unwrap().to_owned();
        let owner = Owner {
            kind: ComponentKind::Function,
            namespace: "golden".to_owned(),
            uid: format!("UID(Function/{name})"),
            name,
        };
        let pods = pods(input);
        let Ok(validated) = validate(owner, document, &pods) else { continue };
        for child in build(&validated, &pods) {
            let body = Value::Object(child.body);
            all.insert(format!("{}/{}", child.kind.as_str(), child.name), normal::form(&body));
        }
    }
    all
}

fn recorded(output: &Path) -> BTreeMap<String, Value> {
    let kept = ["StatefulSet", "Service", "HorizontalPodAutoscaler", "VerticalPodAutoscaler"];
    let documents = documents(output).into_iter().filter_map(|document| {
        let kind = document["kind"].as_str().unwrap();
        let name = format!("{kind}/{}", document["metadata"]["name"].as_str().unwrap());
        kept.contains(&kind).then(|| (name, normal::form(&document)))
    });
    documents.collect()
}

/// Every place at which two values differ, with both.
fn differences(at: &str, ours: &Value, theirs: &Value, found: &mut Vec<(String, String)>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for name in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
                let pick = |of: &Object| of.get(name).cloned().unwrap_or_default();
                differences(&format!("{at}.{name}"), &pick(ours), &pick(theirs), found);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                differences(&format!("{at}[{index}]"), ours, theirs, found);
            }
        }
        _ if ours == theirs => {}
        _ => found.push((at.to_owned(), format!("\n   ours {ours}\n theirs {theirs}"))),
    }
}

#[test]
fn children_are_those_of_the_original() {
    let mut outputs: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    outputs.retain(|path| path.to_str().unwrap().ends_with(".out.yaml"));
    outputs.sort();
    let mut compared = 0;
    let mut unexpected = Vec::new();
    let mut missing = Vec::new();
    for output in &outputs {
        let stem = output.to_str().unwrap().strip_suffix(".out.yaml").unwrap();
        let input = PathBuf::from(format!("{stem}.in.yaml"));
        let (ours, theirs) = (built(&input), recorded(output));
        let mut found = Vec::new();
        for name in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
            let pick = |of: &BTreeMap<String, Value>| of.get(name).cloned().unwrap_or_default();
            differences(name, &pick(&ours), &pick(&theirs), &mut found);
            compared += 1;
        }
        let case = Path::new(stem).file_name().unwrap().to_str().unwrap();
        let places: Vec<&str> = DIFFERENT
            .iter()
            .filter(|(of, ..)| case == *of || case.starts_with(of) && !of.contains('-'))
            .flat_map(|(_, places, _)| *places)
            .copied()
            .collect();
        for place in &places {
            if !found.iter().any(|(at, _)| at.contains(place)) {
                missing.push(format!("{case}: {place} is no longer different"));
            }
        }
        found.retain(|(at, _)| !places.iter().any(|place| at.contains(place)));
        unexpected.extend(found.into_iter().map(|(at, what)| format!("{case}: {at}:{what}")));
    }
    assert!(compared > 150, "{compared}");
    assert!(unexpected.is_empty() && missing.is_empty(), "{}\n{missing:#?}", unexpected.join("\n"));
}

#[test]
fn pods_are_told_apart_by_labels_that_nobody_can_override() {
    let input = folder().join("074-pod-label-conflict.in.yaml");
    let built = built(&input);
    let set = built.iter().find(|(name, _)| name.starts_with("StatefulSet/")).unwrap().1;
    let (selector, labels) = (
        set["spec"]["selector"]["matchLabels"].as_object().unwrap(),
        &set["spec"]["template"]["metadata"]["labels"],
    );
    assert!(selector.iter().all(|(key, value)| labels[key] == *value), "{set:#}");
}

#[test]
fn no_credential_of_a_resource_stands_in_a_command() {
    let built = built(&folder().join("071-generic-auth-sidecar.in.yaml"));
    let mut secrets = 0;
    for (name, object) in built {
        if name.starts_with("Secret/") {
            secrets += 1;
            assert_eq!(object["data"]["clientAuthenticationParameters"], json!("dG9rZW46YWJjZA=="));
        } else {
            assert!(!object.to_string().contains("token:abcd"), "{name}");
        }
    }
    assert_eq!(secrets, 1);
}

#[test]
fn of_variables_and_pull_secrets_with_the_same_name_there_is_the_last() {
    let mut document = documents(&folder().join("001-java-minimal.in.yaml")).remove(0);
    let variable = |value: &str| json!({"name": "MODE", "value": value});
    document["spec"]["pod"] = json!({
        "env": [variable("slow"), {"name": "OTHER", "value": "x"}, variable("fast")],
        "imagePullSecrets": [{"name": "registry"}],
        "initContainers": [{"name": "i", "image": "i", "env": [variable("slow"), variable("fast")]}],
    });
    let owner = Owner {
        kind: ComponentKind::Function,
        namespace: "n".to_owned(),
        name: "a".to_owned(),
        uid: "u".to_owned(),
    };
    let pods = Pods { image_pull_secrets: vec!["registry".to_owned()], ..Pods::default() };
    let children = build(&validate(owner, document, &pods).unwrap(), &pods);
    let set = children.into_iter().find(|child| child.kind == ChildKind::StatefulSet).unwrap();
    let pod = &set.body["spec"]["template"]["spec"];
    let env = pod["containers"][0]["env"].as_array().unwrap();
    let names: Vec<_> = env.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["POD_NAME", "OTHER", "MODE"]);
    assert_eq!(env[2], variable("fast"));
    assert_eq!(pod["initContainers"][0]["env"], json!([variable("fast")]));
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
}
