use std::time::Duration;

use isthmus_daemon::backoff::Policy;
use isthmus_model::name::Digest;
use isthmus_model::order::Revision;

use super::*;
use crate::host::ports::Pair;
use crate::host::record::Record;

const UID: Uid = Uid(uuid::Uuid::from_u128(1));
const NOW: Duration = Duration::from_secs(100);

fn record(generation: u64, restarts: u64) -> Record {
    Record {
        generation: Generation(generation),
        revision: Revision(1),
        command: Digest([7; 32]),
        ports: Pair::default(),
        restarts,
        sealed: false,
    }
}

fn instance(stage: Stage) -> Instance {
    let mut instance = Instance::new(Policy::default(), 0);
    instance.stage = stage;
    instance
}

fn up(generation: u64) -> Instance {
    instance(Stage::Up { record: record(generation, 2), since: NOW })
}

fn down(failure: Option<Reason>) -> Instance {
    instance(Stage::Down { start_at: NOW, last: Some(record(1, 3)), failure })
}

fn wanted(generation: u64, replicas: u32) -> Wanted {
    Wanted::Run {
        generation: Generation(generation),
        revision: Revision(1),
        replicas,
        command: Digest([7; 32]),
    }
}

fn seen(answers: bool, attached: bool) -> Seen {
    let mut seen = Seen::default();
    seen.silent.look(answers);
    seen.detached.look(attached);
    seen.status.running = answers;
    seen.status.messages = Messages { received: 5, processed: 4, user_exceptions: 1, system_exceptions: 0 };
    seen
}

fn of(wanted: &Wanted, instances: Vec<Instance>, seen: Vec<Seen>) -> Observation {
    let instances = (0..).zip(instances).collect();
    let seen = (0..).zip(seen).collect();
    observe(UID, wanted, &instances, &seen, UnixMillis(9)).unwrap()
}

#[test]
fn ready_means_that_every_instance_answers_and_pulsar_sees_it() {
    let ready = of(&wanted(1, 2), vec![up(1), up(1)], vec![seen(true, true), seen(true, true)]);
    assert_eq!((ready.phase, ready.reason, ready.ready), (Phase::Ready, Reason::Ready, 2));
    assert_eq!((ready.restarts, ready.messages.received), (4, 10));

    let unseen = of(&wanted(1, 2), vec![up(1), up(1)], vec![seen(true, true), seen(true, false)]);
    assert_eq!((unseen.phase, unseen.reason, unseen.ready), (Phase::Progressing, Reason::NotSubscribed, 1));

    let silent = of(&wanted(1, 1), vec![up(1)], vec![seen(false, false)]);
    assert_eq!((silent.phase, silent.reason), (Phase::Progressing, Reason::Starting));
}

#[test]
fn one_or_two_missed_looks_do_not_make_an_instance_unready_but_three_do() {
    let mut flaky = seen(true, true);
    for ready in [true, true, false] {
        flaky.detached.look(false);
        assert_eq!(flaky.is_ready(), ready);
    }
    flaky.detached.look(true);
    assert!(flaky.is_ready());
}

#[test]
fn nothing_wanted_and_nothing_running_is_ready_with_no_instances() {
    assert_eq!(of(&wanted(1, 0), vec![], vec![]).phase, Phase::Ready);
}

#[test]
fn the_worst_instance_gives_the_reason() {
    let instances = vec![up(1), down(Some(Reason::PackageUnavailable)), down(None)];
    let degraded = of(&wanted(1, 3), instances, vec![seen(true, true)]);
    assert_eq!((degraded.phase, degraded.reason), (Phase::Degraded, Reason::PackageUnavailable));
}

#[test]
fn the_oldest_that_runs_is_the_generation_that_is_observed() {
    let changing = of(&wanted(5, 2), vec![up(5), up(3)], vec![seen(true, true), seen(true, true)]);
    assert_eq!((changing.generation, changing.phase), (Generation(3), Phase::Progressing));
}

#[test]
fn stopped_is_said_only_when_nothing_runs() {
    let stop = Wanted::Stop { generation: Generation(4) };
    let stopping = instance(Stage::Stopping { record: record(1, 0) });
    let still = of(&stop, vec![down(None), stopping], vec![]);
    assert_eq!((still.phase, still.generation), (Phase::Stopping, Generation(1)));
    for rest in [vec![], vec![down(None)]] {
        let stopped = of(&stop, rest, vec![]);
        assert_eq!((stopped.phase, stopped.generation), (Phase::Stopped, Generation(4)));
    }
}

#[test]
fn what_cannot_run_here_is_refused_with_its_sentence() {
    let refused = Wanted::Refused {
        generation: Generation(2),
        replicas: 3,
        reason: Reason::MissingCapability,
        message: "no Java here".into(),
    };
    let said = of(&refused, vec![], vec![]);
    assert_eq!((said.phase, said.reason, said.desired), (Phase::Refused, Reason::MissingCapability, 3));
    assert_eq!(said.last_error, "no Java here");
}

#[test]
fn an_error_of_the_users_code_stands_before_the_last_end() {
    let mut failing = seen(true, true);
    failing.last_error = "the instance ended with exit code 1".into();
    let said = of(&wanted(1, 1), vec![up(1)], vec![failing.clone()]);
    assert_eq!(said.last_error, "the instance ended with exit code 1");
    failing.status.last_error = "Exception: boom".into();
    assert_eq!(of(&wanted(1, 1), vec![up(1)], vec![failing]).last_error, "Exception: boom");
}
