use serde_json::{Value, json};

use super::*;

const MAIN: &str = "pulsar-function";

fn seen(status: &Value) -> Pod {
    let watched: Watched = serde_json::from_value(json!({
        "metadata": {"name": "a-function-0", "namespace": "n", "uid": "u"},
        "status": status,
    }))
    .unwrap();
    pod(MAIN, &watched.metadata, &watched.status.unwrap())
}

fn container(name: &str, state: &Value, last: &Value, restarts: u32) -> Value {
    json!({
        "name": name, "image": "i", "imageID": "", "ready": false, "restartCount": restarts,
        "state": state, "lastState": last,
    })
}

fn one(state: &Value, last: &Value, restarts: u32) -> Pod {
    seen(&json!({"phase": "Running", "containerStatuses": [container(MAIN, state, last, restarts)]}))
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"waiting": {"reason": reason, "message": message}})
}

fn terminated(code: i32, reason: &str) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason}})
}

fn running() -> Value {
    json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}})
}

#[track_caller]
fn assert_trouble(pod: &Pod, reason: Reason, words: &str) {
    let trouble = pod.trouble.as_ref().unwrap();
    assert_eq!(trouble.reason, reason, "{trouble:?}");
    assert!(trouble.message.contains(words), "{trouble:?}");
}

#[test]
fn a_pod_that_is_ready_has_an_address_and_no_trouble() {
    let status = json!({
        "phase": "Running", "podIP": "10.0.0.7",
        "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
        "containerStatuses": [container(MAIN, &running(), &json!({}), 0)],
    });
    let pod = seen(&status);
    assert!(pod.ready && pod.runs);
    assert_eq!(pod.address, "10.0.0.7".parse().ok());
    assert_eq!(pod.run, Run { uid: "u".into(), restarts: 0, since: Some(1_767_225_600) });
    assert_eq!(pod.trouble, None);
}

#[test]
fn a_pod_that_is_being_deleted_is_not_ready() {
    let watched: Watched = serde_json::from_value(json!({
        "metadata": {"name": "a-function-0", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }))
    .unwrap();
    assert!(!pod(MAIN, &watched.metadata, &watched.status.unwrap()).ready);
}

#[test]
fn a_pod_that_comes_up_is_not_in_trouble() {
    assert_eq!(seen(&json!({"phase": "Pending"})).trouble, None);
    assert_eq!(one(&waiting("ContainerCreating", ""), &json!({}), 0).trouble, None);
    let fetched = container(DOWNLOADER, &terminated(0, "Completed"), &json!({}), 0);
    let status = json!({
        "phase": "Pending", "initContainerStatuses": [fetched],
        "containerStatuses": [container(MAIN, &waiting("PodInitializing", ""), &json!({}), 0)],
    });
    assert_eq!(seen(&status).trouble, None);
}

#[test]
fn the_scheduler_says_why_no_node_takes_a_pod() {
    let pod = seen(&json!({
        "phase": "Pending",
        "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 Insufficient memory.",
        }],
    }));
    assert_trouble(&pod, Reason::Unschedulable, "0/1 nodes are available: 1 Insufficient memory.");
}

#[test]
fn an_image_that_cannot_be_pulled_has_one_reason_whatever_the_node_does_just_now() {
    for word in ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"] {
        let pod = one(&waiting(word, "no such host\n  (tried twice)"), &json!({}), 0);
        assert_trouble(&pod, Reason::ImagePullBackOff, &format!("{word}: no such host (tried twice)"));
    }
}

#[test]
fn a_secret_that_is_missing_is_named() {
    let pod = one(&waiting("CreateContainerConfigError", "secret \"x\" not found"), &json!({}), 0);
    assert_trouble(&pod, Reason::CreateContainerConfigError, "secret \"x\" not found");
}

#[test]
fn what_the_node_says_and_nobody_knows_is_told_in_its_words() {
    let pod = one(&waiting("RunContainerError", "exec: \"java\": not found"), &json!({}), 0);
    assert_trouble(&pod, Reason::StartFailed, "RunContainerError: exec: \"java\": not found");
}

#[test]
fn a_crash_is_the_same_trouble_while_it_waits_and_when_it_has_just_ended() {
    let ended = terminated(3, "Error");
    let words = "container pulsar-function ended with exit code 3 (Error)";
    assert_trouble(&one(&ended, &json!({}), 0), Reason::CrashLoopBackOff, words);
    assert_trouble(
        &one(&waiting("CrashLoopBackOff", "back-off"), &ended, 4),
        Reason::CrashLoopBackOff,
        words,
    );
    // An instance never ends by itself.
    assert_trouble(&one(&terminated(0, "Completed"), &json!({}), 0), Reason::CrashLoopBackOff, "exit code 0");
}

#[test]
fn an_instance_that_was_started_again_still_says_how_it_ended_before() {
    let pod = one(&running(), &terminated(1, "Error"), 2);
    assert_eq!((pod.runs, pod.run.restarts), (true, 2));
    assert_trouble(&pod, Reason::CrashLoopBackOff, "exit code 1 (Error)");
}

#[test]
fn too_much_memory_is_told_apart_from_other_ends() {
    let ended = terminated(137, "OOMKilled");
    assert_trouble(&one(&waiting("CrashLoopBackOff", ""), &ended, 1), Reason::OOMKilled, "137 (OOMKilled)");
}

#[test]
fn a_package_that_cannot_be_fetched_is_told_apart_from_the_instance() {
    let fetching = container(DOWNLOADER, &terminated(22, "Error"), &json!({}), 0);
    let status = json!({
        "phase": "Pending", "initContainerStatuses": [fetching],
        "containerStatuses": [container(MAIN, &waiting("PodInitializing", ""), &json!({}), 0)],
    });
    assert_trouble(
        &seen(&status),
        Reason::PackageUnavailable,
        "container downloader ended with exit code 22",
    );
}

#[test]
fn what_is_wrong_with_the_instance_comes_before_what_is_wrong_beside_it() {
    let beside = container("a-sidecar", &waiting("ErrImagePull", "beside"), &json!({}), 0);
    let main = container(MAIN, &waiting("CreateContainerError", "itself"), &json!({}), 0);
    let both = json!({"phase": "Pending", "containerStatuses": [beside, main]});
    assert_trouble(&seen(&both), Reason::StartFailed, "itself");
    let beside = container("a-sidecar", &waiting("ErrImagePull", "beside"), &json!({}), 0);
    let fine = container(MAIN, &running(), &json!({}), 0);
    let status = json!({"phase": "Pending", "containerStatuses": [beside, fine]});
    assert_trouble(&seen(&status), Reason::ImagePullBackOff, "beside");
}

#[test]
fn a_pod_that_its_node_gave_up_says_why() {
    let evicted = json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."});
    assert_trouble(&seen(&evicted), Reason::Evicted, "Evicted: The node was low on memory.");
    let other = json!({"phase": "Failed", "reason": "OutOfcpu", "message": "Node didn't have enough"});
    assert_trouble(&seen(&other), Reason::StartFailed, "OutOfcpu: Node didn't have enough");
}
