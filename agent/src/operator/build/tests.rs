//! What cannot be seen by a comparison with the original, which is in the tests of the program.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use isthmus_model::component::ComponentKind;
use serde_json::{Value, json};

use super::super::config::{Pods, Profile};
use super::super::validate::validate;
use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/function-mesh")
}

fn documents(path: &Path) -> Vec<Value> {
    let text = fs::read(path).unwrap();
    isthmus_dialects::document::parse(&text, text.len()).unwrap().into_iter().map(|one| one.value).collect()
}

/// What the functions of a file become, by kind and name.
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
        let pods = Pods::default();
        let Ok(validated) = validate(owner, document, &pods) else { continue };
        for child in build(&validated, &pods) {
            all.insert(format!("{}/{}", child.kind.as_str(), child.name), Value::Object(child.body));
        }
    }
    all
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

/// The pod of a function under a profile, and what it is made of.
fn pod(case: &str, profile: Profile, own: Option<Value>) -> Value {
    let mut document = documents(&folder().join(case)).remove(0);
    if let Some(own) = own {
        document["spec"]["pod"] = own;
    }
    let kind = ComponentKind::Function;
    let owner = Owner { kind, namespace: "n".to_owned(), name: "a".to_owned(), uid: "u".to_owned() };
    let pods = Pods { profile, ..Pods::default() };
    let children = build(&validate(owner, document, &pods).unwrap(), &pods);
    let set = children.into_iter().find(|child| child.kind == ChildKind::StatefulSet).unwrap();
    set.body["spec"]["template"]["spec"].clone()
}

#[test]
fn a_restricted_pod_runs_as_nobody_of_note_and_writes_to_volumes_only() {
    for case in [
        "001-java-minimal.in.yaml",
        "003-java-http.in.yaml",
        "006-python-file.in.yaml",
        "045-log-sidecar-oauth.in.yaml",
    ] {
        let pod = pod(case, Profile::Restricted, None);
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        let volumes: Vec<&Value> =
            pod["volumes"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        for container in pod["containers"].as_array().unwrap() {
            let context = &container["securityContext"];
            assert_eq!(context["readOnlyRootFilesystem"], true, "{case}: {container}");
            assert_eq!(context["allowPrivilegeEscalation"], false);
            assert_eq!(context["capabilities"]["drop"], json!(["ALL"]));
            let mounts = container["volumeMounts"].as_array().unwrap();
            assert!(mounts.iter().all(|mount| volumes.contains(&&mount["name"])), "{case}: {mounts:?}");
            let mut paths: Vec<&Value> = mounts.iter().map(|mount| &mount["mountPath"]).collect();
            paths.dedup();
            assert_eq!(paths.len(), mounts.len(), "{case}");
        }
    }
}

#[test]
fn whoever_names_an_account_or_a_context_gets_it() {
    let own = json!({"serviceAccountName": "caller", "securityContext": {"runAsUser": 7}});
    let pod = pod("001-java-minimal.in.yaml", Profile::Restricted, Some(own));
    assert_eq!(pod["serviceAccountName"], "caller");
    assert_eq!(pod.get("automountServiceAccountToken"), None);
    assert_eq!(pod["securityContext"], json!({"runAsUser": 7}));
}

#[test]
fn a_package_is_fetched_to_where_a_restricted_instance_may_write() {
    let script = |profile| {
        let pod = pod("003-java-http.in.yaml", profile, None);
        pod["containers"][0]["command"][2].as_str().unwrap().to_owned()
    };
    let restricted = script(Profile::Restricted);
    assert!(restricted.contains("/pulsar/download/"), "{restricted}");
    assert!(!script(Profile::Compatible).contains("/pulsar/download/"));
}
