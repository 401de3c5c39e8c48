use isthmus_model::observation::{Messages, Phase};
use isthmus_model::order::Generation;
use serde_json::{Value, json};

use super::*;
use crate::custom_resources::marks::Mark;
use crate::custom_resources::marks::tests::{share, uid};

const FUNCTION: ComponentKind = ComponentKind::Function;
const WALL: UnixMillis = UnixMillis(1_767_225_601_000);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn known() -> Known {
    Known::new(share(), Config::default())
}

fn key(name: &str) -> Arc<Key> {
    Arc::new(Key { kind: FUNCTION, namespace: "n".into(), name: name.into() })
}

fn resource(name: &str, number: u128) -> resource::Watched {
    let mut annotations = share().annotations();
    annotations.extend(Mark { uid: uid(number), generation: Generation(5) }.annotations());
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "n", "generation": 1, "annotations": annotations},
        "spec": {},
        "status": {"replicas": 1, "observedGeneration": 1, "conditions": {"Ready": {"status": "True"}}},
    }))
    .unwrap()
}

fn pod_of(name: &str, identity: &str, status: &Value) -> pod::Watched {
    serde_json::from_value(json!({
        "metadata": {
            "name": format!("{name}-function-0"), "namespace": "n", "uid": identity,
            "labels": {"compute.functionmesh.io/component": "function", "compute.functionmesh.io/name": name},
        },
        "spec": {},
        "status": status,
    }))
    .unwrap()
}

fn ready(name: &str, identity: &str) -> pod::Watched {
    let running = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
    let container = json!({
        "name": "pulsar-function", "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": running,
    });
    let conditions = [json!({"type": "Ready", "status": "True"})];
    pod_of(
        name,
        identity,
        &json!({
            "phase": "Running", "podIP": "10.0.0.7", "conditions": conditions, "containerStatuses": [container],
        }),
    )
}

impl Known {
    fn resources(&mut self, event: Event<resource::Watched>) -> Vec<Arc<Key>> {
        self.on_resource(FUNCTION, "n", event, at(0))
    }

    fn pods(&mut self, event: Event<pod::Watched>) -> Vec<Arc<Key>> {
        self.on_pod("n", event, at(0))
    }

    /// Both listings are done, and showed one ready component.
    fn listed(mut self) -> Self {
        for event in [Event::Init, Event::InitApply(resource("a", 7)), Event::InitDone] {
            self.resources(event);
        }
        for event in [Event::Init, Event::InitApply(ready("a", "p")), Event::InitDone] {
            self.pods(event);
        }
        self
    }

    fn answer(&mut self, counts: Result<Counts, String>, now: Duration) -> Option<Arc<Key>> {
        let question = self.questions(now, 1).pop().unwrap();
        self.on_answer(Answer { question, counts }, now, WALL)
    }

    fn stands(&mut self, name: &str) -> Option<(Phase, u32)> {
        self.tell(&key(name), WALL).map(|observation| (observation.phase, observation.ready))
    }
}

#[test]
fn nothing_is_said_of_what_runs_before_its_pods_are_known_and_asked() {
    let mut known = known();
    assert_eq!(known.resources(Event::Apply(resource("a", 7))), [key("a")]);
    assert_eq!(known.stands("a"), None, "its pods were not shown");
    let mut known = known.listed();
    assert_eq!(known.stands("a"), None, "its instance was not asked");
    assert_eq!(known.answer(Ok(Counts::default()), at(0)), Some(key("a")));
    assert_eq!(known.stands("a"), Some((Phase::Ready, 1)));
}

#[test]
fn an_instance_that_does_not_answer_is_spoken_of_all_the_same() {
    let mut known = known().listed();
    known.answer(Err("no answer".to_owned()), at(0));
    assert_eq!(known.stands("a"), Some((Phase::Progressing, 0)));
}

#[test]
fn what_starts_is_spoken_of_at_once() {
    let mut known = known();
    known.pods(Event::Init);
    known.pods(Event::InitDone);
    known.resources(Event::Apply(resource("a", 7)));
    assert_eq!(known.stands("a"), Some((Phase::Progressing, 0)));
    known.pods(Event::Apply(ready("a", "p")));
    assert_eq!(known.stands("a"), Some((Phase::Progressing, 0)));
}

#[test]
fn instances_are_asked_often_until_they_answer_and_then_at_leisure() {
    let mut known = known().listed();
    assert_eq!(known.next_question(), Some(at(0)));
    known.answer(Err("starting".to_owned()), at(1));
    assert_eq!(known.next_question(), Some(at(1) + Config::default().starting));
    known.answer(Ok(Counts::default()), at(2));
    assert_eq!(known.next_question(), Some(at(2) + Config::default().ready));
    assert_eq!(known.questions(at(3), 9), []);
    assert_eq!(known.questions(at(7), 0), []);
    assert_eq!(known.questions(at(7), 9).len(), 1);
    known.pods(Event::Apply(ready("a", "p")));
    assert_eq!(known.questions(at(9), 9), [], "it is being asked");
}

#[test]
fn a_pod_that_no_node_takes_says_why_to_who_asks_for_its_log() {
    let mut known = known();
    let unscheduled = json!({
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available",
    });
    known.pods(Event::Apply(pod_of("a", "p", &json!({"phase": "Pending", "conditions": [unscheduled]}))));
    assert_eq!(known.unscheduled(&key("a"), 0).as_deref(), Some("Unschedulable: 0/1 nodes are available"));
    assert_eq!(known.unscheduled(&key("a"), 1), None);
    known.pods(Event::Apply(ready("a", "p")));
    assert_eq!(known.unscheduled(&key("a"), 0), None);
}

#[test]
fn pods_of_others_are_not_asked() {
    let mut known = known();
    known.pods(Event::Apply(ready("foreign", "p")));
    assert_eq!(known.questions(at(9), 9), []);
    assert_eq!(known.stands("foreign"), None);
}

#[test]
fn a_pod_that_comes_in_the_place_of_another_is_asked_anew_and_an_answer_of_the_old_one_does_not_count() {
    let mut known = known().listed();
    let question = known.questions(at(0), 1).pop().unwrap();
    known.pods(Event::Apply(ready("a", "another")));
    let counts = Counts { messages: Messages { received: 9, ..Messages::default() }, ..Counts::default() };
    assert_eq!(known.on_answer(Answer { question, counts: Ok(counts) }, at(1), WALL), None);
    assert_eq!(known.stands("a"), None);
    let again = known.questions(at(1), 9);
    assert_eq!(again.iter().map(|one| &*one.run.uid).collect::<Vec<_>>(), ["another"]);
}

#[test]
fn ready_is_lost_with_the_pod_and_comes_back_with_the_next() {
    let mut known = known().listed();
    known.answer(Ok(Counts::default()), at(0));
    assert_eq!(known.stands("a"), Some((Phase::Ready, 1)));
    assert_eq!(known.pods(Event::Delete(ready("a", "p"))), [key("a")]);
    assert_eq!(known.stands("a"), Some((Phase::Progressing, 0)));
    known.pods(Event::Apply(ready("a", "another")));
    known.answer(Ok(Counts::default()), at(6));
    assert_eq!(known.stands("a"), Some((Phase::Ready, 1)));
}

#[test]
fn what_a_new_listing_does_not_show_is_gone() {
    let mut known = known().listed();
    known.answer(Ok(Counts::default()), at(0));
    assert!(known.stands("a").is_some());
    known.pods(Event::Init);
    assert_eq!(known.stands("a"), Some((Phase::Ready, 1)), "the listing goes on");
    assert_eq!(known.pods(Event::InitDone), [key("a")]);
    assert_eq!(known.stands("a"), Some((Phase::Progressing, 0)));
    known.resources(Event::Init);
    assert_eq!(known.resources(Event::InitDone), [key("a")]);
    assert_eq!(known.stands("a"), Some((Phase::Stopping, 0)));
    assert!(known.components.is_empty() && known.by_uid.is_empty(), "{known:?}");
}

#[test]
fn a_deleted_resource_is_stopping_until_its_last_pod_is_gone() {
    let mut known = known().listed();
    known.answer(Ok(Counts::default()), at(0));
    known.stands("a");
    known.resources(Event::Delete(resource("a", 7)));
    assert_eq!(known.stands("a"), Some((Phase::Stopping, 1)));
    assert!(known.place(uid(7)).is_some(), "its log can still be read");
    known.pods(Event::Delete(ready("a", "p")));
    assert_eq!(known.stands("a"), Some((Phase::Stopping, 0)));
    assert_eq!((known.stands("a"), known.place(uid(7))), (None, None));
    assert!(known.components.is_empty(), "{known:?}");
}

#[test]
fn a_resource_that_is_made_again_at_once_goes_on() {
    let mut known = known().listed();
    known.answer(Ok(Counts::default()), at(0));
    known.stands("a");
    known.resources(Event::Delete(resource("a", 7)));
    known.stands("a");
    known.resources(Event::Apply(resource("a", 7)));
    assert_eq!(known.stands("a"), Some((Phase::Ready, 1)));
}

#[test]
fn a_component_is_found_by_its_identity_and_by_no_earlier_one_of_the_name() {
    let mut known = known().listed();
    assert_eq!(known.place(uid(7)), Some(key("a")));
    known.resources(Event::Apply(resource("a", 8)));
    assert_eq!((known.place(uid(7)), known.place(uid(8))), (None, Some(key("a"))));
}
