use isthmus_model::component::ComponentKind;
use isthmus_model::order::Generation;

use super::*;
use crate::custom_resources::marks::tests::uid;
use crate::custom_resources::observe::counts::Counts;
use crate::custom_resources::observe::pod::{Pod, Run, Trouble};

/// A minute after the runs of all instances here began.
const NOW: UnixMillis = UnixMillis(1_060_000);

fn key() -> Key {
    Key { kind: ComponentKind::Function, namespace: "n".into(), name: "greet".into() }
}

fn resource(desired: u32, outlook: Outlook) -> Resource {
    let settled = Some(Settled { generation: Generation(5), desired, outlook });
    Resource { uid: uid(7), settled, deleted: false, gone: false }
}

fn pod(ready: bool, trouble: Option<Trouble>) -> Pod {
    let run = Run { uid: "u".into(), restarts: 0, since: Some(1001) };
    Pod { run, address: None, ready, runs: ready, trouble }
}

fn silent(pod: Pod) -> Instance {
    Instance::new(pod)
}

fn speaking(pod: Pod, received: u64) -> Instance {
    let mut instance = silent(pod);
    let messages = Messages { received, ..Messages::default() };
    instance.figures.hear(Counts { messages, last_error: String::new() });
    instance
}

fn trouble(reason: Reason, message: &str) -> Trouble {
    Trouble { reason, message: message.into() }
}

fn seen(resource: Resource, instances: Vec<Instance>) -> Option<Observation> {
    let instances = (0..).zip(instances).collect();
    let component = Component { resource: Some(resource), instances, ..Component::default() };
    observe(&key(), &component, NOW)
}

#[track_caller]
fn assert_stands(observation: &Observation, phase: Phase, reason: Reason, ready: u32) {
    assert_eq!(
        (observation.phase, observation.reason, observation.ready),
        (phase, reason, ready),
        "{observation:?}"
    );
}

#[test]
fn nothing_is_said_before_the_operator_is_done_with_it() {
    let resource = Resource { settled: None, ..resource(1, Outlook::OnTheWay) };
    assert_eq!(seen(resource, vec![]), None);
}

#[test]
fn ready_is_what_has_all_pods_ready_and_new() {
    let both = || vec![speaking(pod(true, None), 3), speaking(pod(true, None), 4)];
    let observation = seen(resource(2, Outlook::Ready), both()).unwrap();
    assert_stands(&observation, Phase::Ready, Reason::Ready, 2);
    assert_eq!((observation.messages.received, observation.generation), (7, Generation(5)));
    let rolling = seen(resource(2, Outlook::OnTheWay), both()).unwrap();
    assert_stands(&rolling, Phase::Progressing, Reason::Starting, 2);
    let missing = seen(resource(2, Outlook::Ready), vec![speaking(pod(true, None), 3)]).unwrap();
    assert_stands(&missing, Phase::Progressing, Reason::Starting, 1);
    assert_stands(&seen(resource(0, Outlook::Ready), vec![]).unwrap(), Phase::Ready, Reason::Ready, 0);
}

#[test]
fn an_instance_that_said_nothing_yet_is_not_ready_and_after_a_minute_its_nodes_word_has_to_do() {
    let young = seen(resource(1, Outlook::Ready), vec![silent(pod(true, None))]).unwrap();
    assert_stands(&young, Phase::Progressing, Reason::Starting, 0);
    let mut old = silent(pod(true, None));
    old.pod.run.since = Some(1000);
    (0..3).for_each(|_| old.figures.miss("no route to host".to_owned()));
    let old = seen(resource(1, Outlook::Ready), vec![old]).unwrap();
    assert_stands(&old, Phase::Ready, Reason::Ready, 1);
    assert_eq!(old.last_error, "pod greet-function-0 runs, and does not tell its counts: no route to host");
}

#[test]
fn the_first_pod_in_trouble_speaks_for_all_and_says_which_it_is() {
    let instances = vec![
        speaking(pod(true, None), 1),
        silent(pod(false, Some(trouble(Reason::ImagePullBackOff, "ImagePullBackOff: no such image")))),
        silent(pod(false, Some(trouble(Reason::CrashLoopBackOff, "it ended")))),
    ];
    let observation = seen(resource(3, Outlook::OnTheWay), instances).unwrap();
    assert_stands(&observation, Phase::Degraded, Reason::ImagePullBackOff, 1);
    assert_eq!(observation.last_error, "pod greet-function-1: ImagePullBackOff: no such image");
}

#[test]
fn a_crash_is_past_once_the_instance_has_said_something() {
    let crashed = || trouble(Reason::CrashLoopBackOff, "it ended");
    let again = seen(resource(1, Outlook::Ready), vec![silent(pod(true, Some(crashed())))]).unwrap();
    assert_stands(&again, Phase::Degraded, Reason::CrashLoopBackOff, 0);
    let works = seen(resource(1, Outlook::Ready), vec![speaking(pod(true, Some(crashed())), 1)]).unwrap();
    assert_stands(&works, Phase::Ready, Reason::Ready, 1);
    assert_eq!(works.last_error, "");
}

#[test]
fn pods_that_are_no_longer_wanted_are_neither_ready_nor_in_the_way() {
    let instances = vec![
        speaking(pod(true, None), 1),
        silent(pod(false, Some(trouble(Reason::CrashLoopBackOff, "it ended")))),
    ];
    assert_stands(&seen(resource(1, Outlook::Ready), instances).unwrap(), Phase::Ready, Reason::Ready, 1);
}

#[test]
fn what_the_operator_says_is_in_the_way_comes_before_what_pods_say() {
    let hindered = |reason| resource(1, Outlook::Hindered { reason, message: "the operator's words".into() });
    for (reason, phase) in [
        (Reason::MissingReference, Phase::Degraded),
        (Reason::ForeignObject, Phase::Degraded),
        (Reason::RolloutPaused, Phase::Progressing),
        (Reason::InvalidField, Phase::Refused),
    ] {
        let waits =
            silent(pod(false, Some(trouble(Reason::CreateContainerConfigError, "configmap not found"))));
        let observation = seen(hindered(reason), vec![waits]).unwrap();
        assert_stands(&observation, phase, reason, 0);
        assert_eq!(observation.last_error, "the operator's words");
    }
}

#[test]
fn what_is_being_deleted_is_stopping_with_the_pods_that_are_left() {
    let deleted = Resource { deleted: true, ..resource(2, Outlook::Ready) };
    let observation = seen(deleted, vec![speaking(pod(true, None), 1)]).unwrap();
    assert_stands(&observation, Phase::Stopping, Reason::Pending, 1);
}

#[test]
fn the_users_exception_is_the_last_error_of_a_component_that_works() {
    let mut instance = speaking(pod(true, None), 1);
    let last_error = "KeyError: 'name'".to_owned();
    instance.figures.hear(Counts { messages: Messages::default(), last_error });
    let observation = seen(resource(1, Outlook::Ready), vec![instance]).unwrap();
    assert_stands(&observation, Phase::Ready, Reason::Ready, 1);
    assert_eq!(observation.last_error, "KeyError: 'name'");
}

#[test]
fn restarts_are_those_of_all_pods() {
    let restarted = |restarts| {
        let mut instance = speaking(pod(true, None), 1);
        instance.pod.run.restarts = restarts;
        instance
    };
    let observation = seen(resource(2, Outlook::Ready), vec![restarted(2), restarted(3)]).unwrap();
    assert_eq!(observation.restarts, 5);
}
