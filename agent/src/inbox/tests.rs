//! The inbox with its real file: what survives, and in which order who hears of it.

use std::sync::Arc;

use isthmus_daemon::clock::ManualClock;
use isthmus_model::component::{Component, ComponentKind, Spec};
use isthmus_model::name::{FullName, PulsarClusterName};
use isthmus_model::order::{Epoch, Generation, LogIndex};
use isthmus_model::policy::Placement;
use isthmus_model::pulsar_cluster::PulsarCluster;
use isthmus_proto::convert::component::encode;
use isthmus_proto::sync::v1 as wire;
use prost::Message;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::*;
use change::{Scope, Upsert};

fn uid(n: u128) -> Uid {
    Uid(Uuid::from_u128(n))
}

fn pulsar() -> PulsarCluster {
    PulsarCluster {
        name: PulsarClusterName::new("main").unwrap(),
        service_url: "pulsar://localhost:6650".into(),
        admin_url: "http://localhost:8080".into(),
        pulsar_name: String::new(),
        state_service_url: String::new(),
        peers: Vec::new(),
    }
}

fn upsert(n: u128, generation: u64) -> Upsert {
    let component = Component {
        name: FullName::new("public", "default", &format!("f{n}")).unwrap(),
        kind: ComponentKind::Function,
        labels: std::collections::BTreeMap::default(),
        annotations: std::collections::BTreeMap::default(),
        spec: Box::new(Spec::default()),
        placement: Placement::default(),
    };
    message(n, generation, encode(&component))
}

fn message(n: u128, generation: u64, component: bytes::Bytes) -> Upsert {
    let message = wire::Assignment {
        uid: bytes::Bytes::copy_from_slice(uid(n).as_bytes()),
        generation,
        revision: 1,
        replicas: 1,
        pulsar_cluster: Some((&pulsar()).into()),
        component,
        sealed_secrets: None,
    };
    let bytes = message.encode_to_vec();
    let content = Decoder::default().assignment(message);
    Upsert { uid: uid(n), generation: Generation(generation), bytes, content }
}

fn change(scope: Scope, to: u64, removals: Vec<Removal>, upserts: Vec<Upsert>) -> Change {
    Change { scope, to: SetGeneration(to), removals, upserts, epoch: Epoch(1), log_index: LogIndex(100 + to) }
}

fn removal(n: u128, generation: u64) -> Removal {
    Removal { uid: uid(n), generation: Generation(generation) }
}

/// An inbox at work.
struct Running {
    handle: Handle,
    desired: DesiredHandle,
    reports: Reports,
    stop: CancellationToken,
    work: JoinHandle<Result<(), Error>>,
}

impl Running {
    fn open(directory: &TempDir, budget: Budget) -> Self {
        let reports = Reports::default();
        let clock = Arc::new(ManualClock::default());
        let (inbox, handle, desired) = open(directory.path(), budget, reports.clone(), clock).unwrap();
        let stop = CancellationToken::new();
        #[expect(clippy::disallowed_methods, reason = "a test has no set of tasks")]
        let work = tokio::spawn(inbox.run(stop.clone()));
        Self { handle, desired, reports, stop, work }
    }

    async fn apply(&self, change: Change) -> Answer {
        let (answers, mut answered) = mpsc::unbounded_channel();
        self.handle.apply(1, change, answers).await.unwrap();
        answered.recv().await.unwrap()
    }

    /// Ends without any tidying up: what a kill leaves is what the last commit wrote.
    async fn end(self) {
        self.stop.cancel();
        self.work.await.unwrap().unwrap();
    }

    fn set(&mut self) -> target::DesiredSet {
        self.desired.look(Clone::clone)
    }
}

fn durable(answer: Answer) -> Facts {
    match answer {
        Answer::Durable { facts, .. } => facts,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart_and_the_target_gets_it_at_once() {
    let directory = TempDir::new().unwrap();
    let mut first = Running::open(&directory, Budget::default());
    assert!(!first.set().settled, "nothing was received yet");
    first.apply(change(Scope::Whole, 1, vec![], vec![upsert(1, 5), upsert(2, 6), upsert(3, 7)])).await;
    let facts = durable(
        first.apply(change(Scope::Differences(SetGeneration(1)), 2, vec![removal(1, 8)], vec![])).await,
    );
    let set = first.set();
    first.end().await;

    let mut second = Running::open(&directory, Budget::default());
    assert_eq!(second.handle.facts().await, Ok(facts));
    assert_eq!(second.set(), set);
    assert!(set.settled && set.entries.get(&uid(1)) == Some(&Desired::Stop(removal(1, 8))));
    assert!(matches!(set.entries.get(&uid(2)), Some(Desired::Run(run)) if run.generation == Generation(6)));
    second.end().await;
}

#[tokio::test]
async fn an_unreadable_assignment_is_reported_and_what_ran_before_goes_on_across_a_restart() {
    let directory = TempDir::new().unwrap();
    let first = Running::open(&directory, Budget::default());
    first.apply(change(Scope::Whole, 1, vec![], vec![upsert(1, 5)])).await;
    let newer = message(1, 9, bytes::Bytes::from_static(&[0xff]));
    let Answer::Durable { facts, refused, .. } =
        first.apply(change(Scope::Differences(SetGeneration(1)), 2, vec![], vec![newer])).await
    else {
        panic!("not durable");
    };
    assert_eq!(refused.len(), 1);
    first.end().await;

    let mut second = Running::open(&directory, Budget::default());
    assert_eq!(second.handle.facts().await, Ok(facts));
    assert!(
        matches!(second.set().entries.get(&uid(1)), Some(Desired::Run(run)) if run.generation == Generation(5))
    );
    let told = second.reports.drain(10);
    assert!(
        matches!(&told[..], [seen] if seen.phase == Phase::Refused && seen.generation == Generation(9)),
        "{told:?}"
    );
    second.end().await;
}

#[tokio::test]
async fn held_removals_survive_a_restart_and_go_when_they_are_confirmed() {
    let directory = TempDir::new().unwrap();
    let budget = Budget { percent: 0, at_least: 0 };
    let first = Running::open(&directory, budget);
    first.apply(change(Scope::Whole, 1, vec![], vec![upsert(1, 5), upsert(2, 5)])).await;
    first.apply(change(Scope::Differences(SetGeneration(1)), 2, vec![removal(1, 8)], vec![])).await;
    first.end().await;

    let mut second = Running::open(&directory, budget);
    let held = second.handle.facts().await.unwrap().held;
    assert_eq!((held.count, held.total), (1, 2));
    assert!(
        matches!(second.set().entries.get(&uid(1)), Some(Desired::Run(_))),
        "it runs until it is confirmed"
    );
    let (answers, mut answered) = mpsc::unbounded_channel();
    second.handle.confirm(held.digest, answers).await.unwrap();
    assert!(matches!(answered.recv().await, Some(Answer::Confirmed(held)) if held.count == 0));
    assert_eq!(second.set().entries.get(&uid(1)), Some(&Desired::Stop(removal(1, 8))));
    second.end().await;
}

#[tokio::test]
async fn what_is_stopped_and_told_is_forgotten_and_its_row_goes_with_the_next_write() {
    let directory = TempDir::new().unwrap();
    let mut first = Running::open(&directory, Budget::default());
    first.apply(change(Scope::Whole, 1, vec![removal(1, 8)], vec![upsert(2, 5)])).await;
    first.handle.forget(vec![removal(1, 7)]).await.unwrap();
    first.handle.facts().await.unwrap();
    assert!(first.set().entries.contains_key(&uid(1)), "another removal is meant");
    first.handle.forget(vec![removal(1, 8)]).await.unwrap();
    first.handle.facts().await.unwrap();
    assert!(!first.set().entries.contains_key(&uid(1)));
    first.apply(change(Scope::Differences(SetGeneration(1)), 2, vec![], vec![upsert(3, 9)])).await;
    first.end().await;

    let mut second = Running::open(&directory, Budget::default());
    assert_eq!(second.set().entries.into_keys().collect::<Vec<_>>(), [uid(2), uid(3)]);
    second.end().await;
}

#[tokio::test]
async fn two_inboxes_cannot_share_a_directory() {
    let directory = TempDir::new().unwrap();
    let first = Running::open(&directory, Budget::default());
    first.apply(change(Scope::Whole, 1, vec![], vec![upsert(1, 5)])).await;
    let clock = Arc::new(ManualClock::default());
    let second = open(directory.path(), Budget::default(), Reports::default(), clock);
    assert!(matches!(second, Err(file::Error::Sqlite { .. })), "{second:?}");
    first.end().await;
}

#[tokio::test]
async fn a_file_of_something_else_is_left_alone() {
    let directory = TempDir::new().unwrap();
    let other = rusqlite::Connection::open(directory.path().join("inbox.sqlite")).unwrap();
    other.execute_batch("PRAGMA application_id = 7; CREATE TABLE t (x);").unwrap();
    drop(other);
    let clock = Arc::new(ManualClock::default());
    let opened = open(directory.path(), Budget::default(), Reports::default(), clock);
    assert!(matches!(opened, Err(file::Error::Foreign { application: 7, .. })), "{opened:?}");
}

#[test]
fn the_log_has_its_size_from_the_begin_and_is_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("inbox.sqlite");
    let log = || std::fs::metadata(directory.path().join("inbox.sqlite-wal")).unwrap().len();
    let mut file = File::open(&path).unwrap();
    let (size, mut checkpoints, mut holdings) = (log(), 0, Holdings::default());
    for n in 1..=200 {
        let change = change(Scope::Differences(SetGeneration(n - 1)), n, vec![], vec![upsert(n.into(), n)]);
        let plan = plan::plan(&holdings, change, Budget::default()).unwrap();
        plan.apply_to(&mut holdings);
        file.commit(&[], &[plan]).unwrap();
        if file.wants_checkpoint() {
            file.checkpoint().unwrap();
            checkpoints += 1;
        }
        assert_eq!(log(), size, "after {n} changes");
    }
    assert!(checkpoints > 3, "{checkpoints}");
    drop(file);

    let file = File::open(&path).unwrap();
    assert_eq!((file.head().unwrap(), log()), (holdings.head(), size));
    let mut rows = 0;
    file.visit(|_| rows += 1).unwrap();
    assert_eq!(rows, 200);
}
